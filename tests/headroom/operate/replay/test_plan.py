"""What a promotion writes: only what differs, in versions that never come again otherwise."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from headroom.operate.generations.kind import changelog
from headroom.operate.replay.plan import sum_records, user_records, vanishes
from headroom.operate.replay.rows import Pair, SumDocument, User
from processors.ledger.assets import Head
from processors.ledger.users import UserState
from processors.ledger.views import View
from schemas.codec import decode
from schemas.documents import AssetExposure, BaseExposure, UserBalances, UserExposure
from schemas.feeds import UnconfirmedAccount
from tests.processors.ledger.doubted import OWN, unread
from tests.processors.ledger.snapshots import snapshot
from tests.schemas.strategies import PROPERTY

NOW = "2026-11-26T00:00:00.000000000Z"
ROWS = changelog("g", "users")
SUMS = changelog("g", "assets")
LATEST, EXPOSURE = "balances.latest.v1", "exposure.user.v1"


def user(version: int, total: str | None, *, deleted: bool = False) -> User:
    """A user's row with one account that holds so much BTC; None: no account at all."""
    accounts = {}
    if total is not None:
        assets = {} if deleted else {"BTC": total}
        accounts["sfox:a"] = snapshot(1, 1, 1, assets=assets, deleted=deleted)
    view = View(UserState("sfox:a", version, accounts, ["BTC"], []))
    return User(view.state, view.balances(), view.exposure())


def written(here: User | None, there: User | None) -> dict[str, tuple[int | None, bytes | None]]:
    """The version and the value that each topic gets."""
    found = {}
    for topic, partition, key, value, headers in user_records(
        Pair(b"sfox:a", 3, here, there), "g", NOW
    ):
        assert key == b"sfox:a"
        assert partition == (3 if topic == ROWS else None)
        ids = [text for name, text in headers if name == "ce_id"]
        version = int(ids[0].rpartition(b"/")[2]) if ids else None
        assert topic not in found
        found[topic] = version, value
    return found


def doubted(one: User, receipt: int | None) -> User:
    """The same with a frame of the account that could not be read."""
    doubts = {} if receipt is None else {OWN: unread(receipt)}
    return msgspec.structs.replace(one, state=msgspec.structs.replace(one.state, unread=doubts))


def test_an_account_that_only_one_generation_doubts_is_told_of() -> None:
    """A frame that the new code can read takes the doubt away, one that it cannot casts it."""
    one = user(7, "1")
    assert written(doubted(one, 2), doubted(one, 2)) == {}
    ((topic, partition, key, value, headers),) = user_records(
        Pair(b"sfox:a", 3, doubted(one, None), doubted(one, 2)), "g", NOW
    )
    assert (topic, partition, key, value) == ("unconfirmed.v1", None, OWN.encode(), None)
    assert dict(headers)["ce_id"] == b"unconfirmed.v1/sfox:a/1/1/confirmed"
    ((topic, _, _, value, headers),) = user_records(
        Pair(b"sfox:a", 3, doubted(one, 2), doubted(one, None)), "g", NOW
    )
    assert topic == "unconfirmed.v1"
    assert decode(value or b"", UnconfirmedAccount).receipt == 2
    gone = list(user_records(Pair(b"sfox:a", 3, None, doubted(one, 2)), "g", NOW))
    assert ("unconfirmed.v1", None) in [(topic, value) for topic, _, _, value, _ in gone]
    assert all(dict(headers).get("ce_time", b"x") for _, _, _, _, headers in gone)


def test_the_same_in_the_same_version_is_not_told() -> None:
    assert written(user(7, "1"), user(7, "1")) == {}
    assert written(user(9, "1"), user(7, "1")) == {}


def test_the_same_in_a_lower_version_is_raised_and_not_told() -> None:
    found = written(user(3, "1"), user(7, "1"))
    assert set(found) == {ROWS}
    assert decode(found[ROWS][1] or b"", UserState) == user(7, "1").state


def test_what_differs_comes_in_a_version_above_all_that_were_seen() -> None:
    for own, version in ((3, 8), (7, 8), (8, 8), (20, 20)):
        found = written(user(own, "2"), user(7, "1"))
        assert (ROWS in found) == (own != version)
        assert found[LATEST][0] == found[EXPOSURE][0] == version
        balances = decode(found[LATEST][1] or b"", UserBalances)
        assert (balances.version, balances.totals["BTC"].total) == (version, "2")
        assert decode(found[EXPOSURE][1] or b"", UserExposure).version == version


def test_who_is_there_no_more_is_a_tombstone_and_his_version_lasts() -> None:
    gone = Pair(b"sfox:a", 3, None, user(7, "1"))
    assert vanishes(gone)
    found = written(gone.here, gone.there)
    assert (found[LATEST], found[EXPOSURE]) == ((8, None), (8, None))
    assert decode(found[ROWS][1] or b"", UserState) == UserState("sfox:a", 8, {}, [], [])
    # Deleted at the venue, by what the generation has read: it vanishes, too.
    deleted = Pair(b"sfox:a", 3, user(9, "1", deleted=True), user(7, "1"))
    assert vanishes(deleted)
    assert written(deleted.here, deleted.there) == {LATEST: (9, None), EXPOSURE: (9, None)}


def test_who_was_not_there_any_more_stays_so_and_his_version_lasts() -> None:
    for there in (user(7, "1", deleted=True), user(7, None)):
        assert not vanishes(Pair(b"sfox:a", 3, None, there))
        assert set(written(None, there)) == {ROWS}
        found = written(user(2, "1"), there)
        assert (found[LATEST][0], found[EXPOSURE][0]) == (8, 8)


def test_who_is_new_is_told_as_he_is() -> None:
    found = written(user(4, "1"), None)
    assert set(found) == {LATEST, EXPOSURE}
    assert found[LATEST][0] == 4
    assert not vanishes(Pair(b"sfox:a", 3, user(4, "1"), None))


VERSIONS = st.integers(1, 9)
SIDES = st.one_of(
    st.none(),
    st.builds(user, VERSIONS, st.sampled_from(["1", "2", None])),
    st.builds(user, VERSIONS, st.just("1"), deleted=st.just(True)),
)


@given(SIDES, SIDES)
@PROPERTY
def test_no_version_comes_again_with_something_else_and_none_goes_back(
    here: User | None, there: User | None
) -> None:
    if here is None and there is None:
        return
    found = written(here, there)
    seen = 0 if there is None else there.state.version
    row = decode(found[ROWS][1] or b"", UserState) if ROWS in found else (here and here.state)
    assert row is not None
    assert row.version >= seen
    for topic, document in ((LATEST, "balances"), (EXPOSURE, "exposure")):
        mine, other = getattr(here, document, None), getattr(there, document, None)
        differs = without_version(mine) != without_version(other)
        assert (topic in found) == differs
        if differs:
            assert found[topic][0] == row.version
            assert row.version > seen


def without_version(document: msgspec.Struct | None) -> object:
    told = msgspec.to_builtins(document)
    return told if told is None else {**told, "version": None}


def asset(version: int, total: str, name: str = "BTC") -> AssetExposure:
    return AssetExposure(name, total, total, "0", 1, {}, version)


def told_sum(here: SumDocument | None, there: SumDocument | None, key: bytes = b'["asset","BTC"]'):
    found = {}
    for topic, partition, _, value, headers in sum_records(Pair(key, 2, here, there), "g", NOW):
        assert partition == (2 if topic == SUMS else None)
        found[topic] = value, headers
    return found


def test_a_sum_is_told_where_it_differs_and_its_head_says_the_same() -> None:
    assert told_sum(asset(5, "1"), asset(5, "1")) == {}
    raised = told_sum(asset(2, "1"), asset(5, "1"))
    assert set(raised) == {SUMS}
    assert msgspec.json.decode(raised[SUMS][0], type=Head).version == 5
    found = told_sum(asset(2, "3"), asset(5, "1"))
    public = decode(found["exposure.asset.v1"][0], AssetExposure)
    assert public == asset(6, "3")
    head = msgspec.json.decode(found[SUMS][0], type=Head)
    assert decode(bytes(head.document), AssetExposure) == public
    assert ("ce_id", b"exposure.asset.v1/BTC/6") in found["exposure.asset.v1"][1]


def test_a_sum_that_is_there_no_more_stays_with_nothing_in_it() -> None:
    found = told_sum(None, asset(5, "1"))
    public = decode(found["exposure.asset.v1"][0], AssetExposure)
    assert (public.total, public.users, public.by_venue, public.version) == ("0", 0, {}, 6)
    base = BaseExposure("EUR", "1", "2", "1", "0.500000", 1, 5)
    found = told_sum(None, base, b'["base","EUR"]')
    gone = decode(found["exposure.base.v1"][0], BaseExposure)
    assert (gone.base_currency, gone.current, gone.accounts, gone.version) == ("EUR", "0", 0, 6)
