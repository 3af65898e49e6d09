"""The rows that a batch of snapshots is judged by, and what has become of them.

Which snapshots count is what the users' rows say; they are looked at only where something would
change, which is seldom. A user in whom nothing was ever out of the ordinary has no row.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from processors.alerts.judge import Standing
from processors.alerts.kept import NONE, tells_amounts, with_told
from processors.alerts.kept import Account as AccountOf
from processors.compiled import Account
from processors.ledger.rows import RowNotRead, reading
from processors.ledger.users import UserState
from schemas.codec import decode, decode_by, encode
from schemas.documents import BalanceSnapshot, LimitAlert
from schemas.identity import user_for

ReadRow = Callable[[bytes], bytes | None]
Place = tuple[int, int, int]


class AlertState(msgspec.Struct, frozen=True, gc=False):
    """A user's row: where the rules stand, by `venue:account`, rule and subject.

    `count` is how many alerts the user was told, `told` what is kept of them (`kept_of`): read only
    where it changes.
    """

    user: str
    accounts: dict[str, dict[str, dict[str, Standing]]]
    count: int = 0
    told: msgspec.Raw = NONE


class Told(msgspec.Struct, frozen=True, gc=False):
    """An alert, and the identity of its event."""

    event: str
    alert: LimitAlert


class AlertChanges(msgspec.Struct, gc=False):
    """The rows that change, by their keys (None: it goes), and what is to be told, in order."""

    rows: dict[bytes, bytes | None] = {}
    told: list[Told] = []


class _At(msgspec.Struct, frozen=True, gc=False):
    epoch: int
    receipt: int
    sequence: int = -1


class _Users(msgspec.Struct, frozen=True, gc=False):
    """What of a user's row says which snapshots count."""

    accounts: dict[str, _At]
    moved: dict[str, msgspec.Raw] = {}
    confirmed: dict[str, _At] = {}

    def place(self, key: str) -> Place | None:
        """The newest snapshot of an account, and the last receipt that told it."""
        stored, again = self.accounts.get(key), self.confirmed.get(key)
        if stored is None:
            return None
        receipt = stored.receipt
        if again is not None and again.epoch == stored.epoch:
            receipt = max(receipt, again.receipt)
        return stored.epoch, stored.sequence, receipt


_STATES: Final = msgspec.json.Decoder(AlertState)
_USERS: Final = msgspec.json.Decoder(_Users)
_NOBODY: Final = _Users({})


class Batch:
    """The rows that a batch is judged by, and what has become of them."""

    def __init__(self, read: ReadRow, read_user: ReadRow) -> None:
        self._read = read
        self._read_user = read_user
        self._states: dict[str, AlertState | None] = {}
        self._users: dict[str, _Users] = {}
        self._seen: dict[tuple[str, str], Place] = {}
        self._passed: dict[str, list[Account]] = {}
        self._changed: set[str] = set()
        self.told: list[Told] = []

    def state(self, user: str) -> AlertState | None:
        """Where the rules stand with a user; None where all is in order."""
        if user not in self._states:
            key = user.encode()
            row = self._read(key)
            self._states[user] = None if row is None else _state(key, row)
        return self._states[user]

    def put(
        self,
        user: str,
        account: str,
        stands: dict[str, dict[str, Standing]],
        alerts: Sequence[LimitAlert],
        *,
        gone: AccountOf | None,
    ) -> None:
        """Where the rules stand with an account now, and what is told; `gone`: it went."""
        state = self.state(user) or AlertState(user, {})
        accounts = {name: of for name, of in state.accounts.items() if name != account}
        if stands:
            accounts[account] = stands
        with reading(user.encode()):
            told = with_told(state.told, state.count, alerts, gone=gone)
        count = state.count + len(alerts)
        # Whoever was told once is numbered on from there: nobody takes a new alert for an old one.
        is_row = accounts or count
        self._states[user] = AlertState(user, accounts, count, told) if is_row else None
        self._changed.add(user)

    def tells_amounts(self, user: str, account: AccountOf | None) -> bool:
        """Whether a user's row still says what an account had that went; None: none did."""
        state = None if account is None else self.state(user)
        if state is None or account is None:
            return False
        with reading(user.encode()):
            return tells_amounts(state.told, account)

    def counts(self, snapshot: BalanceSnapshot, account: str) -> bool:
        """Whether a snapshot is not older than what is known, and the user has the account."""
        users = self._user(snapshot.user)
        if account in users.moved:
            return False
        for told in self._passed.pop(snapshot.user, ()):
            venue, name, _, _ = told.place
            self._see((snapshot.user, user_for(venue, name)), told.order)
        known = (users.place(account), self._seen.get((snapshot.user, account)))
        place = _place(snapshot)
        return all(one is None or place >= one for one in known)

    def saw(self, snapshot: BalanceSnapshot, account: str) -> None:
        """Remember how far an account is within the batch."""
        self._see((snapshot.user, account), _place(snapshot))

    def passed(self, told: Account) -> None:
        """Remember the same of a snapshot that changes nothing."""
        self._passed.setdefault(told.user, []).append(told)

    def _see(self, key: tuple[str, str], place: Place) -> None:
        self._seen[key] = max(self._seen.get(key, place), place)

    def snapshot(self, user: str, account: str) -> BalanceSnapshot | None:
        """The newest snapshot of an account before the batch."""
        key = user.encode()
        row = self._read_user(key)
        return None if row is None else decode(row, UserState).accounts.get(account)

    def _user(self, user: str) -> _Users:
        if user not in self._users:
            row = self._read_user(user.encode())
            self._users[user] = _NOBODY if row is None else decode_by(row, _USERS)
        return self._users[user]

    def changes(self) -> AlertChanges:
        """What has become of the rows."""
        rows = {}
        for user in self._changed:
            state = self._states[user]
            rows[user.encode()] = None if state is None else encode(state)
        return AlertChanges(rows, self.told)


def _state(key: bytes, row: bytes) -> AlertState:
    with reading(key):
        return decode_by(row, _STATES)


def check_row(key: bytes, row: bytes) -> None:
    """That a row of the table is one of ours; raises `RowNotRead`."""
    user = _state(key, row).user
    if user.encode() != key:
        raise RowNotRead(key, "it is another user's")


def _place(snapshot: BalanceSnapshot) -> Place:
    return snapshot.epoch, snapshot.sequence, snapshot.receipt
