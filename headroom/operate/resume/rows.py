"""The users' rows of a live generation, by user; each partition of them is read once."""

from headroom.base.clients import Clients
from headroom.base.partitioner import partition_of
from headroom.operate.generations.kind import changelog
from headroom.operate.replay.rows import last_rows
from headroom.operate.resume.picture import Picture
from processors.ledger.users import UserState
from processors.names import USERS_TABLE
from schemas.codec import decode


class UserRows:
    """Rows by user, read when they are asked for."""

    def __init__(self, clients: Clients, picture: Picture) -> None:
        self._clients = clients
        self._picture = picture
        self._read: dict[int, dict[tuple[int, bytes], bytes]] = {}

    def of_partition(self, partition: int) -> dict[tuple[int, bytes], bytes]:
        """All rows of a partition, by its number and the user's name; not kept."""
        topic = changelog(self._picture.live, USERS_TABLE)
        ends = {(topic, partition): self._picture.end_of(topic, partition)}
        return last_rows(self._clients, topic, ends, [partition])

    def of_user(self, user: str) -> UserState | None:
        """A user's row; its partition is kept."""
        partition = partition_of(user.encode(), self._picture.partitions)
        if partition not in self._read:
            self._read[partition] = self.of_partition(partition)
        row = self._read[partition].get((partition, user.encode()))
        return None if row is None else decode(row, UserState)
