# cython: language_level=3, boundscheck=False, wraparound=False
"""Headers, compiled: those of a raw record are read, those of what follows from it written."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.string cimport memcmp

from schemas.headers import Receipt
from schemas.headers import cloud_event as told
from schemas.times import time_ns_of

cdef enum:
    # Numbers of more digits go the long way, which knows their bounds.
    DIGITS_MAX = 18
    TIME_LETTERS = 30
    SECOND_LETTERS = 19
    # Where the headers that are the same in all records of a topic stand.
    SPEC_VERSION = 0
    SOURCE = 2
    TYPE = 3
    SCHEMA = 6
    CONTENT_TYPE = 7

# The last second that was found to be one: nearly all frames are of the second before them.
cdef bytes _second = b""

# Of each topic, the headers of one of its records; a worker writes to a handful.
cdef dict _fixed = {}


def receipt(headers):
    """The `Receipt` of a record that has all its headers in their form; None for any other."""
    cdef long long epoch, number
    cdef str time = take_receipt(headers, &epoch, &number)
    return None if time is None else Receipt(epoch, number, time)


cdef str take_receipt(object headers, long long* epoch, long long* number):
    """The parts of a receipt: its time, or None where it has to be read the long way."""
    cdef str time = None
    cdef str name
    epoch[0] = number[0] = -1
    for name, value in headers:
        if name == "epoch":
            if epoch[0] >= 0 or not _take_natural(value, epoch):
                return None
        elif name == "receipt":
            if number[0] >= 0 or not _take_natural(value, number):
                return None
        elif name == "received_time":
            if time is not None:
                return None
            time = _time(value)
    return None if epoch[0] < 0 or number[0] < 0 else time


def cloud_event(*, str topic, str subject, str event_id, str time):
    """The CloudEvents headers of a record, as `schemas.headers.cloud_event` has them."""
    cdef list fixed = _fixed.get(topic)
    if fixed is None:
        fixed = _fixed[topic] = told(topic=topic, subject="", event_id="", time="")
    return [
        fixed[SPEC_VERSION],
        ("ce_id", event_id.encode()),
        fixed[SOURCE],
        fixed[TYPE],
        ("ce_time", time.encode()),
        ("ce_subject", subject.encode()),
        fixed[SCHEMA],
        fixed[CONTENT_TYPE],
    ]


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
