"""What each venue's module makes of the environment, and of its share of the demo."""

from decimal import Decimal

import pytest

from headroom.base.environment import Environment
from headroom.base.errors import SettingsError, SettingsErrors
from headroom.run.venue import module_of
from producers.errors import ConfigurationError
from producers.hercle import HercleSettings
from schemas.venues import VENUES

CANARY = "canary-0123456789"


def of(**variables: str) -> Environment:
    return Environment({f"HEADROOM_{name}": text for name, text in variables.items()})


def hercle(**variables: str) -> HercleSettings:
    lines = module_of("hercle").lines(of(HERCLE_API_KEY=CANARY, **variables))
    return lines.lines[0]._settings


@pytest.mark.parametrize("venue", VENUES)
def test_without_a_key_there_is_no_producer(venue: str) -> None:
    with pytest.raises(SettingsError, match=f"HEADROOM_{venue.upper()}_API_KEY is not set"):
        module_of(venue).lines(of())


@pytest.mark.parametrize("venue", VENUES)
def test_a_url_that_cannot_be_right_is_refused_and_no_key_is_told(venue: str) -> None:
    name = venue.upper()
    with pytest.raises(ConfigurationError, match=f"HEADROOM_{name}_URL") as caught:
        module_of(venue).lines(of(**{f"{name}_API_KEY": CANARY, f"{name}_URL": "ftp://x"}))
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("venue", VENUES)
def test_all_that_is_wrong_with_a_venue_is_told_at_once(venue: str) -> None:
    name = venue.upper()
    wrong = {f"{name}_API_KEY": "a b", f"{name}_URL": "ftp://x", "CA_FILE": "/no/such/file"}
    more = {"HERCLE_POLL_SECONDS": "0", "HERCLE_CLIENT_ID": "x" * 99} if venue == "hercle" else {}
    environment = of(**wrong, **more)
    with pytest.raises(SettingsErrors) as caught:
        module_of(venue).lines(environment)
    told = {getattr(one, "name", "") or one.setting for one in caught.value.each}
    assert told == {f"HEADROOM_{each}" for each in (*wrong, *more)}
    assert told | {f"HEADROOM_{name}_API_KEY_FILE"} == environment.asked


@pytest.mark.parametrize("text", ["0.04", "x", "NaN", "sNaN", "Infinity", "-1", "1e9"])
def test_hercle_is_asked_at_a_sound_pace_only(text: str) -> None:
    with pytest.raises(SettingsError, match="HEADROOM_HERCLE_POLL_SECONDS"):
        hercle(HERCLE_POLL_SECONDS=text)
    assert hercle(HERCLE_POLL_SECONDS="0.05").poll_seconds == Decimal("0.05")
    assert hercle().poll_seconds == Decimal(1)


def test_hercle_has_a_line_for_each_key() -> None:
    lines = module_of("hercle").lines(of(HERCLE_API_KEY="one, two\nthree,"))
    assert [line.connection for line in lines.lines] == ["1", "2", "3"]


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize(("rate", "users"), [("0", 2), ("0.01", 2), ("100000", 20_000)])
def test_every_share_of_the_demo_is_one_that_the_venue_takes(
    venue: str, rate: str, users: int
) -> None:
    module = module_of(venue)
    assert module.shown is not None
    shown = module.shown(Decimal(rate), users)
    module.lines(Environment(dict(shown.producer)))
