# cython: language_level=3, boundscheck=False, wraparound=False
"""What follows from the row of a user who has one account, compiled: as nearly all users have it.

It says what `processors.ledger` says, byte for byte, or nothing: a user whose names have to be
escaped is left to the long way.
"""

from processors.compiled.text cimport (
    Page,
    Piece,
    bytes_of,
    close_page,
    needs_escape,
    open_page,
    piece_of,
    write,
    write_number,
    write_piece,
)

from schemas.amounts import normal_text


class NotPlain(Exception):
    """A name that cannot stand in a JSON text as it is."""


def of_one_account(state, bytes document, bytes limits):
    """A user's row, balances and exposure (UTF-8 JSON); None where it has to be told the long way.

    `state` is a `UserState` with one account, `document` the JSON of that account's snapshot and
    `limits` the JSON list of its limits.
    """
    ((key, snapshot),) = state.accounts.items()
    cdef Page row, balances, exposure
    cdef str name = key
    cdef Py_ssize_t room = 512 + 2 * len(document) + len(limits)
    row.start = balances.start = exposure.start = NULL
    try:
        open_page(&row, room)
        open_page(&balances, room)
        open_page(&exposure, room)
        _write_row(&row, state, name, document)
        _write_documents(&balances, &exposure, state, snapshot, document, limits)
        return bytes_of(&row), bytes_of(&balances), bytes_of(&exposure)
    except NotPlain:
        return None
    finally:
        close_page(&row)
        close_page(&balances)
        close_page(&exposure)


cdef int _write_row(Page* row, object state, str key, bytes document) except -1:
    write(row, b'{"user":', 8)
    _write_name(row, state.user)
    write(row, b',"version":', 11)
    write_number(row, state.version)
    write(row, b',"accounts":{', 13)
    _write_name(row, key)
    write(row, b":", 1)
    write(row, document, len(document))
    write(row, b'},"assets":', 11)
    _write_names(row, state.assets)
    write(row, b',"bases":', 9)
    _write_names(row, state.bases)
    return write(row, b"}", 1)


cdef int _write_documents(
    Page* balances, Page* exposure, object state, object snapshot, bytes document, bytes limits
) except -1:
    cdef dict assets = snapshot.assets
    cdef str asset
    cdef bint first = True
    write(balances, b'{"user":', 8)
    _write_name(balances, state.user)
    write(balances, b',"accounts":[', 13)
    write(balances, document, len(document))
    write(balances, b'],"totals":{', 12)
    write(exposure, b'{"user":', 8)
    _write_name(exposure, state.user)
    write(exposure, b',"assets":{', 11)
    for asset in sorted(assets):
        if not first:
            write(balances, b",", 1)
            write(exposure, b",", 1)
        first = False
        _write_asset(balances, exposure, asset, assets[asset], snapshot.venue)
    write(balances, b'},"version":', 12)
    write_number(balances, state.version)
    write(balances, b"}", 1)
    write(exposure, b'},"limits":', 11)
    write(exposure, limits, len(limits))
    write(exposure, b',"version":', 11)
    write_number(exposure, state.version)
    return write(exposure, b"}", 1)


cdef int _write_asset(
    Page* balances, Page* exposure, str asset, object balance, str venue
) except -1:
    cdef Py_ssize_t begin = balances.size
    cdef str total = _normal(balance.total)
    _write_name(balances, asset)
    write(balances, b':{"total":', 10)
    _write_name(balances, total)
    write(balances, b',"available":', 13)
    _write_name(balances, _normal(balance.available))
    write(balances, b',"held":', 8)
    _write_name(balances, _normal(balance.held))
    write(exposure, balances.start + begin, balances.size - begin)
    write(balances, b"}", 1)
    write(exposure, b',"by_venue":{', 13)
    _write_name(exposure, venue)
    write(exposure, b":", 1)
    _write_name(exposure, total)
    return write(exposure, b"}}", 2)


cdef str _normal(str amount):
    """The amount as a sum of it alone is written; nearly all are written so by their venue."""
    cdef Piece piece = piece_of(amount)
    cdef char letter = piece.start[0] if piece.size else c"-"
    if c"1" <= letter <= c"9" or (letter == c"0" and (piece.size == 1 or piece.start[1] == c".")):
        return amount
    return normal_text(amount)


cdef int _write_names(Page* page, list names) except -1:
    cdef Py_ssize_t number
    write(page, b"[", 1)
    for number in range(len(names)):
        if number:
            write(page, b",", 1)
        _write_name(page, <str>names[number])
    return write(page, b"]", 1)


cdef int _write_name(Page* page, str name) except -1:
    """A text as a JSON string; `NotPlain` where it would have to be escaped."""
    cdef Piece piece = piece_of(name)
    if needs_escape(&piece):
        raise NotPlain
    write(page, b'"', 1)
    write_piece(page, &piece)
    return write(page, b'"', 1)
