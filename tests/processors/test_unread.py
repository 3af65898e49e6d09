"""What the log says of raw records that could not be read: which, why, and not again and again."""

import json
import logging

import pytest

from processors.unread import Unreadable, event_of
from schemas.headers import DeadLetterOrigin
from schemas.rejections import Rejected
from tests.headroom.base.test_logs import logged


def origin(offset: int, **more: object) -> DeadLetterOrigin:
    return DeadLetterOrigin("raw.sfox.v1", 3, offset, "normalise", "x", **more)  # type: ignore[arg-type]


def test_a_broken_frame_is_a_line_of_json_that_names_its_event(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with logged():
        Unreadable().buried(origin(17), "sfox", Rejected("amount", "payload.updates[0].held"))
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    del line["time"]
    event = "raw.sfox.v1/3/17"
    words = f"sfox: a frame cannot be read: amount at payload.updates[0].held ({event})"
    place = {"topic": "raw.sfox.v1", "partition": 3, "offset": 17}
    of_line = {"level": "WARNING", "logger": "headroom.unread", "message": words}
    assert line == {**of_line, "ce_id": event, **place, "venue": "sfox", "reason": "amount"}


def test_a_part_of_a_frame_and_a_later_topic_are_named_as_their_events_are() -> None:
    assert event_of(origin(17, part=(1, 3))) == "raw.sfox.v1/3/17/1"
    assert event_of(origin(17, incarnation=2)) == "raw.sfox.v1~2/3/17"


def test_each_kind_is_told_once_a_minute_with_how_many_more_there_were(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    unreadable = Unreadable(monotonic=lambda: now)
    caplog.set_level(logging.WARNING)
    for offset in range(100):
        unreadable.buried(origin(offset), "sfox", Rejected("amount", "payload.updates[7].held"))
    unreadable.buried(origin(100), "sfox", Rejected("not_json", "frame"))
    now = 60.0
    unreadable.buried(origin(101), "sfox", Rejected("amount", "payload.updates[9].held"))
    assert [record.ce_id for record in caplog.records] == [  # type: ignore[attr-defined]
        *("raw.sfox.v1/3/0", "raw.sfox.v1/3/100", "raw.sfox.v1/3/101")
    ]
    assert caplog.records[-1].message.endswith("(and 99 more like it)")
