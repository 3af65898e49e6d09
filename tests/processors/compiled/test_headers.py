"""A receipt that is read the short way is the one that is read the long way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors import compiled
from schemas.headers import RawHeaders, cloud_event, read_receipt
from schemas.times import rfc3339
from tests.schemas.strategies import MANY
from tests.schemas.test_headers import BROKEN, WHOLE

pytestmark = pytest.mark.skipif(not compiled.IS_COMPILED, reason="there was no C compiler")

TIMES = [rfc3339(0), "2024-13-01T00:00:00.000000000Z", "2024-03-13T22:00:25.31Z", "9" * 30]
VALUES = (
    st.sampled_from(
        [
            *BROKEN.values(),
            *(text.encode() for text in TIMES),
            b"0",
            b"007",
            b"9" * 19,
            b"9223372036854775807",
        ]
    )
    | st.none()
    | st.binary(max_size=32)
)


def is_read(headers: list[tuple[str, bytes | None]]) -> bool:
    """Whether the short way is taken; if so, the long way must say the same."""
    short = compiled.receipt(headers)
    assert short is None or short == read_receipt(headers, offset=7, appended_ns=1)
    return short is not None


def test_a_producers_headers_are_read_the_short_way() -> None:
    assert is_read(list(WHOLE.items()))
    for receipt in (1, 10**17, 8 * 10**18):
        headers = RawHeaders("sfox", "feed", 1_710_367_000_000_000_000, receipt, rfc3339(receipt))
        assert is_read(headers.encode())


@pytest.mark.parametrize("name", ["epoch", "receipt", "received_time"])
def test_what_is_missing_broken_or_there_twice_goes_the_long_way(name: str) -> None:
    whole = list(WHOLE.items())
    assert not is_read([(key, value) for key, value in whole if key != name])
    assert not is_read([*whole, (name, WHOLE[name])])
    for value in BROKEN.values():
        assert not is_read([(key, value if key == name else own) for key, own in whole])


@given(st.lists(st.tuples(st.sampled_from([*WHOLE, "x"]), VALUES), max_size=7))
@MANY
def test_both_ways_agree_on_odd_headers(headers: list[tuple[str, bytes | None]]) -> None:
    is_read(headers)


@given(st.dictionaries(st.sampled_from(list(WHOLE)), VALUES, max_size=2))
@MANY
def test_both_ways_agree_where_some_values_are_odd(odd: dict[str, bytes | None]) -> None:
    is_read(list({**WHOLE, **odd}.items()))


@given(st.text(), st.text(), st.text(), st.text())
def test_cloud_events_are_the_same(topic: str, subject: str, event_id: str, time: str) -> None:
    said = {"topic": topic, "subject": subject, "event_id": event_id, "time": time}
    for _ in range(2):  # of a topic that is new, and of one that is known
        assert compiled.cloud_event(**said) == cloud_event(**said)
