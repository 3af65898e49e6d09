"""A worker's folder and its name: kept, bound to a place, given up; a copy of a running one."""

import shutil
from pathlib import Path

import pytest

from headroom.run.folder import give_up_name, name_in
from tests.headroom.commands import started, until
from tests.headroom.house import house


def test_a_folder_keeps_its_name(tmp_path: Path) -> None:
    name = name_in(tmp_path, host="a")
    assert name.startswith("headroom-")
    assert name_in(tmp_path, host="a") == name


def test_the_name_of_an_earlier_version_is_kept_and_then_bound(tmp_path: Path) -> None:
    (tmp_path / "instance").write_text("headroom-old")
    assert name_in(tmp_path, host="a") == "headroom-old"
    assert name_in(tmp_path, host="b") != "headroom-old"


def test_another_host_or_path_makes_a_new_name_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (one := tmp_path / "one").mkdir()
    (one / "tables").mkdir()
    names = {name_in(one, host="a"), name_in(one, host="b")}
    other = one.rename(tmp_path / "other")
    names.add(name_in(other, host="b"))
    assert len(names) == 3
    assert [record.getMessage() for record in caplog.records] == [
        f"{one} was {one} on a: this worker takes a new name in the group",
        f"{other} was {one} on b: this worker takes a new name in the group",
    ]
    # It is the same one: nothing was written to while it was moved.
    assert (other / "tables").exists()


def test_tables_that_were_copied_file_by_file_are_built_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (one := tmp_path / "one").mkdir()
    for tables in ("tables", "generations"):
        (one / tables).mkdir()
    name = name_in(one)
    copied = tmp_path / "copied"
    shutil.copytree(one, copied)
    assert name_in(copied) != name
    assert {path.name for path in copied.iterdir()} == {"instance", "place"}
    assert f"{copied} is a copy of {one}: its tables are built anew" in caplog.text
    assert name_in(one) == name
    assert (one / "tables").exists()


def test_a_name_that_was_given_up_does_not_come_again(tmp_path: Path) -> None:
    name = name_in(tmp_path)
    give_up_name(tmp_path)
    assert name_in(tmp_path) != name


@pytest.mark.long
def test_a_copy_of_a_running_workers_folder_is_another_worker(tmp_path: Path) -> None:
    """A cloned volume: both serve, and neither is restarted."""
    with house(tmp_path / "house") as its:
        copied = tmp_path / "copied"
        shutil.copytree(tmp_path / "house" / "worker-0", copied / "worker-0")
        settings = its.settings | {"DATA_DIR": copied}
        words = ("work", "--port", "0")
        with started(tmp_path / "other", *words, **settings) as other:
            until(lambda: "ready " in other.output, why=lambda: other.output)
            assert "takes a new name in the group" in other.output
            assert other.stop() == 0
        names = {(at / "worker-0" / "instance").read_text() for at in (tmp_path / "house", copied)}
        assert len(names) == 2
        assert its.worker.stop() == 0, its.worker.output
