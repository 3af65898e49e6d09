# cython: language_level=3, boundscheck=False, wraparound=False
"""The headers of a raw record, compiled."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.string cimport memcmp

from schemas.headers import Receipt
from schemas.times import time_ns_of

cdef enum:
    # Numbers of more digits go the long way, which knows their bounds.
    DIGITS_MAX = 18
    TIME_LETTERS = 30
    SECOND_LETTERS = 19

# The last second that was found to be one: nearly all frames are of the second before them.
cdef bytes _second = b""


def receipt(headers):
    """The `Receipt` of a record that has all its headers in their form; None for any other."""
    cdef long long epoch = -1
    cdef long long number = -1
    cdef str time = None
    cdef str name
    for name, value in headers:
        if name == "epoch":
            if epoch >= 0 or not _take_natural(value, &epoch):
                return None
        elif name == "receipt":
            if number >= 0 or not _take_natural(value, &number):
                return None
        elif name == "received_time":
            if time is not None:
                return None
            time = _time(value)
    return None if epoch < 0 or number < 0 or time is None else Receipt(epoch, number, time)


cdef bint _take_natural(object value, long long* into) except -1:
    cdef const char* at
    cdef const char* end
    if type(value) is not bytes or not 0 < PyBytes_GET_SIZE(value) <= DIGITS_MAX + 1:
        return False
    at = PyBytes_AS_STRING(value)
    end = at + PyBytes_GET_SIZE(value)
    if end - at > DIGITS_MAX and at[0] > c"8":
        return False
    into[0] = 0
    while at < end:
        if not c"0" <= at[0] <= c"9":
            return False
        into[0] = 10 * into[0] + (at[0] - c"0")
        at += 1
    return True


cdef str _time(object value):
    """An RFC 3339 time with nine decimals and a Z, or None."""
    cdef const char* text
    cdef int at
    global _second
    if type(value) is not bytes or PyBytes_GET_SIZE(value) != TIME_LETTERS:
        return None
    text = PyBytes_AS_STRING(value)
    if _second == b"" or memcmp(text, PyBytes_AS_STRING(_second), SECOND_LETTERS) != 0:
        try:
            time_ns_of((<bytes>value).decode("ascii"))
        except ValueError:
            return None
        _second = text[:SECOND_LETTERS]
    if text[SECOND_LETTERS] != c"." or text[TIME_LETTERS - 1] != c"Z":
        return None
    for at in range(SECOND_LETTERS + 1, TIME_LETTERS - 1):
        if not c"0" <= text[at] <= c"9":
            return None
    return PyUnicode_DecodeASCII(text, TIME_LETTERS, NULL)
