"""What is written when a generation becomes the live one: only what differs, in versions that grow.

Pure: pairs of rows in, records out. A version that the public has seen never comes again with
something else, and never goes back; so a row that counts fewer changes than the other's is raised.
"""

from collections.abc import Iterator

import msgspec

from headroom.operate.generations.kind import changelog
from headroom.operate.replay.carry import Out, doubtful_record
from headroom.operate.replay.rows import Pair, SumDocument, User, same
from processors.ledger.assets import Head
from processors.ledger.doubts import doubts
from processors.ledger.sums import AssetSum, BaseSum
from processors.ledger.users import UserState
from processors.names import ASSETS_TABLE, USERS_TABLE
from schemas import topics
from schemas.codec import encode
from schemas.documents import AssetExposure, BalanceSnapshot, UserBalances, UserExposure
from schemas.headers import cloud_event

UserDocument = UserBalances | UserExposure


def vanishes(pair: Pair[User]) -> bool:
    """Whether a user whom the public knows would have no account any more."""
    known = pair.there is not None and pair.there.balances is not None
    return known and (pair.here is None or pair.here.balances is None)


def user_records(pair: Pair[User], generation: str, time: str) -> Iterator[Out]:
    """What makes a user's row and public documents those of the generation.

    `time` is that of documents which no frame led to.
    """
    here, there = pair.here, pair.there
    user = pair.key.decode()
    state = UserState(user, 0, {}, [], []) if here is None else here.state
    balances = None if here is None else here.balances
    exposure = None if here is None else here.exposure
    seen = 0 if there is None else there.state.version
    differing = [
        topic
        for topic, mine, other in (
            (topics.BALANCES_LATEST, balances, there and there.balances),
            (topics.EXPOSURE_USER, exposure, there and there.exposure),
        )
        if not same(mine, other, versions=False)
    ]
    version = max(state.version, seen + 1 if differing else seen)
    if version != state.version:
        state = msgspec.structs.replace(state, version=version)
        yield changelog(generation, USERS_TABLE), pair.partition, pair.key, encode(state), []
    times = [one.received_time for one in _accounts(pair)]
    for topic in differing:
        document = balances if topic == topics.BALANCES_LATEST else exposure
        value = None if document is None else encode(_of_version(document, version))
        event_id = f"{topic}/{user}/{version}"
        headers = cloud_event(
            topic=topic, subject=user, event_id=event_id, time=max(times, default=time)
        )
        yield topic, None, pair.key, value, headers
    for doubtful in doubts(None if there is None else there.state, state, ()):
        of_place = doubtful if doubtful.time else msgspec.structs.replace(doubtful, time=time)
        yield doubtful_record(of_place, topics.UNCONFIRMED)


def _of_version(document: UserDocument, version: int) -> UserDocument:
    return msgspec.structs.replace(document, version=version)


def sum_records(pair: Pair[SumDocument], generation: str, time: str) -> Iterator[Out]:
    """The same of a sum; one that is there no more stays, with nothing in it."""
    kind, name = msgspec.json.decode(pair.key)
    document: SumDocument
    if pair.here is None:
        document = (AssetSum(name) if kind == "asset" else BaseSum(name)).document(0)
    else:
        document = pair.here
    seen = 0 if pair.there is None else pair.there.version
    differs = not same(document, pair.there, versions=False)
    version = max(document.version, seen + 1 if differs else seen)
    if version != document.version:
        document = msgspec.structs.replace(document, version=version)
        head = Head(version, msgspec.Raw(encode(document)))
        row = msgspec.json.encode(head)
        yield changelog(generation, ASSETS_TABLE), pair.partition, pair.key, row, []
    if differs:
        asset = isinstance(document, AssetExposure)
        topic = topics.EXPOSURE_ASSET if asset else topics.EXPOSURE_BASE
        event_id = f"{topic}/{name}/{version}"
        headers = cloud_event(topic=topic, subject=name, event_id=event_id, time=time)
        yield topic, None, name.encode(), encode(document), headers


def _accounts(pair: Pair[User]) -> list[BalanceSnapshot]:
    """All that anybody knows of a user's accounts."""
    sides = [side for side in (pair.here, pair.there) if side is not None]
    return [one for side in sides for one in side.state.accounts.values()]
