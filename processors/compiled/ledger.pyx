# cython: language_level=3, boundscheck=False, wraparound=False
"""The fold of a user who has one plain account, compiled: as nearly all users have it.

It says what `processors.ledger` says, byte for byte, or None: whatever is not plain goes the long
way, and so does a user who has another account as well.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from processors.compiled.account cimport Account, Asset, account_at, compare
from processors.compiled.text cimport (
    Cursor,
    Page,
    Piece,
    bytes_of,
    clear,
    ended,
    expect,
    expect_natural,
    expect_string,
    is_ascii,
    is_zero,
    piece_of,
    text_of,
    write,
    write_number,
    write_piece,
)

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


cdef class Row:
    """A user's row: the newest snapshot, and every asset that was ever contributed to."""

    cdef readonly long long version
    cdef readonly Account newest
    cdef list assets

    def __init__(self):
        raise TypeError("a Row is read from bytes, or folded")


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


# -- rows


def read_row(bytes data):
    """The row of these bytes; None where it is not that of one plain account."""
    cdef Cursor cursor
    cdef Piece user, key
    cdef const char* start
    cdef Row row = Row.__new__(Row)
    cursor.at = PyBytes_AS_STRING(data)
    cursor.end = cursor.at + PyBytes_GET_SIZE(data)
    if not (
        expect(&cursor, b'{"user":', 8)
        and expect_string(&cursor, &user)
        and expect(&cursor, b',"version":', 11)
        and expect_natural(&cursor, &row.version)
        and expect(&cursor, b',"accounts":{', 13)
        and expect_string(&cursor, &key)
        and expect(&cursor, b":", 1)
    ):
        return None
    start = cursor.at
    if account_at(&cursor, data) is None:
        return None
    # The document lives on its own, as the row does not.
    cdef bytes document = start[: cursor.at - start]
    if not expect(&cursor, b'},"assets":', 11):
        return None
    row.assets = _names_at(&cursor)
    if row.assets is None or not expect(&cursor, b',"bases":[]}', 12) or not ended(&cursor):
        return None
    cursor.at = PyBytes_AS_STRING(document)
    cursor.end = cursor.at + PyBytes_GET_SIZE(document)
    row.newest = account_at(&cursor, document)
    # A user is not always named after the account; but the row and its snapshot name the same one.
    if text_of(&user) != row.newest.user:
        return None
    return row if _is_key(&key, row.newest) else None


cdef list _names_at(Cursor* cursor):
    cdef Piece name
    cdef list names = []
    if not expect(cursor, b"[", 1):
        return None
    if expect(cursor, b"]", 1):
        return names
    while True:
        if not expect_string(cursor, &name) or not is_ascii(&name):
            return None
        names.append(text_of(&name))
        if expect(cursor, b"]", 1):
            return names
        if not expect(cursor, b",", 1):
            return None


cdef bint _is_key(const Piece* key, Account account) noexcept:
    """Whether this is the account's key among a user's accounts: `venue:account`."""
    cdef Piece rest
    rest.start = key.start + account.venue.size + 1
    rest.size = key.size - account.venue.size - 1
    return (
        rest.size == account.account.size
        and compare(&rest, &account.account) == 0
        and key.start[account.venue.size] == c":"
    )


# -- folding


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
        and compare(&stored.topic, &account.topic) == 0
    ):
        return REDELIVERED
    if stored.epoch != account.epoch:
        return ACCEPTED if account.epoch > stored.epoch else STALE
    if stored.sequence != account.sequence:
        return ACCEPTED if account.sequence > stored.sequence else STALE
    # Other words may still say the same, in another order.
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


# -- telling


cdef int _tell(Folded folded, Row since, bint with_shares) except -1:
    clear(&_row)
    _write_row(&_row, folded.state)
    folded.row = bytes_of(&_row)
    clear(&_balances)
    clear(&_exposure)
    _write_documents(&_balances, &_exposure, folded.state)
    folded.balances = bytes_of(&_balances)
    folded.exposure = bytes_of(&_exposure)
    folded.shares = _shares(folded.state, folded.time, since) if with_shares else []
    return 0


cdef int _write_row(Page* row, Row state) except -1:
    cdef Account newest = state.newest
    cdef Piece document
    cdef bint first = True
    document.start = PyBytes_AS_STRING(newest.document)
    document.size = PyBytes_GET_SIZE(newest.document)
    write(row, b'{"user":', 8)
    _write_user(row, newest)
    write(row, b',"version":', 11)
    write_number(row, state.version)
    write(row, b',"accounts":{"', 14)
    write_piece(row, &newest.venue)
    write(row, b":", 1)
    write_piece(row, &newest.account)
    write(row, b'":', 2)
    write_piece(row, &document)
    write(row, b'},"assets":[', 12)
    for name in state.assets:
        if not first:
            write(row, b",", 1)
        first = False
        _write_text(row, name)
    return write(row, b'],"bases":[]}', 13)


cdef int _write_documents(Page* balances, Page* exposure, Row state) except -1:
    cdef Account newest = state.newest
    cdef Piece document
    cdef int number
    document.start = PyBytes_AS_STRING(newest.document)
    document.size = PyBytes_GET_SIZE(newest.document)
    write(balances, b'{"user":', 8)
    _write_user(balances, newest)
    write(balances, b',"accounts":[', 13)
    write_piece(balances, &document)
    write(balances, b'],"totals":{', 12)
    write(exposure, b'{"user":', 8)
    _write_user(exposure, newest)
    write(exposure, b',"assets":{', 11)
    for number in range(newest.count):
        if number:
            write(balances, b",", 1)
            write(exposure, b",", 1)
        _write_asset(balances, exposure, &newest.assets[newest.order[number]], &newest.venue)
    write(balances, b'},"version":', 12)
    write_number(balances, state.version)
    write(balances, b"}", 1)
    write(exposure, b'},"limits":[],"version":', 24)
    write_number(exposure, state.version)
    return write(exposure, b"}", 1)


cdef int _write_asset(
    Page* balances, Page* exposure, const Asset* asset, const Piece* venue
) except -1:
    cdef Py_ssize_t begin = balances.size
    _write_string(balances, &asset.name)
    write(balances, b":", 1)
    _write_balance(balances, asset)
    # All but the end, which goes on here.
    write(exposure, balances.start + begin, balances.size - begin - 1)
    write(exposure, b',"by_venue":{', 13)
    _write_string(exposure, venue)
    write(exposure, b":", 1)
    _write_string(exposure, &asset.total)
    return write(exposure, b"}}", 2)


cdef int _write_balance(Page* page, const Asset* asset) except -1:
    write(page, b'{"total":', 9)
    _write_string(page, &asset.total)
    write(page, b',"available":', 13)
    _write_string(page, &asset.available)
    write(page, b',"held":', 8)
    _write_string(page, &asset.held)
    return write(page, b"}", 1)


cdef list _shares(Row state, str time, Row since):
    """Key and contribution of every asset that the sums have to be told of.

    Those are all that were ever held where `since` is None, else those that changed after it.
    """
    cdef list shares = []
    cdef str name
    cdef Piece piece
    cdef const Asset* asset
    for name in state.assets:
        piece = piece_of(name)
        asset = state.newest.named(&piece)
        if since is None or not _told(since, asset, name):
            shares.append((b'["asset","%b"]' % name.encode(), _share(state, time, name, asset)))
    return shares


cdef bint _told(Row row, const Asset* asset, str name) except -1:
    """Whether the sums were told just this of an asset, which is NULL where it is not held."""
    cdef Piece piece = piece_of(name)
    cdef const Asset* held = row.newest.named(&piece)
    if held is NULL:
        return asset is NULL and name in row.assets
    return (
        asset is not NULL
        and compare(&held.total, &asset.total) == 0
        and compare(&held.available, &asset.available) == 0
        and compare(&held.held, &asset.held) == 0
    )


cdef bytes _share(Row state, str time, str name, const Asset* asset):
    cdef Page* page = &_row
    clear(page)
    write(page, b'{"kind":"asset","asset":', 24)
    _write_text(page, name)
    write(page, b',"user":', 8)
    _write_user(page, state.newest)
    write(page, b',"version":', 11)
    write_number(page, state.version)
    write(page, b',"time":', 8)
    _write_text(page, time)
    write(page, b',"venues":{', 11)
    if asset is not NULL:
        _write_string(page, &state.newest.venue)
        write(page, b":", 1)
        _write_balance(page, asset)
    write(page, b"}}", 2)
    return bytes_of(page)


cdef inline int _write_user(Page* page, Account account) except -1:
    return _write_text(page, account.user)


cdef inline int _write_text(Page* page, str text) except -1:
    cdef Piece piece = piece_of(text)
    return _write_string(page, &piece)


cdef inline int _write_string(Page* page, const Piece* piece) except -1:
    """A text that needs no escape, as a JSON string."""
    write(page, b'"', 1)
    write_piece(page, piece)
    return write(page, b'"', 1)
