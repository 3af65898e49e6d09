# cython: language_level=3, boundscheck=False, wraparound=False
"""The rows of users who have one plain account: read from a table, and written for it."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from processors.compiled.account cimport Account, account_at, compare, move_to
from processors.compiled.text cimport (
    Cursor,
    Page,
    Piece,
    ended,
    expect,
    expect_natural,
    expect_string,
    is_ascii,
    piece_of,
    text_of,
    write,
    write_number,
    write_piece,
    write_text,
)


cdef class Row:
    """A user's row: the newest snapshot, and every asset that was ever contributed to."""

    def __init__(self):
        raise TypeError("a Row is read from bytes, or folded")


def read_row(bytes data):
    """The row of these bytes; None where it is not that of one plain account."""
    cdef Cursor cursor
    cdef Piece user, key, told
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
    row.newest = account_at(&cursor, data)
    if row.newest is None:
        return None
    # The document lives on its own, as the row does not.
    cdef bytes document = start[: cursor.at - start]
    if not expect(&cursor, b'},"assets":', 11):
        return None
    row.assets = _names_at(&cursor)
    if row.assets is None or not expect(&cursor, b',"bases":[]}', 12) or not ended(&cursor):
        return None
    move_to(row.newest, document, start)
    # A user is not always named after the account; but the row and its snapshot name the same one.
    told = piece_of(row.newest.user)
    if compare(&user, &told) != 0:  # letter by letter: nobody says that they are UTF-8
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
    cdef Piece venue, rest
    if key.size != account.venue.size + 1 + account.account.size:
        return False
    venue.start, venue.size = key.start, account.venue.size
    rest.start, rest.size = key.start + venue.size + 1, account.account.size
    return (
        compare(&venue, &account.venue) == 0
        and key.start[venue.size] == c":"
        and compare(&rest, &account.account) == 0
    )


cdef int write_row(Page* page, Row row) except -1:
    cdef Account newest = row.newest
    cdef Piece document
    cdef bint first = True
    document.start = PyBytes_AS_STRING(newest.document)
    document.size = PyBytes_GET_SIZE(newest.document)
    write(page, b'{"user":', 8)
    write_text(page, newest.user)
    write(page, b',"version":', 11)
    write_number(page, row.version)
    write(page, b',"accounts":{"', 14)
    write_piece(page, &newest.venue)
    write(page, b":", 1)
    write_piece(page, &newest.account)
    write(page, b'":', 2)
    write_piece(page, &document)
    write(page, b'},"assets":[', 12)
    for name in row.assets:
        if not first:
            write(page, b",", 1)
        first = False
        write_text(page, name)
    return write(page, b'],"bases":[]}', 13)
