"""Every broker dialled: the bootstrap servers, and where the brokers say that they are.

One connection each, as a client makes it: TLS and SASL included. It asks what the broker is, and
what time it is, and nothing else.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from headroom.base.reaching import connection
from headroom.operate.doctor.findings import Finding, fail, ok, warn
from headroom.operate.doctor.judging import Reading
from headroom.operate.doctor.wire import (
    QuorumRequest,
    VersionsRequest,
    clock_of,
    metadata_level,
)

_NS_PER_MS: Final = 1_000_000
_HOW: Final = "by DescribeQuorum, which writes nothing"
_PROTOCOL: Final = "HEADROOM_KAFKA_SECURITY_PROTOCOL"
_SERVER: Final = "HEADROOM_KAFKA_BOOTSTRAP"

Address = tuple[str, int]


class Broker(msgspec.Struct, frozen=True):
    """What came of dialling an address: `problem` and `do`, or what it told."""

    address: str
    problem: str | None = None
    do: str = ""
    seconds: float = 0.0
    level: int | None = None
    clock: Reading | None = None
    others: tuple[Address, ...] = ()


class Cluster(msgspec.Struct, frozen=True):
    """The bootstrap servers, and the brokers that they tell of at other addresses."""

    bootstrap: tuple[Broker, ...]
    advertised: tuple[Broker, ...] = ()

    @property
    def is_there(self) -> bool:
        """Whether anybody answers who is asked first."""
        return any(one.problem is None for one in self.bootstrap)

    @property
    def answering(self) -> list[Broker]:
        """All that answer."""
        return [one for one in (*self.bootstrap, *self.advertised) if one.problem is None]


async def dialled(
    arguments: Mapping[str, Any],
    *,
    dial_seconds: float,
    clock_ns: Callable[[], int] = time.time_ns,
) -> Cluster:
    """Dial every broker; `arguments` are those of aiokafka's clients. Raises nothing of Kafka's."""
    client = AIOKafkaClient(**arguments)
    first = [(host, port) for host, port, _ in client.hosts]

    async def dial(address: Address) -> Broker:
        return await _dial(client, address, dial_seconds, clock_ns)

    bootstrap = await asyncio.gather(*map(dial, first))
    told = dict.fromkeys(other for one in bootstrap for other in one.others)
    advertised = await asyncio.gather(*(dial(one) for one in told if one not in first))
    return Cluster(tuple(bootstrap), tuple(advertised))


async def _dial(
    client: Any,  # noqa: ANN401 - aiokafka has no types
    address: Address,
    seconds: float,
    clock_ns: Callable[[], int],
) -> Broker:
    host, port = address
    where, begun_ns, is_open = f"{host}:{port}", clock_ns(), False
    try:
        async with asyncio.timeout(seconds):
            opened = await connection(client, host, port)
            is_open = True
            try:
                level = metadata_level(await opened.send(VersionsRequest()))
                known = await opened.send(MetadataRequest([]))
                clock = await _clock(opened, clock_ns)
            finally:
                opened.close()
    except (OSError, KafkaError, ValueError, NotImplementedError) as error:
        problem, do = why(error, tls=client._security_protocol.endswith("SSL"), seconds=seconds)  # noqa: SLF001 - no public way
        if is_open and isinstance(error, KafkaConnectionError):
            problem, do = "ends the connection at the first question", _other_protocol("")
        return Broker(where, problem, do)
    took = (clock_ns() - begun_ns) / 1e9
    others = tuple((str(one[1]), int(one[2])) for one in known.brokers)
    return Broker(where, seconds=took, level=level, clock=clock, others=others)


async def _clock(opened: Any, clock_ns: Callable[[], int]) -> Reading | None:  # noqa: ANN401 - as above
    """The clock of the quorum's leader; None where Kafka does not tell it."""
    before_ms = clock_ns() // _NS_PER_MS
    try:
        found = clock_of(await opened.send(QuorumRequest()))
    except (KafkaError, NotImplementedError):
        return None
    after_ms = clock_ns() // _NS_PER_MS
    if found.now_ms is None:
        return None
    return Reading("Kafka's controller", _HOW, found.now_ms, before_ms, after_ms, coarse_ms=1)


def why(error: Exception, *, tls: bool, seconds: float) -> tuple[str, str]:
    """Why nobody lets this program in, in plain words, and what to do about it."""
    match error:
        case ssl.SSLCertVerificationError():
            problem = f"its certificate is not accepted: {error.verify_message}"
            return problem, "its own to renew, or HEADROOM_KAFKA_SSL_CAFILE names its authority"
        case ssl.SSLError():
            return f"TLS fails: {error.reason or error}", _other_protocol("TLS")
        case TimeoutError():
            hint = "it hangs, a firewall lies between" + ("" if tls else ", or it expects TLS")
            return f"says nothing for {seconds:g} s", hint
        case socket.gaierror():
            return "its name is unknown", f"correct {_SERVER}, or the name server"
        case ConnectionRefusedError():
            return "nobody listens there", f"start it, or correct {_SERVER}"
        case SaslAuthenticationFailed() | AuthenticationFailedError():
            return "it does not take the credentials", "correct HEADROOM_KAFKA_SASL_*"
        case UnsupportedSaslMechanismError():
            return f"{error}", "correct HEADROOM_KAFKA_SASL_MECHANISM"
        case KafkaConnectionError() | ConnectionResetError() | BrokenPipeError():
            return "ends the connection without a word", _other_protocol("" if tls else "TLS")
        case KafkaError():
            return f"{type(error).__name__}: {error}", _other_protocol("")
    return f"{error}", f"correct {_SERVER}"


def _other_protocol(what: str) -> str:
    return f"it may expect {what or 'a name and a password'}: see {_PROTOCOL}"


def reachable(cluster: Cluster) -> list[Finding]:
    """Who of the brokers answers: one bootstrap server is enough, every broker is needed."""
    found = []
    for one in cluster.bootstrap:
        if one.problem is None:
            found.append(ok(f"{one.address} answers in {one.seconds * 1000:.0f} ms"))
        else:
            told = warn if cluster.is_there else fail
            found.append(told(f"{one.address}: {one.problem}", one.do))
    for one in cluster.advertised:
        if one.problem is None:
            found.append(ok(f"{one.address}, a broker's own address, answers"))
        else:
            said = f"{one.address}: {one.problem}; a broker says that it is there"
            found.append(fail(said, "correct its advertised.listeners, or the way there"))
    return found
