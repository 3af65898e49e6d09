# cython: language_level=3
"""One account's snapshot, read from its document and left in it."""

from processors.compiled.text cimport Cursor, Piece

cdef enum:
    # Who has more than this at one venue goes the long way.
    ASSETS_MAX = 64
    WALLETS_MAX = 8

cdef struct Asset:
    Piece name
    Piece total
    Piece available
    Piece held

cdef class Account:
    cdef readonly str user
    cdef readonly bytes document
    cdef readonly str received_time
    cdef Piece venue
    cdef Piece account
    cdef long long epoch
    cdef long long sequence
    cdef long long receipt
    cdef Piece topic
    cdef long long partition
    cdef long long offset
    # All that is said of the assets, and where each stands; `order` is that of their names.
    cdef Piece content
    cdef int count
    cdef Asset* assets
    cdef unsigned char[ASSETS_MAX] order

    cdef const Asset* named(self, const Piece* name) noexcept
    cdef bint has_names_of(self, Account other) noexcept

cdef Account account_at(Cursor* cursor, bytes document)
cdef void move_to(Account account, bytes document, const char* start) noexcept
cdef int compare(const Piece* one, const Piece* other) noexcept nogil
