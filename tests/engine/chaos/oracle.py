"""The oracle, a process of its own: `python -m tests.engine.chaos.oracle JSON`.

It shares no code with what it judges: the standard library and a plain Kafka client are all. It
takes commands on its standard input, a line of JSON each, and answers each with one line:

| command | answer |
|---|---|
| `{"do": "create"}` | the topics are there |
| `{"do": "write", "count": N, "seconds": S}` | Kafka has the next N raw records |
| `{"do": "quiet", "seconds": S}` | `left`: what the group has not done by then, {} if nothing |
| `{"do": "judge", "answers": [FILE, …]}` | the verdict |
| `{"do": "forget"}` | the topics are gone |
"""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

from tests.engine.chaos.fold import expected
from tests.engine.chaos.judge import Found, judge
from tests.engine.chaos.market import raw_records
from tests.engine.chaos.witness import TOPICS, Witness

READ_SECONDS_MAX = 40.0


class Oracle:
    """What one seed writes, and what has to become of it."""

    def __init__(
        self, *, bootstrap: str, name: str, partitions: int, seed: int, guarantee: str
    ) -> None:
        self._once = guarantee == "exactly_once"
        self._tables = ["rows", "shares", *(["counts"] if self._once else [])]
        self._witness = Witness(bootstrap, name, partitions)
        self._records = raw_records(seed)

    def do(self, command: dict[str, Any]) -> dict[str, Any]:
        """Carry out one command."""
        match command.pop("do"):
            case "create":
                self._witness.create()
            case "write":
                records = list(itertools.islice(self._records, command["count"]))
                self._witness.write(records, command["seconds"])
            case "quiet":
                return {"left": self._witness.wait_until_quiet(command["seconds"])}
            case "judge":
                return self._judge([json.loads(Path(a).read_text()) for a in command["answers"]])
            case "forget":
                self._witness.forget(self._tables)
        return {}

    def _judge(self, answers: list[dict[str, Any]]) -> dict[str, Any]:
        topics = {topic: self._witness.topic(topic) for topic in TOPICS}
        changelogs = {table: self._witness.changelog(table) for table in self._tables}
        lying = self._witness.read([*topics.values(), *changelogs.values()], READ_SECONDS_MAX)
        raws = lying[topics["raw"]]
        found = Found(
            mid=lying[topics["mid"]],
            dead=lying[topics["dead"]],
            out=lying[topics["out"]],
            shares=lying[topics["shares"]],
            sums=lying[topics["sums"]],
            changelogs={table: lying[topic] for table, topic in changelogs.items()},
            answers=answers,
        )
        verdict = judge(expected(raws), found, once=self._once)
        in_raw = {f"{raw.partition}/{raw.offset}": (raw.key, raw.value) for raw in raws}
        if in_raw != self._witness.written:
            verdict.errs("the raw topic is not what was written: Kafka itself has lost something")
        return {
            "records": len(raws),
            "repeated": verdict.repeated,
            "lost": verdict.lost,
            "wrong": verdict.wrong,
            "sound": verdict.sound,
            "told": verdict.told,
        }


if __name__ == "__main__":
    oracle = Oracle(**json.loads(sys.argv[1]))
    for line in sys.stdin:
        print(json.dumps(oracle.do(json.loads(line))), flush=True)
