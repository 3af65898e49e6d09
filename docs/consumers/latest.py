"""What every user holds, as a map that stays right: `python latest.py HOST:PORT [--once]`.

`balances.latest.v1` is compacted: Kafka keeps the newest record of each key. Read from its beginning
it is a table; what comes after that are its changes. Needs: pip install confluent-kafka
"""

import json
import sys
from decimal import Decimal

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

TOPIC = "balances.latest.v1"


def follow(bootstrap, on_ready, on_change):
    """Call `on_ready(users)` once the map is whole, then `on_change(user, balances or None)`."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            # No group: the whole table is wanted, and nothing is to be remembered.
            "group.id": "latest.py",
            "enable.auto.commit": False,
            # Headroom writes in transactions; what was aborted is not for us.
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    try:
        partitions = consumer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
        consumer.assign([TopicPartition(TOPIC, number, 0) for number in partitions])
        users, behind = {}, set(partitions)
        while True:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error() is not None:
                if message.error().code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(message.error())
                if message.partition() in behind:
                    behind.remove(message.partition())
                    if not behind:
                        on_ready(users)
                continue
            user = message.key().decode()
            if message.value() is None:  # a tombstone: the last account was deleted
                users.pop(user, None)
            else:
                users[user] = json.loads(message.value())
            if not behind:
                on_change(user, users.get(user))
    finally:
        consumer.close()


def total(users, asset):
    """Amounts are text, so that they stay exact: Decimal, and never float."""
    held = (user["totals"][asset]["total"] for user in users.values() if asset in user["totals"])
    return sum(map(Decimal, held), Decimal(0))


def main():
    def ready(users):
        print(f"{len(users)} users hold {total(users, 'BTC')} BTC", flush=True)
        if "--once" in sys.argv:
            sys.exit(0)

    def changed(user, balances):
        version = "gone" if balances is None else f"version {balances['version']}"
        print(f"{user}: {version}", flush=True)

    follow(sys.argv[1], ready, changed)


if __name__ == "__main__":
    main()
