"""Rows of the live tables as others were told of them: where a changelog has lost its own.

A changelog that is empty, or has lost its beginning, does not say any more what the live tables
held. The public documents do, but for what nobody outside is told of: moves and doubts.
"""

from collections.abc import Iterable, Mapping

import msgspec

from headroom.base.clients import Clients, Place
from headroom.base.partitioner import partition_of
from processors.ledger.assets import Head
from processors.ledger.users import UserState
from processors.names import ASSETS_TABLE
from schemas import topics
from schemas.codec import decode, encode
from schemas.documents import AssetExposure, BaseExposure, UserBalances
from schemas.identity import user_for

Rows = dict[tuple[int, bytes], bytes]
"""Rows by partition and key."""


def lost(
    clients: Clients, topic: str, ends: Mapping[Place, int], partitions: Iterable[int]
) -> list[int]:
    """The partitions of a changelog that are empty, or have lost their beginning.

    A topic that is compacted and nothing else begins at its first offset for ever.
    """
    numbers = list(partitions)
    begins = clients.begins([topic], max(numbers, default=-1) + 1)
    return [one for one in numbers if ends[topic, one] == 0 or begins[topic, one] > 0]


def has_lost(clients: Clients, table: str, topic: str, partitions: int) -> bool:
    """Whether a table's changelog does not hold what others were told of it."""
    gone = lost(clients, topic, clients.ends([topic], partitions), range(partitions))
    return bool(gone) and bool(told_rows(clients, table, gone, partitions))


def told_rows(clients: Clients, table: str, wanted: Iterable[int], partitions: int) -> Rows:
    """What the public was told last, as rows of a table in the wanted ones of its partitions."""
    if table != ASSETS_TABLE:
        documents = _last(clients, topics.BALANCES_LATEST, wanted, partitions)
        return {place: _state(document) for place, document in documents.items()}
    rows, numbers = Rows(), set(wanted)
    for kind, topic in (("asset", topics.EXPOSURE_ASSET), ("base", topics.EXPOSURE_BASE)):
        for (_, name), document in _last(clients, topic, range(partitions), partitions).items():
            # A sum's row lies where its contributions do, by another key than its document.
            key = msgspec.json.encode([kind, name.decode()])
            partition = partition_of(key, partitions)
            if partition in numbers:
                rows[partition, key] = _head(document, kind)
    return rows


class InPlaceOf:
    """What the public was told last, in place of rows that a stranger wrote over.

    Of each partition it is read once, if a row of it is asked for.
    """

    def __init__(self, clients: Clients, table: str, partitions: int) -> None:
        self._clients, self._table, self._partitions = clients, table, partitions
        self._read: dict[int, Rows] = {}

    def row(self, partition: int, key: bytes) -> bytes | None:
        """The row of a key; None where nobody outside was told of it."""
        if partition not in self._read:
            told = told_rows(self._clients, self._table, [partition], self._partitions)
            self._read[partition] = told
        return self._read[partition].get((partition, key))


def _last(clients: Clients, topic: str, wanted: Iterable[int], partitions: int) -> Rows:
    ends, begins = clients.ends([topic], partitions), clients.begins([topic], partitions)
    found = Rows()
    spans = {(topic, one): (begins[topic, one], ends[topic, one]) for one in wanted}
    for message in clients.read(spans):
        place, value = (message.partition(), message.key()), message.value()
        if value is None:
            found.pop(place, None)
        else:
            found[place] = value
    return found


def _state(document: bytes) -> bytes:
    told = decode(document, UserBalances)
    accounts = {user_for(one.venue, one.account): one for one in told.accounts}
    assets = {asset for one in told.accounts for asset in one.assets}
    bases = {one.exposure.base_currency for one in told.accounts if one.exposure is not None}
    state = UserState(
        told.user,
        told.version,
        dict(sorted(accounts.items())),
        sorted(assets),
        sorted(base for base in bases if base is not None),
    )
    return encode(state)


def _head(document: bytes, kind: str) -> bytes:
    if kind == "asset":
        version = decode(document, AssetExposure).version
    else:
        version = decode(document, BaseExposure).version
    return msgspec.json.encode(Head(version, msgspec.Raw(document)))
