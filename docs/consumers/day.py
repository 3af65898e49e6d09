"""What all users held of each asset over a day, drawn: `python day.py HOST:PORT 2026-11-25`.

Takes `balances.v1` of the day into DuckDB (kept in day.duckdb to ask more), works out what was held
at the end of each hour, and draws it. Needs: pip install confluent-kafka duckdb
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, Inexact

import duckdb
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

TOPIC = "balances.v1"
# DuckDB's decimals end at 38 digits in all, and an amount has up to 38 on each side of the point:
# it says which amounts, and Decimal adds them; what 100 digits did not hold would be refused.
EXACT = Context(prec=100, traps=[Inexact])
WIDTH = 40

HOURLY = """
    WITH hours AS (
        SELECT unnest(generate_series(min(date_trunc('hour', time)), max(date_trunc('hour', time)),
                                      INTERVAL 1 HOUR)) AS hour
        FROM snapshots
    ),
    -- The newest snapshot of each account until the end of each hour: a quiet account still holds.
    newest AS (
        SELECT hour, arg_max(ce_id, (epoch, sequence, receipt)) AS ce_id
        FROM hours JOIN snapshots ON time < hour + INTERVAL 1 HOUR
        GROUP BY hour, account
    )
    SELECT hour, asset, list(total)
    FROM newest JOIN holdings USING (ce_id)
    GROUP BY hour, asset ORDER BY asset, hour
"""


def records(bootstrap, begin, end):
    """The records that Kafka took from `begin` to before `end`."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "day.py",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    try:
        numbers = consumer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
        begin_ms, end_ms = (int(moment.timestamp() * 1000) for moment in (begin, end))
        places = [TopicPartition(TOPIC, number, begin_ms) for number in numbers]
        left = {place.partition for place in places}
        consumer.assign(consumer.offsets_for_times(places, timeout=10))
        while left:
            message = consumer.poll(10)
            if message is None:
                raise RuntimeError(f"{TOPIC} gives no more records, and must have some")
            if message.error() is not None:
                if message.error().code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(message.error())
                left.discard(message.partition())
            elif message.timestamp()[1] >= end_ms:
                left.discard(message.partition())
            else:
                yield message
    finally:
        consumer.close()


def load(database, messages):
    """Each snapshot once, by its record's `ce_id`, and what it says of each asset."""
    database.execute("""
        CREATE OR REPLACE TABLE snapshots (
            ce_id TEXT PRIMARY KEY, account TEXT, time TIMESTAMP,
            epoch BIGINT, sequence BIGINT, receipt BIGINT
        )""")
    database.execute("CREATE OR REPLACE TABLE holdings (ce_id TEXT, asset TEXT, total TEXT)")
    seen = set()
    for message in messages:
        identity = dict(message.headers())["ce_id"].decode()
        if identity in seen:
            continue
        seen.add(identity)
        told = json.loads(message.value())
        row = (
            identity,
            f"{told['venue']}:{told['account']}",
            told["received_time"][:26],  # DuckDB's timestamps have microseconds
            *(told[name] for name in ("epoch", "sequence", "receipt")),
        )
        database.execute("INSERT INTO snapshots VALUES (?, ?, ?, ?, ?, ?)", row)
        for asset, held in ({} if told["deleted"] else told["assets"]).items():
            database.execute(
                "INSERT INTO holdings VALUES (?, ?, ?)", (identity, asset, held["total"])
            )


def summed(rows):
    """The same rows, with the exact sum of their amounts."""
    for hour, asset, amounts in rows:
        total = Decimal(0)
        for amount in amounts:
            total = EXACT.add(total, Decimal(amount))
        yield hour, asset, total


def draw(rows):
    """A bar for each hour, as long as its part of the asset's greatest."""
    rows = list(rows)
    most = {}
    for _, asset, total in rows:
        most[asset] = max(most.get(asset, 0), total.copy_abs())
    shown = None
    for hour, asset, total in rows:
        if asset != shown:
            print(f"\n{asset}")
            shown = asset
        bar = "█" * int(WIDTH * abs(total) / most[asset]) if most[asset] else ""
        print(f"{hour:%H:%M} {bar:<{WIDTH}} {total:>24f}")


def main():
    begin = datetime.fromisoformat(sys.argv[2]).replace(tzinfo=UTC)
    with duckdb.connect("day.duckdb") as database:
        load(database, records(sys.argv[1], begin, begin + timedelta(days=1)))
        (number,) = database.execute("SELECT count(*) FROM snapshots").fetchone()
        print(f"{number} snapshots")
        draw(summed(database.execute(HOURLY).fetchall()))


if __name__ == "__main__":
    main()
