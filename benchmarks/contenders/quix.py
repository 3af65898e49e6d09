"""Quix Streams: two dataframes in one application, the row in its RocksDB state with a changelog.

Turned for speed, but for one thing: a checkpoint every `commit_ms`, 100 ms as for everybody, where
its default is 5 s (`--commit-ms 5000` shows what that is worth). Bytes instead of
JSON at every door, batches of 256 KiB in the client, no log. acks=all
and idempotence are its producer's own defaults, and said here.
"""

import signal
from typing import Any

from quixstreams import Application, message_context
from quixstreams.models.serializers.base import Serializer

from benchmarks.job import Options, Raw, Users, normalised, options_from_argument
from schemas.topics import BALANCES, DEAD_LETTERS, EXPOSURE_USER

_ROW = "row"


class ValueOf(Serializer):  # type: ignore[misc]
    """The value of a record that the job made; its key and headers go their own way."""

    def __call__(self, value: Any, ctx: Any) -> Any:
        return value.value


def build(options: Options) -> Application:
    """The application and its two dataframes."""
    app = Application(
        broker_address=options.bootstrap,
        consumer_group=options.group,
        processing_guarantee=options.guarantee.replace("_", "-"),
        auto_offset_reset="earliest",
        commit_interval=options.commit_ms / 1_000,
        state_dir=options.folder,
        auto_create_topics=True,  # the changelog; the others are there
        consumer_poll_timeout=0.02,
        consumer_extra_config={"fetch.queue.backoff.ms": 5, "fetch.wait.max.ms": 20},
        producer_extra_config={
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 5,
            "batch.size": 262_144,
            "queue.buffering.max.messages": 1_000_000,
        },
        loglevel="WARNING",
    )
    as_bytes: dict[str, Any] = {
        "key_serializer": "bytes",
        "key_deserializer": "bytes",
        "value_serializer": ValueOf(),
        "value_deserializer": "bytes",
    }
    users = Users(options.prefix)
    raw = app.topic(options.raw, **as_bytes)
    outputs = {
        name: app.topic(options.topic(name), **as_bytes)
        for name in (BALANCES, DEAD_LETTERS, EXPOSURE_USER)
    }

    def normalise(value: Any, key: Any, timestamp: int, headers: Any) -> Any:
        at = message_context()
        return normalised(
            Raw(at.topic, at.partition, at.offset, timestamp, key, value, headers or ())
        )

    def keep_user(value: Any, key: Any, timestamp: int, headers: Any, state: Any) -> Any:
        outcome = users.fold(state.get_bytes(_ROW), value)
        if outcome is None:
            return None
        row, out = outcome
        state.set_bytes(_ROW, row)
        return out

    frames = app.dataframe(raw).apply(normalise, metadata=True)
    _send(frames, outputs)
    snapshots = app.dataframe(outputs[BALANCES]).apply(keep_user, metadata=True, stateful=True)
    _send(snapshots.filter(lambda out: out is not None), outputs)
    return app


def _send(outs: Any, outputs: dict[str, Any]) -> None:
    """Send what a function made: its own key, headers and topic."""
    outs = outs.set_headers(lambda out, *_: out.headers)
    outs.to_topic(lambda out, *_: outputs[out.topic], key=lambda out: out.key)


if __name__ == "__main__":
    application = build(options_from_argument())
    signal.signal(signal.SIGTERM, lambda *_: application.stop())
    application.run()
