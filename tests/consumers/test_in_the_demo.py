"""The readers beside `headroom demo`, where frames come in all the time."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from tests.consumers.test_consumers import earlier, end, finished, latest_java, lines_of, python
from tests.headroom.commands import started, until

pytestmark = pytest.mark.long

USERS = 6


class Demo(msgspec.Struct, frozen=True):
    """Where its Kafka is."""

    bootstrap: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    place = tmp_path_factory.mktemp("demo") / "out"
    words = ("demo", "--rate", "20", "--users", str(USERS))
    with started(place, *words) as command:
        until(lambda: "the worker answers" in command.output, why=lambda: command.output)
        (bootstrap,) = re.findall(r"Kafka is at (\S+)", command.output)
        reader = python("latest.py", bootstrap)
        try:
            lines_of(reader, 2 * USERS)  # both venues' users have been told of
        finally:
            end(reader)
        yield Demo(bootstrap)
        assert command.stop() == 0, command.output


def test_latest_py_and_latest_java_have_the_table(demo: Demo, tmp_path: Path) -> None:
    text = finished(python("latest.py", demo.bootstrap, "--once"))
    assert re.fullmatch(r"[0-9]+ users hold [0-9.]+ BTC\n", text)
    users = int(text.split()[0])
    assert users > 0
    assert int(finished(latest_java(demo, tmp_path)).split()[0]) >= users  # type: ignore[arg-type]


def test_since_py_stays_live(demo: Demo) -> None:
    process = python("since.py", demo.bootstrap, f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}")
    try:
        rows = lines_of(process, 30)
    finally:
        end(process)
    assert len({line.split(" ")[0] for line in rows}) == len(rows)


def test_day_py_draws_the_day(demo: Demo, tmp_path: Path) -> None:
    drawn = finished(python("day.py", demo.bootstrap, earlier(), cwd=tmp_path))
    assert int(drawn.split()[0]) > 0
    assert "BTC" in drawn
