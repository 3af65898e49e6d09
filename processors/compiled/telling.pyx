# cython: language_level=3, boundscheck=False, wraparound=False
"""What follows from a row of one plain account: balances, exposure, shares of all users' sums."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from processors.compiled.account cimport Account, Asset, compare
from processors.compiled.rows cimport Row
from processors.compiled.text cimport (
    Page,
    Piece,
    bytes_of,
    clear,
    piece_of,
    write,
    write_number,
    write_piece,
    write_string,
    write_text,
)

# What is being written: one text at a time, as the interpreter's lock is held.
cdef Page _page, _balances, _exposure
_page.start = _balances.start = _exposure.start = NULL


def documents(Row row):
    """A user's balances and exposure, byte for byte as the public topics have them."""
    clear(&_balances)
    clear(&_exposure)
    write_documents(&_balances, &_exposure, row)
    return bytes_of(&_balances), bytes_of(&_exposure)


cdef int write_documents(Page* balances, Page* exposure, Row row) except -1:
    cdef Account newest = row.newest
    cdef Piece document
    cdef int number
    document.start = PyBytes_AS_STRING(newest.document)
    document.size = PyBytes_GET_SIZE(newest.document)
    write(balances, b'{"user":', 8)
    write_text(balances, newest.user)
    write(balances, b',"accounts":[', 13)
    write_piece(balances, &document)
    write(balances, b'],"totals":{', 12)
    write(exposure, b'{"user":', 8)
    write_text(exposure, newest.user)
    write(exposure, b',"assets":{', 11)
    for number in range(newest.count):
        if number:
            write(balances, b",", 1)
            write(exposure, b",", 1)
        _write_asset(balances, exposure, &newest.assets[newest.order[number]], &newest.venue)
    write(balances, b'},"version":', 12)
    write_number(balances, row.version)
    write(balances, b"}", 1)
    write(exposure, b'},"limits":[],"version":', 24)
    write_number(exposure, row.version)
    return write(exposure, b"}", 1)


cdef int _write_asset(
    Page* balances, Page* exposure, const Asset* asset, const Piece* venue
) except -1:
    cdef Py_ssize_t begin = balances.size
    write_string(balances, &asset.name)
    write(balances, b":", 1)
    _write_balance(balances, asset)
    # All but the end, which goes on here.
    write(exposure, balances.start + begin, balances.size - begin - 1)
    write(exposure, b',"by_venue":{', 13)
    write_string(exposure, venue)
    write(exposure, b":", 1)
    write_string(exposure, &asset.total)
    return write(exposure, b"}}", 2)


cdef int _write_balance(Page* page, const Asset* asset) except -1:
    write(page, b'{"total":', 9)
    write_string(page, &asset.total)
    write(page, b',"available":', 13)
    write_string(page, &asset.available)
    write(page, b',"held":', 8)
    write_string(page, &asset.held)
    return write(page, b"}", 1)


cdef list shares_of(Row row, str time, Row since):
    """Key and contribution of every asset that the sums have to be told of.

    Those are all that were ever held where `since` is None, else those that changed after it.
    """
    cdef list shares = []
    cdef str name
    cdef Piece piece
    cdef const Asset* asset
    for name in row.assets:
        piece = piece_of(name)
        asset = row.newest.named(&piece)
        if since is None or not _told(since, asset, name):
            shares.append((b'["asset","%b"]' % name.encode(), _share(row, time, name, asset)))
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


cdef bytes _share(Row row, str time, str name, const Asset* asset):
    cdef Page* page = &_page
    clear(page)
    write(page, b'{"kind":"asset","asset":', 24)
    write_text(page, name)
    write(page, b',"user":', 8)
    write_text(page, row.newest.user)
    write(page, b',"version":', 11)
    write_number(page, row.version)
    write(page, b',"time":', 8)
    write_text(page, time)
    write(page, b',"venues":{', 11)
    if asset is not NULL:
        write_string(page, &row.newest.venue)
        write(page, b":", 1)
        _write_balance(page, asset)
    write(page, b"}}", 2)
    return bytes_of(page)
