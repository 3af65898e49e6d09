"""Folding a batch at once ends where folding one snapshot after the other ends."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors import compiled
from processors.ledger.assets import SumLedger
from processors.ledger.contributions import key_of, unbundle
from processors.ledger.user_ledger import UserChanges, UserLedger
from processors.ledger.users import EMITS, UserState, Verdict, fold
from processors.ledger.views import contributions, user_balances, user_exposure
from schemas.codec import decode, encode
from schemas.documents import BalanceSnapshot
from tests.processors.ledger.snapshots import (
    balance,
    deliveries,
    logs,
    plain_logs,
    reader,
    snapshot,
)
from tests.schemas.strategies import MANY

ONE, TWO = {"BTC": "1"}, {"BTC": "2"}


class World:
    """A ledger over a table that is a dictionary, and the sums of what it tells."""

    def __init__(self, remembered_bytes_max: int = 10_000) -> None:
        self.compiled = True
        self.ledger = UserLedger(remembered_bytes_max)
        self.rows: dict[bytes, bytes] = {}
        self.documents: dict[str, tuple[bytes | None, bytes | None]] = {}
        self.sums, self.shares = SumLedger(), {}
        self.sums.load(0, [])
        self.versions: list[int] = []

    def say(self, snapshot: BalanceSnapshot):
        """A snapshot as the agent reads it: plain text where that is compiled, and wanted."""
        return (self.compiled and compiled.read(encode(snapshot))) or snapshot

    def fold(self, *snapshots: BalanceSnapshot) -> UserChanges:
        changes = self.ledger.fold([self.say(s) for s in snapshots], self.rows.get)
        for change in changes.users:
            self.rows[change.user.encode()] = change.row
            self.documents[change.user] = change.balances, change.exposure
            self.versions.append(change.version)
        self.rows |= changes.rows
        for key, bundle in changes.contributions:
            for share in unbundle(bundle):
                assert key_of(share) == key
                self.tell(share)
        return changes

    def tell(self, share) -> None:
        changes = self.sums.fold(0, [share], reader(self.shares))
        assert not changes.stale
        self.shares |= changes.rows

    def summed(self) -> set[str]:
        """Every sum as it would be published, but for its version."""
        return {
            str((part.total.text, part.held.text, part.users, asset._users, asset.asset, venue))
            for asset in self.sums._sums[0].values()
            if hasattr(asset, "asset")
            for venue, part in asset._venues.items()
        } | {str(base.document(1)) for base in self.sums._sums[0].values() if hasattr(base, "_max")}


def one_by_one(world: World, snapshots: list[BalanceSnapshot]) -> Counter[tuple[str, Verdict]]:
    """What the agents did before they had batches, snapshot after snapshot."""
    verdicts = Counter()
    for one in snapshots:
        row = world.rows.get(one.user.encode())
        folded = fold(None if row is None else decode(row, UserState), one)
        verdicts[one.venue, folded.verdict] += 1
        if folded.state is not folded.before:
            world.rows[one.user.encode()] = encode(folded.state)
        if folded.verdict in EMITS:
            state = folded.state
            world.rows[one.user.encode()] = encode(state)
            documents = user_balances(state), user_exposure(state)
            world.documents[one.user] = tuple(doc and encode(doc) for doc in documents)
            for share in contributions(folded):
                world.tell(share)
    return verdicts


@st.composite
def streams(draw: st.DrawFn) -> list[BalanceSnapshot]:
    """The deliveries of two users, mixed."""
    rest = [
        draw(deliveries(draw(kind(user=user)))) for user, kind in (("u", logs), ("v", plain_logs))
    ]
    mixed = []
    while any(rest):
        mixed.append(draw(st.sampled_from([one for one in rest if one])).pop(0))
    return mixed


@given(streams(), st.sampled_from([0, 900, 10_000]), st.data())
@MANY
def test_a_batch_ends_where_its_snapshots_end_one_by_one(
    stream: list[BalanceSnapshot], remembered_bytes_max: int, data: st.DataObject
) -> None:
    """However it is cut, whatever is remembered: rows, documents, verdicts, sums."""
    batched, single, verdicts = World(remembered_bytes_max), World(), Counter()
    batched.compiled = data.draw(st.booleans())
    rest = stream
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        verdicts += batched.fold(*rest[:size]).verdicts
        rest = rest[size:]
        if data.draw(st.booleans()):
            batched.ledger = UserLedger()
    assert verdicts == one_by_one(single, stream)
    assert batched.rows == single.rows
    assert batched.documents == single.documents
    assert batched.summed() == single.summed()


def test_a_user_is_told_of_once_with_the_version_of_every_change() -> None:
    world = World()
    changes = world.fold(
        snapshot(1, 1, 1, assets=ONE),
        snapshot(1, 1, 1, account="b", assets=ONE),
        snapshot(1, 2, 2, assets=TWO),
        snapshot(1, 3, 3, assets=ONE),
    )
    assert [(one.user, one.version) for one in changes.users] == [("sfox:a", 3), ("sfox:b", 1)]
    assert changes.users[0].time == snapshot(1, 3, 3).received_time
    assert changes.verdicts == {("sfox", Verdict.ACCEPTED): 4}
    assert len(changes.contributions) == 1


def test_only_what_differs_from_before_the_batch_is_told() -> None:
    world = World()
    world.fold(snapshot(1, 1, 1, assets=ONE))
    there_and_back = snapshot(1, 2, 2, assets=TWO), snapshot(1, 3, 3, assets=ONE)
    changes = world.fold(*there_and_back)
    assert changes.contributions == []
    assert changes.users[0].version == 3


def test_another_frame_in_the_same_place_counts_the_short_way_and_the_long_one() -> None:
    """A raw topic that was deleted and made again has other frames at its offsets."""
    for is_compiled in (True, False):
        world = World()
        world.compiled = is_compiled
        world.fold(snapshot(1, 1, 1, assets=ONE, offset=0))
        world.fold(snapshot(1, 1, 1, assets=ONE, offset=0))
        changes = world.fold(snapshot(2, 1, 1, assets=TWO, offset=0))
        assert changes.verdicts == {("sfox", Verdict.ACCEPTED): 1}
        (told,) = changes.users
        assert told.version == 2
        assert b'"2"' in (told.balances or b"")


@pytest.mark.parametrize("sequence", [1, 2, 3])
def test_a_frame_that_stands_in_a_second_place_is_told_of_the_same_both_ways(sequence: int) -> None:
    """A raw topic that was copied has the same frames at other offsets; found by `tests/fuzz`."""
    told = []
    for is_compiled in (True, False):
        world = World()
        world.compiled = is_compiled
        world.fold(snapshot(1, 2, 2, assets=ONE, offset=0))
        told.append(world.fold(snapshot(1, sequence, 2, assets=ONE, offset=7)))
    assert told[0] == told[1]
    assert bool(told[0].doubtful) == (sequence < 3)


def test_the_last_version_of_63_bits_is_followed_by_the_same_both_ways() -> None:
    """Nobody gets there; but the short way counts in C, where that would be no number."""
    told = []
    for is_compiled in (True, False):
        world = World()
        world.compiled = is_compiled
        world.fold(snapshot(1, 1, 1, assets=ONE))
        ((key, row),) = world.rows.items()
        last = b'"version":%d,' % (2**63 - 1)
        world.rows[key] = row.replace(b'"version":1,', last, 1)
        told.append(world.fold(snapshot(1, 2, 2, assets=TWO)))
    assert told[0] == told[1]
    assert told[0].users[0].version == 2**63


def test_a_redelivery_among_changes_tells_everything_again() -> None:
    world = World()
    first = snapshot(1, 1, 1, assets={"ETH": "5"})
    newest = snapshot(1, 2, 2, assets=ONE)
    world.fold(first, newest)
    changes = world.fold(newest, snapshot(1, 3, 3, assets=ONE))
    told = [share for _, bundle in changes.contributions for share in unbundle(bundle)]
    assert [(share.name, share.version) for share in told] == [("BTC", 3), ("ETH", 3)]


def test_a_stale_batch_changes_nothing_and_is_counted() -> None:
    world = World()
    world.fold(snapshot(1, 5, 5, assets=ONE))
    changes = world.fold(snapshot(1, 4, 4, assets=TWO), snapshot(1, 5, 6, assets=ONE))
    assert (changes.users, changes.contributions) == ([], [])
    assert changes.verdicts == {("sfox", Verdict.STALE): 1, ("sfox", Verdict.DUPLICATE): 1}


def test_what_vanished_is_counted_by_venue() -> None:
    world = World()
    world.fold(snapshot(1, 1, 1, assets={"BTC": "1", "ETH": "1", "SOL": "0"}))
    assert world.fold(snapshot(1, 2, 2), snapshot(1, 3, 3)).vanished == {"sfox": 2}


def test_what_is_remembered_is_never_ahead_of_the_table() -> None:
    """A batch that came to nothing leaves a table that knows nothing of it."""
    ledger, first, second = UserLedger(), snapshot(1, 1, 1, assets=ONE), snapshot(1, 2, 2)
    row = ledger.fold([first], {}.get).users[0].row
    ledger.fold([second], {b"sfox:a": row}.get)
    for rows, version in (({b"sfox:a": row}, 2), ({}, 1)):
        assert ledger.fold([second], rows.get).users[0].version == version


def test_what_is_remembered_is_bounded() -> None:
    world = World(remembered_bytes_max=2_000)
    for number in range(20):
        world.fold(snapshot(1, 1, 1, account=f"{number}", assets=ONE))
        remembered = world.ledger._remembered
        assert remembered._bytes == sum(len(row) for row, _ in remembered._rows.values()) <= 2_000
    assert 1 < len(remembered._rows) < 20


@pytest.mark.parametrize("changed", [("3", "1", "1"), ("2", "3", "1"), ("2", "1", "3")])
@pytest.mark.parametrize("is_compiled", [True, False])
def test_whichever_amount_changes_the_sums_are_told(
    changed: tuple[str, str, str], *, is_compiled: bool
) -> None:
    world = World()
    world.compiled = is_compiled
    world.fold(snapshot(1, 1, 1, assets={"BTC": balance("2", "1", "1"), "ETH": "1"}))
    changes = world.fold(snapshot(1, 2, 2, assets={"BTC": balance(*changed), "ETH": "1"}))
    told = [share.name for _, bundle in changes.contributions for share in unbundle(bundle)]
    assert told == ["BTC"]
