"""Three brokers, each a controller too: SASL_SSL with SCRAM, mutual TLS, and an authorizer.

Nodes talk to each other on a listener without locks, whose user may do everything; so may a test.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from headroom.local.kafka import KafkaNode, storage
from headroom.local.kafka.probe import free_port
from headroom.local.kafka.storage import Storage
from headroom.operate.topics.acls import Right
from tests.operators.process import until
from tests.producers.certificates import Authority

NODES: Final = 3
PASSWORD: Final = "canary-of-a-password"
_REPLICATED: Final = {
    "default.replication.factor": 3,
    "min.insync.replicas": 2,
    "offsets.topic.replication.factor": 3,
    "transaction.state.log.replication.factor": 3,
    "transaction.state.log.min.isr": 2,
}


_JUDGED: Final = re.compile(
    r"Principal = User:(?P<user>\S+) is (?P<how>Allowed|Denied) operation = (?P<operation>\w+) "
    r".* on resource = (?P<kind>\w+):LITERAL:(?P<name>\S+) for"
)
_KINDS: Final[Mapping[str, Any]] = {
    "Topic": "topic",
    "Group": "group",
    "Cluster": "cluster",
    "TransactionalId": "transactional-id",
}


class Judged(NamedTuple):
    """What a user was allowed, and what not."""

    allowed: set[Right]
    denied: set[Right]


class Ports(NamedTuple):
    """Where a node listens."""

    controller: int
    scram: int
    mutual: int


class _Node(KafkaNode):
    """One of the three."""

    def __init__(self, folder: Path, number: int, cluster: "Cluster") -> None:
        super().__init__(data_dir=folder)
        self._cluster = cluster
        self._id, self._cluster_id = number, cluster.id

    def _write_settings(self, place: Storage, port: int) -> None:
        super()._write_settings(place, port)
        written = place.server_properties.read_text()
        more = self._cluster.settings(self._id, port)
        lines = [f"{name}={value}\n" for name, value in more.items()]
        place.server_properties.write_text(written + "".join(lines))
        # Its own logger tells at DEBUG what was allowed.
        logging = place.log4j2_properties.read_text()
        logger = "logger.rights.name=kafka.authorizer.logger\nlogger.rights.level=DEBUG\n"
        place.log4j2_properties.write_text(logging + logger)


class Cluster:
    """Started and stopped as one; each node can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.id = storage.new_id()
        self.authority = Authority(folder)
        # One certificate will do: all nodes are called localhost.
        self.authority.serving()
        self._key = self.authority.newest
        self._ports = [Ports(free_port(), free_port(), free_port()) for _ in range(NODES)]
        self.nodes = [_Node(folder / f"kafka-{n}", n, self) for n in range(1, NODES + 1)]

    def settings(self, number: int, port: int) -> dict[str, object]:
        """What a node is told that one alone is not."""
        own = self._ports[number - 1]
        voters = (f"{n}@127.0.0.1:{ports.controller}" for n, ports in enumerate(self._ports, 1))
        clients = f"SCRAM://127.0.0.1:{own.scram},MUTUAL://127.0.0.1:{own.mutual}"
        login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        return {
            **_REPLICATED,
            "node.id": number,
            "controller.quorum.voters": ",".join(voters),
            "listeners": f"PLAINTEXT://127.0.0.1:{port},{clients},"
            f"CONTROLLER://127.0.0.1:{own.controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},{clients}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
            "SCRAM:SASL_SSL,MUTUAL:SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.scram.scram-sha-512.sasl.jaas.config": login,
            "listener.name.mutual.ssl.client.auth": "required",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self._key,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.authority.file,
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }

    async def start(self) -> None:
        """Start those that do not run."""
        await asyncio.gather(*(node.start() for node in self.nodes if not node.running))

    async def stop(self) -> None:
        """Stop all of them."""
        await asyncio.gather(*(node.stop() for node in self.nodes))

    @property
    def bootstrap(self) -> str:
        """Of who may do everything."""
        return ",".join(node.bootstrap for node in self.nodes)

    def access(self, user: str, *, mutual: bool = False) -> dict[str, object]:
        """The settings of a user: with its password, or with its certificate."""
        ports = [ports.mutual if mutual else ports.scram for ports in self._ports]
        found: dict[str, object] = {
            "KAFKA_BOOTSTRAP": ",".join(f"127.0.0.1:{port}" for port in ports),
            "KAFKA_SSL_CAFILE": self.authority.file,
            "REPLICATION_FACTOR": 3,
        }
        if mutual:
            certificate = self.authority.client(user)
            more = {"SSL_CERTFILE": certificate, "SSL_KEYFILE": certificate}
            return {
                **found,
                "KAFKA_SECURITY_PROTOCOL": "SSL",
                **{f"KAFKA_{k}": v for k, v in more.items()},
            }
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o600)
        return {
            **found,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": user,
            "KAFKA_SASL_PASSWORD_FILE": secret,
        }

    def judged(self, user: str) -> Judged:
        """What the nodes' authorizers said of a user until now."""
        found = Judged(set(), set())
        for node in self.nodes:
            for line in node.log_path.read_text(errors="replace").splitlines():
                said = _JUDGED.search(line)
                if said is None or said["user"] != user:
                    continue
                right = Right(_KINDS[said["kind"]], said["name"], _word(said["operation"]))
                (found.allowed if said["how"] == "Allowed" else found.denied).add(right)
        return found


class Locksmith:
    """Users, and what they may."""

    def __init__(self, bootstrap: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": bootstrap})

    def user(self, name: str) -> None:
        """Make a user with the password of all."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        made = UserScramCredentialUpsertion(name, info, PASSWORD.encode())
        for done in self._admin.alter_user_scram_credentials([made]).values():
            done.result(30)

    def give(self, user: str, rights: Sequence[Right]) -> None:
        """Give a user exactly these rights."""
        anything = AclBindingFilter(
            ResourceType.ANY,
            None,
            ResourcePatternType.ANY,
            f"User:{user}",
            None,
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        for gone in self._admin.delete_acls([anything]).values():
            gone.result(30)
        wanted = [_binding(user, right) for right in rights]
        for done in self._admin.create_acls(wanted).values():
            done.result(30)

        def there() -> bool:
            found = self._admin.describe_acls(anything).result(30)
            return len(found) == len(set(wanted))

        # Of nodes that did not answer the order each may hear of it a moment later.
        assert until(there, 30)


def _binding(user: str, right: Right) -> AclBinding:
    kinds: Mapping[str, ResourceType] = {
        "topic": ResourceType.TOPIC,
        "group": ResourceType.GROUP,
        "cluster": ResourceType.BROKER,
        "transactional-id": ResourceType.TRANSACTIONAL_ID,
    }
    return AclBinding(
        kinds[right.kind],
        right.name,
        ResourcePatternType.PREFIXED if right.prefixed else ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation[re.sub(r"(?<!^)(?=[A-Z])", "_", right.operation).upper()],
        AclPermissionType.ALLOW,
    )


def _word(operation: str) -> Any:
    return "".join(part.capitalize() for part in operation.split("_"))
