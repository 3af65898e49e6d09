"""The ledger of all users' sums: rows in a table, sums in memory, the two never apart."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.ledger.assets import Changes, SumLedger, published
from processors.ledger.contributions import (
    AssetContribution,
    BaseContribution,
    Contribution,
    decode,
    key_of,
    row_key,
    sum_key,
)
from schemas.codec import encode
from schemas.documents import AssetExposure, Balance, BaseExposure
from tests.processors.ledger.snapshots import reader, small_amounts
from tests.schemas.strategies import MANY

BTC, EUR, EUR_BASE = (
    sum_key("asset", "BTC"),
    sum_key("asset", "EUR"),
    sum_key("base", "EUR"),
)


def sum_of(document: AssetExposure | BaseExposure) -> bytes:
    """The key of the sum that a document tells of."""
    if isinstance(document, AssetExposure):
        return sum_key("asset", document.asset)
    return sum_key("base", document.base_currency)


class World:
    """A ledger over a table that is a dictionary."""

    def __init__(self, rows: dict[bytes, bytes] | None = None) -> None:
        self.rows = {} if rows is None else dict(rows)
        self.ledger = SumLedger()
        self.ledger.load(0, self.rows.items())

    def fold(self, *shares: Contribution) -> Changes:
        changes = self.ledger.fold(0, shares, reader(self.rows))
        self.rows |= changes.rows
        return changes

    def documents(self) -> dict[bytes, AssetExposure | BaseExposure]:
        """Every sum as the ledger has it, without the versions: a redelivery tells them all."""
        shares = [
            decode(row) for key, row in self.rows.items() if len(msgspec.json.decode(key)) == 3
        ]
        told_again = self.ledger.fold(0, shares, reader(self.rows)).emissions
        return {
            sum_of(emission.document): msgspec.structs.replace(emission.document, version=1)
            for emission in told_again
        }

    def restored(self) -> "World":
        """The same rows after a restart."""
        return World(self.rows)


def share(
    user: str, version: int, total: str | None = None, *, asset: str = "BTC", time: str = "t"
) -> AssetContribution:
    venues = {} if total is None else {"sfox": Balance(total, total, "0")}
    return AssetContribution(asset=asset, user=user, version=version, time=time, venues=venues)


def base(user: str, version: int, current: str | None, maximum: str | None) -> BaseContribution:
    return BaseContribution(
        base_currency="EUR", user=user, version=version, time="t", current=[current], max=[maximum]
    )


@st.composite
def told(draw: st.DrawFn) -> list[Contribution]:
    """Contributions of three users in the order of their versions, some told again and late."""
    versions = {"u": 0, "v": 0, "w": 0}
    shares: list[Contribution] = []
    for _ in range(draw(st.integers(1, 12))):
        if shares and draw(st.integers(0, 3)) == 0:
            shares.append(draw(st.sampled_from(shares)))
            continue
        user = draw(st.sampled_from(list(versions)))
        versions[user] += 1
        if draw(st.booleans()):
            total = draw(st.none() | small_amounts)
            asset = draw(st.sampled_from(["BTC", "EUR"]))
            shares.append(share(user, versions[user], total, asset=asset))
        else:
            known = st.none() | small_amounts
            shares.append(base(user, versions[user], draw(known), draw(known)))
    return shares


def newest(shares: list[Contribution]) -> list[Contribution]:
    """Of each user and sum, the contribution of the greatest version."""
    found: dict[bytes, Contribution] = {}
    for one in shares:
        row = row_key(key_of(one), one.user)
        if row not in found or one.version > found[row].version:
            found[row] = one
    return list(found.values())


@given(told(), st.data())
@MANY
def test_sums_are_those_of_the_newest_contributions(
    shares: list[Contribution], data: st.DataObject
) -> None:
    """However they are cut into batches, told again, late, or worked out anew from the rows."""
    world, rest = World(), shares
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        world.fold(*rest[:size])
        rest = rest[size:]
        if data.draw(st.booleans()):
            world = world.restored()
    expected = World()
    expected.fold(*newest(shares))
    assert world.documents() == expected.documents()
    assert world.restored().documents() == expected.documents()
    for document in world.documents().values():
        assert encode(document) in {encode(one) for one in expected.documents().values()}


@given(told())
@MANY
def test_what_is_published_is_what_is_answered(shares: list[Contribution]) -> None:
    """One document per sum and batch, of the head's version, which only grows."""
    world = World()
    versions: dict[bytes, int] = {}
    for one in shares:
        changes = world.fold(one)
        for emission in changes.emissions:
            key = key_of(one)
            assert encode(emission.document) == published(world.rows[key])
            assert emission.document.version == versions.get(key, 0) + 1
            versions[key] = emission.document.version
        assert len(changes.emissions) == 1 - changes.stale


def test_a_stale_contribution_is_dropped_and_counted() -> None:
    world = World()
    world.fold(share("u", 3, "3"))
    changes = world.fold(share("u", 2, "2"))
    assert (changes.rows, changes.emissions, changes.stale) == ({}, [], 1)
    assert world.documents()[BTC].total == "3"
    again = World().fold(share("u", 3, "3"), share("u", 2, "2"))
    assert again.stale == 1
    assert [emission.document.total for emission in again.emissions] == ["3"]


def test_of_a_users_contributions_in_a_batch_the_newest_is_folded_alone() -> None:
    """The rest would be taken out again at once; the sum's time is that of the last one."""
    world = World()
    read: list[bytes] = []

    def nothing(keys: list[bytes]) -> list[bytes | None]:
        read.extend(keys)
        return [None] * len(keys)

    shares = [share("u", version, str(version)) for version in range(1, 5)]
    world.ledger.load(0, [])
    told = [share("v", 1, "1"), *shares, shares[-1], share("v", 1, "1", time="last"), shares[0]]
    changes = world.ledger.fold(0, told, nothing)
    assert changes.stale == 1
    assert len(read) == len(set(read)) == 3  # two rows and the head
    assert [(e.document.total, e.time) for e in changes.emissions] == [("5", "last")]


def test_a_redelivery_is_published_again_and_counted_once() -> None:
    """A crash may have kept the row and lost the publication."""
    world = World()
    first = world.fold(share("u", 1, "1.5"), share("v", 1, "1")).emissions
    world = world.restored()
    changes = world.fold(share("u", 1, "1.5"))
    assert set(changes.rows) == {BTC}
    again = changes.emissions
    assert [one.document.version for one in (*first, *again)] == [1, 2]
    assert msgspec.structs.replace(again[0].document, version=1) == first[0].document
    assert again[0].document.users == 2


def test_one_batch_makes_one_document_of_each_sum_with_the_time_of_its_last() -> None:
    changes = World().fold(
        share("u", 1, "1", time="first"),
        share("u", 1, "9", asset="EUR", time="between"),
        share("v", 1, "2", time="last"),
        share("u", 2, time="very last"),
    )
    told_of = {one.document.asset: (one.document.total, one.time) for one in changes.emissions}
    assert told_of == {"BTC": ("2", "very last"), "EUR": ("9", "between")}


def test_eur_the_asset_and_eur_the_base_currency_stay_apart() -> None:
    world = World()
    world.fold(share("u", 1, "5", asset="EUR"), base("u", 1, "1430", "1500"))
    for one in (world, world.restored()):
        documents = one.documents()
        assert set(documents) == {EUR, EUR_BASE}
        assert documents[EUR].total == "5"
        assert documents[EUR_BASE].current == "1430"


def test_an_unknown_part_makes_a_bases_sum_null_until_it_is_known_again() -> None:
    world = World()
    world.fold(base("u", 1, "1430", "1500"), base("v", 1, None, "500"))
    world = world.restored()
    unknown = world.documents()[EUR_BASE]
    assert (unknown.current, unknown.max, unknown.utilisation) == (None, "2000", None)
    world.fold(base("v", 2, "70", "500"))
    known = world.documents()[EUR_BASE]
    assert (known.current, known.headroom, known.utilisation) == ("1500", "500", "0.750000")


def test_an_asset_that_nobody_holds_is_remembered_after_a_restart() -> None:
    world = World()
    world.fold(share("u", 1, "1"))
    world.fold(share("u", 2))
    restored = world.restored()
    (document,) = restored.documents().values()
    assert document == AssetExposure("BTC", "0", "0", "0", 0, {}, 1)
    assert restored.fold(share("v", 1, "1")).emissions[0].document.version == 3


def test_partitions_are_apart_and_a_dropped_one_is_forgotten() -> None:
    ledger = SumLedger()
    ledger.load(0, [])
    ledger.load(1, [])
    ledger.fold(0, [share("u", 1, "1")], reader({}))
    ledger.fold(1, [share("u", 1, "2")], reader({}))
    assert [ledger.assets(partition) for partition in (0, 1)] == [["BTC"], ["BTC"]]
    ledger.drop(0)
    ledger.drop(5)
    assert [ledger.assets(partition) for partition in (0, 1)] == [[], ["BTC"]]
    (emission,) = ledger.fold(1, [share("v", 1, "3")], reader({})).emissions
    assert emission.document.total == "5"


def test_a_partition_that_was_never_loaded_is_not_summed_from_nothing() -> None:
    with pytest.raises(KeyError):
        SumLedger().fold(0, [share("u", 1, "1")], reader({}))


def test_a_partition_names_its_assets_and_not_its_bases() -> None:
    world = World()
    world.fold(share("u", 1, "1"), share("u", 1, asset="ETH"), base("u", 1, "1", "2"))
    for ledger in (world.ledger, world.restored().ledger):
        assert sorted(ledger.assets(0)) == ["BTC", "ETH"]
        assert ledger.assets(1) == []
