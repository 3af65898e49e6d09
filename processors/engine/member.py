"""aiokafka's group member, as the engine needs it, and with a name (KIP-345).

aiokafka leaves the name out where it matters.

Two workers of one name would replace each other in the group for ever: aiokafka's heartbeats do not
say the name, so Kafka answers whoever was replaced that it knows no such member; it then joins as a
new one and replaces the other. Here heartbeats say the name, and who was forgotten joins as whom
it was: Kafka's answer then tells a member that was expelled, and may join anew, from one that
somebody else replaced.

Source: KIP-345; Kafka's protocol guide, Heartbeat (version 3) and JoinGroup (version 5).
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import aiokafka
from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest
from aiokafka.protocol.types import Int16, Int32, Schema, String
from aiokafka.structs import TopicPartition
from faust.types import TP

from processors.engine.marks import Commit, read_commit

FENCED_INSTANCE_ID: Final = 82
"""Kafka's code for a name that another member has now; aiokafka calls it unknown."""
_UNKNOWN_MEMBER_ID: Final = 25
_NEVER_MS: Final = 2**31 - 1

Reaching = Callable[[Any, Callable[[Exception], object]], None]
"""Keeps one of aiokafka's clients reaching Kafka; tells of credentials that Kafka refuses."""


def new_member(app: Any, refused: Callable[[Exception], object]) -> Any:  # noqa: ANN401 - neither has types
    """A member of an app's group that fetches nothing; it is not started."""
    conf = app.conf
    member = aiokafka.AIOKafkaConsumer(
        **app.kafka,
        group_id=conf.id,
        group_instance_id=app.instance,
        client_id=conf.broker_client_id,
        partition_assignment_strategy=[app.assignor],
        enable_auto_commit=False,
        # It may fetch once before it is told to pause.
        fetch_max_bytes=1,
        max_partition_fetch_bytes=1,
        # aiokafka takes a member that fetches nothing for a hung one and leaves the group, for
        # ever. `stalled` sees the hung ones.
        max_poll_interval_ms=_NEVER_MS,
        session_timeout_ms=int(conf.broker_session_timeout * 1000),
        rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
        heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
    )
    if app.reaching is not None:
        app.reaching(member._client, refused)  # noqa: SLF001 - no public way
    return member


class _HeartbeatResponse(Response):  # type: ignore[misc]
    API_KEY = 12
    API_VERSION = 3
    SCHEMA = Schema(("throttle_time_ms", Int32), ("error_code", Int16))


class _HeartbeatStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 12
    API_VERSION = 3
    RESPONSE_TYPE = _HeartbeatResponse
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("generation_id", Int32),
        ("member_id", String("utf-8")),
        ("group_instance_id", String("utf-8")),
    )


class _Heartbeat(Request[_HeartbeatStruct]):  # type: ignore[misc]
    API_KEY = 12

    def __init__(self, of: Any, name: str) -> None:  # noqa: ANN401 - aiokafka has no types
        self._of, self._name = of, name

    def build(self, request: Any) -> Any:  # noqa: ANN401 - as above
        return request(self._of._group, self._of._generation_id, self._of._member_id, self._name)  # noqa: SLF001 - no public way


class Member:
    """Stands between a started aiokafka consumer's coordinator and Kafka; `name` may be None.

    `replaced` is whether another member has the name now, `heard_at` when the group last answered
    (`monotonic` seconds).
    """

    def __init__(
        self,
        consumer: Any,  # noqa: ANN401 - aiokafka has no types
        name: str | None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._consumer = consumer
        self._name = name
        self._monotonic = monotonic
        coordinator = consumer._coordinator  # noqa: SLF001 - no public way
        self._send = coordinator._send_req  # noqa: SLF001 - as above
        coordinator._send_req = self._say  # noqa: SLF001 - as above
        # Who we were last, as long as Kafka has not said that it knows no such member.
        self._was = ""
        self.replaced = False
        self.heard_at = monotonic()

    def check(self) -> None:
        """Raise the KafkaError for which the group cannot be had; aiokafka tells only who fetches.

        That a task of the client's own has ended is one: it would not find a broker any more.
        """
        self._consumer._coordinator.check_errors()  # noqa: SLF001 - no public way
        task = self._consumer._client._sync_task  # noqa: SLF001 - as above
        if task is not None and task.done():
            why = None if task.cancelled() else task.exception()
            raise KafkaError(f"a task of the client has ended: {why!r}")

    async def _say(self, request: Any) -> Any:  # noqa: ANN401 - as above
        joins = isinstance(request, JoinGroupRequest)
        if isinstance(request, HeartbeatRequest) and self._name is not None:
            request = _Heartbeat(request, self._name)
        elif joins and self._name is not None and not request._member_id:  # noqa: SLF001 - as above
            request._member_id = self._was  # noqa: SLF001 - as above
        answer = await self._send(request)
        code = getattr(answer, "error_code", 0)
        if not code:
            self.heard_at = self._monotonic()
        if code == FENCED_INSTANCE_ID:
            self.replaced = True
        elif joins and code in (0, _UNKNOWN_MEMBER_ID):
            self._was = "" if code else answer.member_id
        return answer


async def commits_of(client: Any, partitions: Iterable[TP]) -> dict[TP, Commit]:  # noqa: ANN401 - aiokafka has no types
    """The group's commits with what they say: librdkafka's client has no more than the offsets.

    confluent-kafka reads what stands there beyond its end; aiokafka gives it as it is.
    """
    coordinator = client._coordinator  # noqa: SLF001 - no public way
    asked = [TopicPartition(*tp) for tp in partitions]
    found = await coordinator.fetch_committed_offsets(asked)
    return {TP(*place): read_commit(*said) for place, said in found.items()}
