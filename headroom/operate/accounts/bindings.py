"""Which accounts belong to users of other names, as it is recorded in Kafka."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec

from headroom.base import whole
from headroom.base.known_topics import RESUME
from headroom.base.reading import foreign, records
from headroom.operate.generations import read_book
from schemas.codec import NotADocument, decode
from schemas.following import Follow, Followed
from schemas.identity import accounts_of, is_user, user_for
from schemas.topics import ACCOUNTS
from schemas.venues import VENUES


class Binding(msgspec.Struct, frozen=True):
    """An account and its user; `number` counts the moves of this account, the first is 1."""

    venue: str
    account: str
    user: str
    number: int

    @property
    def own(self) -> str:
        """The account's own name, as which it is a user when it belongs to nobody else."""
        return user_for(self.venue, self.account)


class Bindings:
    """All of them, by the accounts' own names; `owners` is what normalisers want to know."""

    def __init__(self) -> None:
        self.all: dict[str, Binding] = {}
        self.owners: dict[str, str] = {}

    def forget(self) -> None:
        """Nothing was recorded."""
        self.all.clear()
        self.owners.clear()

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Take one record of the topic; raises `NotADocument` where nobody of us wrote it."""
        if key is None or value is None:
            raise NotADocument("it binds nothing")
        found = decode(value, Binding)
        if key != found.own.encode() or found.venue not in VENUES or not is_user(found.user):
            raise NotADocument("it binds no account")
        self.all[found.own] = found
        if found.user == found.own:
            self.owners.pop(found.own, None)
        else:
            self.owners[found.own] = found.user

    @property
    def moved(self) -> frozenset[str]:
        """Accounts that may have been told of under several users."""
        return frozenset(self.all)

    def accounts_of(self, user: str) -> dict[str, list[str]]:
        """A user's accounts, by venue."""
        found = {} if user in self.all and user not in self.own_again else accounts_of(user)
        for own, owner in self.owners.items():
            if owner == user:
                binding = self.all[own]
                found.setdefault(binding.venue, []).append(binding.account)
        return found

    @property
    def own_again(self) -> frozenset[str]:
        """Accounts that were moved, and are their own users again."""
        return frozenset(self.all.keys() - self.owners.keys())

    def followed(self, follow: Follow) -> AbstractAsyncContextManager[Followed]:
        """Keep them up to date while the block runs."""

        def take(key: bytes | None, value: bytes | None, _: float | None) -> None:
            self.take(key, value)

        return follow(ACCOUNTS, take, forget=self.forget)


async def read_bindings(kafka: Mapping[str, Any], *, partitions: int) -> Bindings:
    """The bindings as they are now, all of them; raises KafkaError, `Stalled`, `TopicCut`."""
    begins = await whole.begins_of(kafka, ACCOUNTS, partitions=partitions)
    if any(begins):
        book = await read_book(kafka, partitions=partitions)
        whole.check(ACCOUNTS, begins, book.topics.get(ACCOUNTS), RESUME)
    return await read_what_is_left(kafka, partitions=partitions)


async def read_what_is_left(kafka: Mapping[str, Any], *, partitions: int) -> Bindings:
    """The same of a topic that may have lost records, or be another one."""
    found = Bindings()
    async for record in records(kafka, ACCOUNTS, partitions=partitions):
        try:
            found.take(record.key, record.value)
        except NotADocument as error:
            foreign(record.topic, record.partition, record.offset, str(error))
    return found
