"""What the chart knows of topics and rights: `python -m tests.chart.kafka` writes kafka.json anew.

A chart cannot ask Headroom, so it has a copy, which `make check` compares (tests/check/test_chart).
The copy says LEASE where a release's name goes, and leaves out what goes by the number of replicas.
"""

import json
from pathlib import Path
from typing import Any, Final

from headroom.operate.topics.acls import Right, of_producer, of_worker, strimzi
from schemas.topics import TOPICS
from schemas.venues import VENUES

PATH: Final = Path(__file__).parents[2] / "helm/headroom/kafka.json"
LEASE: Final = "LEASE"
BY_REPLICAS: Final = "min.insync.replicas"


def text() -> str:
    """The file's text."""
    topics = []
    for topic in TOPICS.values():
        config = topic.settings(replication_factor=1)
        del config[BY_REPLICAS]
        own = {} if topic.partitions is None else {"partitions": topic.partitions}
        topics.append({"name": topic.name, **own, "config": config})
    found = {
        "topics": topics,
        "acls": {
            "produce": {venue: _acls(of_producer(venue, lease=LEASE)) for venue in VENUES},
            "work": {
                "exactly_once": _acls(of_worker()),
                "at_least_once": _acls(of_worker(transactions=False)),
            },
        },
    }
    return json.dumps(found, indent=1) + "\n"


def _acls(rights: tuple[Right, ...]) -> list[dict[str, Any]]:
    return list(strimzi(rights))


def main() -> None:
    """Write it."""
    PATH.write_text(text(), "utf-8")


if __name__ == "__main__":
    main()
