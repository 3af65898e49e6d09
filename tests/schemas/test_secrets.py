"""Every secret of this process is known, and taken out of what others say."""

import gc

from schemas.headers import REDACTED, RawHeaders
from schemas.secrets import Secret, redacted, redacted_frame

KEY = "canary-of-its-own-0123"


def test_a_secret_is_looked_for_from_the_moment_it_is_wrapped() -> None:
    assert redacted(f"1008 api key {KEY} has expired") == f"1008 api key {KEY} has expired"
    Secret(KEY)
    gc.collect()
    assert redacted(f"1008 api key {KEY} has expired") == "1008 api key Secret(hidden) has expired"
    assert redacted(rf'{{"m": "{KEY[:-1]}\u0033"}}') == "Secret(hidden)"
    frame = redacted_frame(f'{{"m": "{KEY}"}}'.encode())
    assert frame is not None
    assert (frame.text, frame.places) == (b'{"m": "Secret(hidden)"}', 1)
    assert redacted_frame(b'{"m": "canary"}') is None


def test_what_no_venue_knows_is_hidden_in_words_and_no_frame_is_touched_for_it() -> None:
    """A password may be a word that every frame has."""
    password = Secret("available", ours=True)
    assert redacted("no login: available") == "no login: Secret(hidden)"
    assert redacted_frame(b'{"available": "1.50"}') is None
    key = Secret("available")
    assert redacted_frame(b'{"available": "1.50"}') is not None
    assert (key.reveal(), password.reveal()) == ("available", "available")


def test_a_fleeting_secret_is_looked_for_while_somebody_holds_one() -> None:
    one, other = Secret(KEY, fleeting=True), Secret(KEY, fleeting=True)
    assert redacted(KEY) == "Secret(hidden)"
    del one
    gc.collect()
    assert redacted(KEY) == "Secret(hidden)"
    del other
    gc.collect()
    assert redacted(KEY) == KEY
    assert redacted_frame(KEY.encode()) is None


def test_our_own_tokens_are_known_by_sight() -> None:
    token = "headroom_" + "aB3-_" * 8 + "xyz"
    assert redacted(f"Authorization: Bearer {token}!") == "Authorization: Bearer Secret(hidden)!"
    assert redacted("headroom_dead_letters_total") == "headroom_dead_letters_total"


def test_a_jwt_is_known_by_sight() -> None:
    token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl-_"
    hidden = "Secret(hidden)"
    assert redacted(f"Bearer {token}, or {token[:-3]}") == f"Bearer {hidden}, or {hidden}"
    for innocent in ("eyJhbGciOiJFUzI1NiJ9", "keyJ.eyJ.x", "eyJ" * 10_000):
        assert redacted(innocent) == innocent


def test_a_record_says_that_something_was_hidden_in_it() -> None:
    plain = RawHeaders("sfox", "feed", 1, 2, "2026-11-25T10:00:00Z")
    marked = RawHeaders("sfox", "feed", 1, 2, "2026-11-25T10:00:00Z", redacted="2")
    assert marked.encode() == [*plain.encode(), (REDACTED, b"2")]
