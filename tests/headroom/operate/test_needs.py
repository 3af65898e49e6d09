"""Everything that would keep a worker from starting is told at once, its files' mistakes, too."""

from pathlib import Path

from headroom.base.mistakes import Mistakes, name_of
from headroom.base.settings import load
from headroom.operate.needs import look_at


def test_each_file_that_is_wrong_is_told_beside_the_others(tmp_path: Path) -> None:
    wrong = {name: tmp_path / name for name in ("API_TOKENS_FILE", "ACCOUNTS_FILE", "ALERTS_FILE")}
    for path in wrong.values():
        path.write_text("[[", encoding="utf-8")
        path.chmod(0o600)
    given = {"KAFKA_BOOTSTRAP": "k:1", "HTTP_HOST": "127.0.0.1", "WORKER_TOKEN": "t" * 40, **wrong}
    mistakes = Mistakes()
    look_at(load({f"HEADROOM_{name}": str(told) for name, told in given.items()}), mistakes)
    assert [name_of(one) for one in mistakes.each] == [f"HEADROOM_{name}" for name in wrong]
    del given["WORKER_TOKEN"]
    mistakes = Mistakes()
    look_at(load({f"HEADROOM_{name}": str(told) for name, told in given.items()}), mistakes)
    told = {name_of(one) for one in mistakes.each}
    assert told == {f"HEADROOM_{name}" for name in (*wrong, "WORKER_TOKEN")}
