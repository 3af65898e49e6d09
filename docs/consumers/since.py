"""Every snapshot since a moment, each once, and on: `python since.py HOST:PORT 2026-11-25T10:00Z`.

For who keeps books of every change. Needs: pip install aiokafka
"""

import asyncio
import json
import sys
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer

TOPIC = "balances.v1"


async def snapshots(bootstrap, since_ms):
    """Yield (ce_id, snapshot) from `since_ms` (milliseconds since 1970) on, without an end."""
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=bootstrap,
        group_id=None,  # all partitions are ours
        # Without this, records of transactions that were aborted would come as well.
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        places = dict.fromkeys(consumer.assignment(), since_ms)
        found = await consumer.offsets_for_times(places)
        for place, at in found.items():
            if at is None:  # nothing that new yet
                await consumer.seek_to_end(place)
            else:
                consumer.seek(place, at.offset)
        newest = {}
        async for record in consumer:
            identity = dict(record.headers)["ce_id"].decode()
            # `TOPIC/PARTITION/OFFSET` of the raw record, and `/N` behind it where that tells of
            # several accounts. Where workers run at_least_once, records may come again after a
            # crash. Within a partition here, those of one raw partition come in their order: what
            # is not newer came before.
            topic, partition, *place = identity.split("/")
            source, place = (record.partition, topic, partition), [int(number) for number in place]
            if place <= newest.get(source, []):
                continue
            newest[source] = place
            yield identity, json.loads(record.value)
    finally:
        await consumer.stop()


async def main():
    moment = datetime.fromisoformat(sys.argv[2]).replace(tzinfo=UTC)
    async for identity, snapshot in snapshots(sys.argv[1], int(moment.timestamp() * 1000)):
        print(identity, snapshot["user"], sorted(snapshot["assets"]), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
