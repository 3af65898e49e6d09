"""The part `normalise` compares like with like, and both venues' data sets are as they are said."""

import json

import msgspec
import pytest

from benchmarks import normalise as part
from benchmarks.__main__ import arguments, plan_of
from benchmarks.dataset import BAD_EVERY, Dataset, frames
from benchmarks.job import Raw, normalised, normalised_in_python
from benchmarks.oracle import Difference
from benchmarks.report import TEXTS
from processors import compiled
from schemas.topics import BALANCES, DEAD_LETTERS
from schemas.venues import VENUES

NOT_AMOUNTS = ("type", "sequence", "timestamp")


def amounts(value: object, name: str = "") -> int:
    """How many amounts stand in a frame, whichever way they are written."""
    if name == "data" and isinstance(value, str):
        value = json.loads(value)
    if isinstance(value, dict):
        return sum(amounts(item, key) for key, item in value.items())
    if isinstance(value, list):
        return sum(map(amounts, value))
    if isinstance(value, bool) or name in NOT_AMOUNTS:
        return 0
    return isinstance(value, int | float) or (isinstance(value, str) and value[:1].isdigit())


@pytest.mark.parametrize("assets", part.ASSETS)
@pytest.mark.parametrize("form", part.FORMS)
def test_frames_have_as_many_amounts_in_every_form(form: str, assets: int) -> None:
    for raw in part.records_of(form, assets, 1):
        assert amounts(json.loads(raw.value or b"")) == part.amounts_of(assets)


def test_a_quick_run_tells_of_every_form_in_every_size() -> None:
    runs = part.normalise(arguments(["normalise", "--quick"]))
    assert [(run["form"], run["assets"]) for run in runs] == [
        (form, assets) for assets in part.ASSETS for form in part.FORMS
    ]
    assert all(run["us"] > 0 for run in runs)
    text = TEXTS["normalise"](msgspec.json.decode(msgspec.json.encode(runs)))
    assert all(f" {form} " in text for form in part.FORMS)
    assert text.startswith("Nothing is compiled") is not compiled.IS_COMPILED


def test_another_word_than_the_python_normaliser_s_ends_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(part, "normalised_in_python", lambda raw: normalised(raw)._replace(key=b""))
    with pytest.raises(Difference, match="told in another way"):
        part.compare(part.records_of("hercle as a text", 1, 1))


@pytest.mark.parametrize("venue", VENUES)
def test_one_frame_in_so_many_cannot_be_read(venue: str) -> None:
    topics = []
    for offset, frame in enumerate(frames(Dataset(8 * BAD_EVERY, 10, venue=venue)), 1):
        raw = Raw(VENUES[venue].raw_topic, 0, offset, 0, *frame)
        told = normalised(raw)
        assert told == normalised_in_python(raw)
        topics.append(told.topic)
    bad = [DEAD_LETTERS if n % BAD_EVERY == 0 else BALANCES for n in range(1, len(topics) + 1)]
    assert topics == bad


def test_what_reads_one_venue_only_gets_no_frames_of_the_other() -> None:
    names = {kind.name for kind, _ in plan_of(arguments(["--frames", "hercle"])).runs}
    assert "headroom" in names
    assert not any(name.startswith("streams") for name in names)
    assert "streams" in {kind.name for kind, _ in plan_of(arguments([])).runs}
