"""What a table of this engine is not: a dictionary over all that it holds."""

from pathlib import Path

import pytest

from processors.engine import EngineApp, EngineSettings, Table


@pytest.fixture
def table(tmp_path: Path) -> Table:
    settings = EngineSettings(
        name="example",
        kafka={"bootstrap_servers": "127.0.0.1:1"},
        data_dir=tmp_path,
        partitions=1,
        url="http://127.0.0.1:1",
    )
    made: Table = EngineApp(settings).Table("rows")
    return made


@pytest.mark.parametrize(
    "what_faust_has",
    [
        list,
        len,
        lambda table: table.items(),
        lambda table: table.clear(),
        lambda table: table.pop(b"a"),
        lambda table: table.update({b"a": b"1"}),
        lambda table: table.tumbling(10),
    ],
)
def test_what_would_look_at_no_row_says_so(table: Table, what_faust_has) -> None:
    """Faust's own `clear` would delete nothing, and be silent about it."""
    with pytest.raises(NotImplementedError, match="a table of this engine has no"):
        what_faust_has(table)
    assert table


def test_rows_belong_to_an_agents_batch(table: Table) -> None:
    with pytest.raises(RuntimeError, match="while it works on a batch"):
        table[b"a"] = b"1"


def test_an_agent_works_on_one_batch_at_a_time(table: Table) -> None:
    """Two at once would finish in another order than they began in."""

    async def agent(batches):
        pass

    with pytest.raises(ValueError, match="one batch at a time"):
        table.app.agent(table.app.topic("in"), concurrency=2)(agent)
