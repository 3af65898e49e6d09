"""aiokafka's clients kept reaching a Kafka that moves, or whose passwords are changed.

Such a client asks its bootstrap addresses once, when it starts. From then on it knows brokers by
the addresses that they told: one that comes back elsewhere it looks for where it was, for ever. And
credentials that are refused are to it a broker that is away.

What it has in flight is not touched: a producer's batches wait for a connection as they do in any
outage, and keep their sequence numbers, so that they are delivered in order and once.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import CloseReason, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from headroom.base.errors import KafkaRefuses

AFTER_SECONDS: Final = 3.0
"""For so long no broker that it knows answers, before it asks the bootstrap addresses again."""
REFUSED_SECONDS: Final = 10.0
"""For so long credentials are refused before that counts: a broker that starts may be behind."""
ASK_SECONDS: Final = 10.0
"""For so long one broker is waited for."""
_AGAIN_SECONDS: Final = 1.0
_REFUSALS: Final = (
    AuthenticationFailedError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

Refused = Callable[[Exception], object]


def keep_reaching(
    client: Any,  # noqa: ANN401 - aiokafka has no types
    refused: Refused,
    *,
    after_seconds: float = AFTER_SECONDS,
    refused_seconds: float = REFUSED_SECONDS,
    ask_seconds: float = ASK_SECONDS,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Have one of aiokafka's clients (`AIOKafkaClient`) reach Kafka for as long as it lives.

    `refused` gets Kafka's error once the credentials have been refused for `refused_seconds`.
    """
    _Reaching(client, refused, after_seconds, refused_seconds, ask_seconds, monotonic)


async def check_credentials(kafka: Mapping[str, Any]) -> bool:
    """Raise `KafkaRefuses` where a broker answers and does not take the credentials.

    To aiokafka's clients that is a broker that cannot be reached. Where none answers it is False,
    and no error: whoever needs one says so. `kafka` are aiokafka's own client arguments.
    """
    client = AIOKafkaClient(**kafka)
    for host, port, _ in client.hosts:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                (await connection(client, host, port)).close()
        except _REFUSALS as error:
            raise KafkaRefuses(str(error)) from error
        except (OSError, KafkaError, ValueError):  # TimeoutError is an OSError
            continue
        else:
            return True
    return False


async def connection(client: Any, host: str, port: int) -> Any:  # noqa: ANN401 - aiokafka has no types
    """A connection as a client makes its own; raises OSError, and aiokafka's KafkaError."""
    own = (
        *("client_id", "request_timeout_ms", "ssl_context", "security_protocol"),
        *("sasl_mechanism", "sasl_plain_username", "sasl_plain_password"),
        *("sasl_kerberos_service_name", "sasl_kerberos_domain_name"),
        "sasl_oauth_token_provider",
    )
    options = {name: getattr(client, f"_{name}") for name in own}
    return await create_conn(host, port, max_idle_ms=None, **options)


class _Reaching:
    """Stands in for what a client does to learn about its brokers."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - as above
        refused: Refused,
        after_seconds: float,
        refused_seconds: float,
        ask_seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._client = client
        self._refused = refused
        self._after_seconds = after_seconds
        self._refused_seconds = refused_seconds
        self._ask_seconds = ask_seconds
        self._monotonic = monotonic
        self._lost_at: float | None = None
        self._refused_at: float | None = None
        self._asking_again: asyncio.TimerHandle | None = None
        self._update, client._metadata_update = client._metadata_update, self._updated  # noqa: SLF001 - no public way
        self._connect, client._get_conn = client._get_conn, self._connected  # noqa: SLF001 - as above

    async def _connected(self, node_id: Any, **options: Any) -> Any:  # noqa: ANN401 - as above
        """A connection to a broker, or None; an address where nobody is does not hold it up."""
        try:
            async with asyncio.timeout(self._ask_seconds):
                return await self._connect(node_id, **options)
        except TimeoutError:
            self._client.force_metadata_update()
            return None

    async def _updated(self, cluster: Any, topics: Any) -> bool:  # noqa: ANN401 - as above
        """Whether any broker told how the cluster is: one that is known, else a bootstrap one."""
        try:
            async with asyncio.timeout(self._ask_seconds):
                updated: bool = await self._update(cluster, topics)
        except TimeoutError:
            updated = False
        now = self._monotonic()
        if not updated:
            self._lost_at = now if self._lost_at is None else self._lost_at
            if now - self._lost_at >= self._after_seconds:
                updated = await self._bootstrapped(cluster, topics)
        if updated:
            self._lost_at = self._refused_at = None
        elif self._asking_again is None:
            # Nobody else may ask for long: a producer without a record to send, for one.
            loop = asyncio.get_running_loop()
            self._asking_again = loop.call_later(_AGAIN_SECONDS, self._ask_again)
        return updated

    def _ask_again(self) -> None:
        self._asking_again = None
        if self._client._sync_task is not None:  # noqa: SLF001 - no public way
            self._client.force_metadata_update()

    async def _bootstrapped(self, cluster: Any, topics: Any) -> bool:  # noqa: ANN401 - as above
        refusal: Exception | None = None
        for host, port, _ in self._client.hosts:
            try:
                async with asyncio.timeout(self._ask_seconds):
                    answer = await self._asked(host, port, topics)
            except _REFUSALS as error:
                refusal = error
            except (OSError, KafkaError, ValueError):  # TimeoutError is an OSError
                continue
            else:
                if answer.brokers:
                    # Who asks for all topics keeps the answer elsewhere; the client needs it, too.
                    for known in {cluster, self._client.cluster}:
                        known.update_metadata(answer)
                    self._hang_up()
                    return True
        self._judge(refusal)
        return False

    async def _asked(self, host: str, port: int, topics: Any) -> Any:  # noqa: ANN401 - as above
        opened = await connection(self._client, host, port)
        try:
            return await opened.send(MetadataRequest(list(topics) if topics else None))
        finally:
            opened.close()

    def _hang_up(self) -> None:
        """End connections to where a broker is not any more: nobody may answer there, for long."""
        client = self._client
        for (node_id, _), connection in list(client._conns.items()):  # noqa: SLF001 - no public way
            broker = client.cluster.broker_metadata(node_id)
            if broker is None or (broker.host, broker.port) != (connection.host, connection.port):
                connection.close(reason=CloseReason.CONNECTION_BROKEN)

    def _judge(self, refusal: Exception | None) -> None:
        """Tell of a refusal that lasts; a bootstrap address that is merely away says nothing."""
        if refusal is None:
            return
        now = self._monotonic()
        self._refused_at = now if self._refused_at is None else self._refused_at
        if now - self._refused_at >= self._refused_seconds:
            self._refused(refusal)
