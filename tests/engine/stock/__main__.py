"""`python -m tests.engine.stock [WORD …]`: play the rows whose names hold a word, print them."""

import asyncio
import sys
import tempfile
from pathlib import Path

from headroom.local.kafka import KafkaNode
from tests.engine.stock.all import ROWS, Played
from tests.engine.stock.observer import Seen


def main(words: list[str]) -> int:
    """Print each row as soon as it is known; how many rows are not as they should be."""
    rows = [row for row in ROWS if not words or any(word in row.name for word in words)]
    node = KafkaNode()
    asyncio.run(node.start())
    bad = 0
    try:
        print("| row | injected | stock Faust | ours |\n|---|---|---|---|", flush=True)
        with (
            tempfile.TemporaryDirectory() as folder,
            Played(rows, node.bootstrap, Path(folder)) as played,
        ):
            for row in rows:
                stock, ours = played.seen(row, "stock"), played.seen(row, "ours")
                cells = (row.name, row.injected, _cell(stock), _cell(ours))
                print(f"| {' | '.join(cells)} |", flush=True)
                bad += stock.verdict != row.stock
                bad += ours.verdict != "right"
    finally:
        asyncio.run(node.stop())
    return bad


def _cell(seen: Seen) -> str:
    stopped = f", after a stop: {seen.reason}" if seen.reason else ""
    return f"**{seen.verdict}**: {seen.story}{stopped}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
