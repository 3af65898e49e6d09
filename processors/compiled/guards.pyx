# cython: language_level=3, boundscheck=False, wraparound=False
"""Amounts of a plain account compared with thresholds: whether any crosses one."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memcmp

from processors.compiled.account cimport Account, compare
from processors.compiled.text cimport Piece

cdef struct Bound:
    int asset
    bint is_held
    # What an amount must not be, seen from the mark: -1 below, 1 above; and that itself.
    int side
    bint with_mark
    Piece mark

cdef class Guard:
    """An account as it was judged, and what its amounts must not cross for nothing to change.

    A bound is (number of the asset, whether of what is held, side, whether the mark itself counts,
    mark): on side 1 nothing may lie above the mark, on -1 nothing below. Marks are text without a
    sign or zeros in front.
    """

    cdef Account made_of
    cdef list marks
    cdef Bound* bounds
    cdef int count

    def __init__(self, Account made_of not None, list bounds not None):
        cdef int number
        cdef bytes mark
        self.bounds = <Bound*>PyMem_Malloc(max(1, len(bounds)) * sizeof(Bound))
        if self.bounds is NULL:
            raise MemoryError
        self.made_of = made_of
        self.marks = [one[4] for one in bounds]
        self.count = len(bounds)
        for number in range(self.count):
            asset, is_held, side, with_mark, _ = bounds[number]
            if not 0 <= asset < made_of.count:
                raise ValueError("no such asset")
            mark = self.marks[number]
            self.bounds[number].asset = asset
            self.bounds[number].is_held = is_held
            self.bounds[number].side = side
            self.bounds[number].with_mark = with_mark
            self.bounds[number].mark.start = PyBytes_AS_STRING(mark)
            self.bounds[number].mark.size = PyBytes_GET_SIZE(mark)

    def __dealloc__(self):
        PyMem_Free(self.bounds)

    def holds(self, Account told not None):
        """Whether a snapshot is of this account, names the same assets, and crosses nothing."""
        cdef int number, found
        cdef Bound* bound
        cdef const Piece* amount
        if (
            compare(&told.account, &self.made_of.account) != 0
            or compare(&told.venue, &self.made_of.venue) != 0
            or not self.made_of.has_names_of(told)
        ):
            return False
        for number in range(self.count):
            bound = &self.bounds[number]
            amount = &told.assets[bound.asset].total
            if bound.is_held:
                amount = &told.assets[bound.asset].held
            found = compare_amounts(amount, &bound.mark)
            if found == bound.side or (found == 0 and bound.with_mark):
                return False
        return True


cdef int compare_amounts(const Piece* one, const Piece* other) noexcept nogil:
    """-1, 0 or 1, as an amount is less than, equal to or more than another."""
    cdef Py_ssize_t at = whole_of(one)
    cdef int found
    cdef char here, there
    if at != whole_of(other):
        return 1 if at > whole_of(other) else -1
    found = memcmp(one.start, other.start, at)
    if found != 0:
        return 1 if found > 0 else -1
    at += 1
    while at < one.size or at < other.size:
        here = one.start[at] if at < one.size else c"0"
        there = other.start[at] if at < other.size else c"0"
        if here != there:
            return 1 if here > there else -1
        at += 1
    return 0


cdef Py_ssize_t whole_of(const Piece* amount) noexcept nogil:
    """How many digits stand before the point."""
    cdef Py_ssize_t at = 0
    while at < amount.size and amount.start[at] != c".":
        at += 1
    return at
