# cython: language_level=3, boundscheck=False, wraparound=False
"""`producers.chunks` once more, compiled; it says the same of every chunk."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

cdef enum:
    TEXT = 0x81
    BINARY = 0x82
    CLOSE = 0x88
    PING = 0x89
    PONG = 0x8A
    LENGTH_OF_TWO = 126
    HEAD_BYTES = 2


def plain_messages(bytes data not None, list found not None, object pass_on):
    """See `producers.chunks.plain_messages`."""
    cdef const unsigned char* start = <const unsigned char*>PyBytes_AS_STRING(data)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t first, last, length
    cdef unsigned char kind
    while end - at >= HEAD_BYTES:
        kind, length, first = start[at], start[at + 1], at + 2
        if kind not in (TEXT, BINARY, CLOSE, PING, PONG) or length > LENGTH_OF_TWO:
            return -at - 1
        if length == LENGTH_OF_TWO:
            first += 2
            if first > end:
                return at
            length = <Py_ssize_t>start[at + 2] << 8 | start[at + 3]
        last = first + length
        if last > end:
            return at
        if kind == TEXT or kind == BINARY:
            found.append(PyBytes_FromStringAndSize(<const char*>start + first, length))
        else:
            pass_on(data[at:last])
            if kind == CLOSE:
                return -last - 1
        at = last
    return at
