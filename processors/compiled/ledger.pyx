# cython: language_level=3, boundscheck=False, wraparound=False
"""The fold of a user who has one plain account, compiled: as nearly all users have it.

It says what `processors.ledger` says, byte for byte, or None: whatever is not plain goes the long
way, and so does a user who has another account as well.
"""

from processors.compiled.account cimport Account, compare
from processors.compiled.rows cimport Row, write_row
from processors.compiled.telling cimport shares_of, write_documents
from processors.compiled.text cimport INT64_MAX, Page, bytes_of, clear, is_zero, text_of

cdef enum:
    # What becomes of a snapshot. One that has the sequence of the stored one, and other words, is
    # left to the long way.
    ACCEPTED
    DUPLICATE
    STALE
    REDELIVERED
    UNDECIDED


# What is being written: one text at a time, as the interpreter's lock is held.
cdef Page _row, _balances, _exposure
_row.start = _balances.start = _exposure.start = NULL


cdef class Folded:
    """What a run of snapshots of one user led to; `row` is None where nothing follows from it.

    `shares` are key and contribution of every sum that has to be told. `time` is that of the
    snapshot that led to it all.
    """

    cdef readonly str venue
    cdef readonly int accepted
    cdef readonly int duplicate
    cdef readonly int stale
    cdef readonly int redelivered
    cdef readonly int vanished
    cdef readonly Row state
    cdef readonly str time
    cdef readonly bytes row
    cdef readonly bytes balances
    cdef readonly bytes exposure
    cdef readonly list shares


def fold(Row before, list snapshots, bint with_shares):
    """Fold snapshots of one user in, in their order; None where they have to go the long way.

    `before` is the row before them (None: a user never seen). What is no `Account` is not plain.
    """
    cdef Folded folded = Folded.__new__(Folded)
    cdef Row row = before
    cdef Account account
    cdef bint again = before is None
    cdef int verdict
    for snapshot in snapshots:
        if not isinstance(snapshot, Account):
            return None
        account = <Account>snapshot
        verdict = ACCEPTED if row is None else _judge(row.newest, account)
        if verdict == UNDECIDED:
            return None
        folded.duplicate += verdict == DUPLICATE
        folded.stale += verdict == STALE
        if verdict == ACCEPTED:
            if row is not None and row.version == INT64_MAX:
                return None  # there is no next one of 63 bits
            folded.accepted += 1
            if row is not None:
                folded.vanished += _vanished(row.newest, account)
            row = _next(row, account)
            folded.time = account.received_time
        elif verdict == REDELIVERED:
            folded.redelivered += 1
            again = True
            folded.time = account.received_time
    folded.venue = text_of(&account.venue)
    if folded.time is not None:
        folded.state = row
        _tell(folded, None if again else before, with_shares)
    return folded


cdef int _judge(Account stored, Account account) noexcept:
    if compare(&stored.venue, &account.venue) or compare(&stored.account, &account.account):
        return UNDECIDED
    if (
        stored.offset == account.offset
        and stored.partition == account.partition
        and stored.epoch == account.epoch
        and stored.receipt == account.receipt
        and compare(&stored.topic, &account.topic) == 0
    ):
        return REDELIVERED
    # The frame that vouches for the account, from another place in Kafka: it is told of again.
    if (
        stored.epoch == account.epoch
        and stored.receipt == account.receipt
        and stored.sequence >= account.sequence
    ):
        return UNDECIDED
    if stored.epoch != account.epoch:
        return ACCEPTED if account.epoch > stored.epoch else STALE
    if stored.sequence != account.sequence:
        return ACCEPTED if account.sequence > stored.sequence else STALE
    # Other words may still say the same, in another order; and that a later frame said it again is
    # for the row to know.
    if account.receipt > stored.receipt:
        return UNDECIDED
    return DUPLICATE if compare(&stored.content, &account.content) == 0 else UNDECIDED


cdef int _vanished(Account stored, Account account) noexcept:
    """How many assets were held and are not named any more."""
    cdef int number, vanished = 0
    if stored.has_names_of(account):
        return 0
    for number in range(stored.count):
        if not is_zero(&stored.assets[number].total):
            vanished += account.named(&stored.assets[number].name) is NULL
    return vanished


cdef Row _next(Row before, Account account):
    cdef Row row = Row.__new__(Row)
    cdef int number
    row.newest = account
    if before is not None:
        row.version = before.version + 1
        row.assets = before.assets
        if before.newest.has_names_of(account):
            return row
    else:
        row.version = 1
        row.assets = []
    names = {text_of(&account.assets[number].name) for number in range(account.count)}
    if not names.issubset(row.assets):
        row.assets = sorted(names.union(row.assets))
    return row


cdef int _tell(Folded folded, Row since, bint with_shares) except -1:
    clear(&_row)
    write_row(&_row, folded.state)
    folded.row = bytes_of(&_row)
    clear(&_balances)
    clear(&_exposure)
    write_documents(&_balances, &_exposure, folded.state)
    folded.balances = bytes_of(&_balances)
    folded.exposure = bytes_of(&_exposure)
    folded.shares = shares_of(folded.state, folded.time, since) if with_shares else []
    return 0
