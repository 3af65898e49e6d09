# cython: language_level=3
"""The sum of two amounts, written as `schemas.amounts.sum_text` writes it: digit by digit, exact."""

from processors.compiled.text cimport (
    AMOUNT_DIGITS_MAX,
    Page,
    Piece,
    is_normal,
    is_same,
    write,
    write_piece,
)

cdef enum:
    # Both sides of the point, the point, a carry and a sign.
    SUM_LETTERS_MAX = 2 * AMOUNT_DIGITS_MAX + 3

# An amount as digits around its point, which stands, or would stand, at `point`.
cdef struct Digits:
    const char* point
    Py_ssize_t whole
    Py_ssize_t places
    bint negative


cdef inline int write_sum(Page* page, const Piece* one, const Piece* other) except -1:
    """Add the sum of two amounts of `AMOUNT_DIGITS_MAX` digits on each side at most."""
    cdef char[SUM_LETTERS_MAX] letters
    cdef Digits left, right
    cdef const char* start
    # Nearly always nothing is allocated.
    if is_same(other, b"0", 1) and is_normal(one):
        return write_piece(page, one)
    left, right = _digits_of(one), _digits_of(other)
    start = _added(&left, &right, letters + SUM_LETTERS_MAX)
    if start is NULL:  # the other one is the greater
        start = _added(&right, &left, letters + SUM_LETTERS_MAX)
    return write(page, start, letters + SUM_LETTERS_MAX - start)


cdef inline Digits _digits_of(const Piece* amount) noexcept nogil:
    cdef Digits digits
    cdef const char* at = amount.start
    cdef const char* end = amount.start + amount.size
    digits.negative = at[0] == c"-"
    at += digits.negative
    digits.point = at
    while digits.point < end and digits.point[0] != c".":
        digits.point += 1
    digits.whole = digits.point - at
    digits.places = max(end - digits.point - 1, 0)
    return digits


cdef inline int _digit(const Digits* digits, Py_ssize_t place) noexcept nogil:
    """The digit that counts tens to the power of `place`."""
    if place >= 0:
        return digits.point[-1 - place] - c"0" if place < digits.whole else 0
    return digits.point[-place] - c"0" if -place <= digits.places else 0


cdef inline const char* _added(
    const Digits* one, const Digits* other, char* end
) noexcept nogil:
    """Where the sum starts that is written before `end`; NULL where the other takes away more."""
    cdef int sign = 1 if one.negative == other.negative else -1
    cdef Py_ssize_t whole = max(one.whole, other.whole)
    cdef Py_ssize_t place = -max(one.places, other.places)
    cdef int digit, carry = 0
    cdef bint nothing = True
    cdef char* at = end
    while place < whole:
        digit = _digit(one, place) + sign * _digit(other, place) + carry
        carry = (digit > 9) - (digit < 0)
        digit -= 10 * carry
        nothing = nothing and digit == 0
        at -= 1
        at[0] = <char>(c"0" + digit)
        if place == -1:
            at -= 1
            at[0] = c"."
        place += 1
    if carry < 0:
        return NULL
    if carry:
        at -= 1
        at[0] = c"1"
    # A whole digit stays, zero or not.
    while at[0] == c"0" and at + 1 < end and at[1] != c".":
        at += 1
    if one.negative and (carry or not nothing):
        at -= 1
        at[0] = c"-"
    return at
