# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""`producers.sfox.plain` once more, compiled: frames that come one after the other, as documented.

A text is looked at once, from its first byte to its last, and nothing of it is kept: no reader
looks beyond the end. Whatever is rare (an escape, a letter beyond ASCII, a member that is missing,
unknown or there twice) ends the run, and is said by the Python.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcmp

from schemas.identity import ACCOUNT_BYTES_MAX
from schemas.times import venue_time
from schemas.venues import VENUES

cdef extern from *:
    """
    #define HEADROOM_INT64_MAX 9223372036854775807LL
    """
    const long long INT64_MAX "HEADROOM_INT64_MAX"

cdef enum:
    DEPTH_MAX = 16
    SEQUENCE = 1
    RECIPIENT = 2
    TIMESTAMP = 4
    PAYLOAD = 8
    ALL = 15

cdef struct Cursor:
    const unsigned char* at
    const unsigned char* end

cdef struct Piece:
    const unsigned char* start
    Py_ssize_t size

cdef struct Frame:
    long long sequence
    long long timestamp
    Piece account
    Piece payload

cdef bytes FEED = VENUES["sfox"].feed.encode()
cdef const char* _feed = FEED
cdef Py_ssize_t _feed_size = len(FEED)
cdef Py_ssize_t _account_max = ACCOUNT_BYTES_MAX

# What may stand in a string as it is: ASCII without controls, quotes and backslashes.
cdef unsigned char[256] _letter
cdef int _code
for _code in range(256):
    _letter[_code] = 0x20 <= _code < 0x7F and _code != 0x22 and _code != 0x5C


def plain_frames(list messages, Py_ssize_t first, object number):
    """See `producers.sfox.plain.plain_frames`; None where the first is not plain."""
    cdef Frame frame
    cdef Py_ssize_t at
    cdef long long expected = number
    cdef long long newest = -1
    cdef int unit = 0
    cdef object message
    cdef list keys = []
    cdef list contents = []
    frame.sequence = frame.timestamp = 0
    frame.account.start = frame.payload.start = NULL
    frame.account.size = frame.payload.size = 0
    for at in range(first, len(messages)):
        message = messages[at]
        if type(message) is not bytes or not is_plain(<bytes>message, &frame):
            break
        if frame.sequence != expected or expected == INT64_MAX:
            break
        # Of times in one unit the greatest is the newest.
        if newest < 0:
            unit = unit_of(frame.timestamp)
        elif unit_of(frame.timestamp) != unit:
            break
        if frame.timestamp > newest:
            newest = frame.timestamp
        keys.append(
            PyBytes_FromStringAndSize(<const char*>frame.account.start, frame.account.size)
        )
        contents.append(
            hash(PyBytes_FromStringAndSize(<const char*>frame.payload.start, frame.payload.size))
        )
        expected += 1
    return (keys, contents, venue_time(newest)) if keys else None


cdef int unit_of(long long timestamp) noexcept nogil:
    """In which unit `schemas.times` takes a timestamp to be."""
    if timestamp >= 100_000_000_000_000_000LL:
        return 1
    if timestamp >= 100_000_000_000_000LL:
        return 2
    return 3 if timestamp >= 100_000_000_000LL else 4


cdef bint is_plain(bytes message, Frame* frame) noexcept:
    """Whether a message is a frame as nearly all are; what is read of it."""
    cdef Cursor cursor
    cursor.at = <const unsigned char*>PyBytes_AS_STRING(message)
    cursor.end = cursor.at + PyBytes_GET_SIZE(message)
    return take_frame(&cursor, frame)


cdef bint take_frame(Cursor* cursor, Frame* frame) noexcept nogil:
    cdef Piece text
    cdef int found = 0
    cdef int member
    if not passed(cursor, c"{"):
        return False
    while True:
        if not take_string(cursor, &text) or not passed(cursor, c":"):
            return False
        member = member_of(&text)
        if member == 0 or found & member:
            return False
        found |= member
        if member == SEQUENCE:
            if not take_natural(cursor, &frame.sequence):
                return False
        elif member == TIMESTAMP:
            if not take_natural(cursor, &frame.timestamp):
                return False
        elif member == RECIPIENT:
            if not take_string(cursor, &text) or not is_same(&text, _feed, _feed_size):
                return False
        elif not take_payload(cursor, frame):
            return False
        if passed(cursor, c","):
            continue
        if not passed(cursor, c"}"):
            return False
        pass_blanks(cursor)
        return found == ALL and cursor.at == cursor.end


cdef int member_of(const Piece* name) noexcept nogil:
    if is_same(name, b"sequence", 8):
        return SEQUENCE
    if is_same(name, b"recipient", 9):
        return RECIPIENT
    if is_same(name, b"timestamp", 9):
        return TIMESTAMP
    return PAYLOAD if is_same(name, b"payload", 7) else 0


cdef bint take_payload(Cursor* cursor, Frame* frame) noexcept nogil:
    """An object with a `user_id` of its own, once."""
    cdef Piece name
    cdef bint is_told = False
    pass_blanks(cursor)
    frame.payload.start = cursor.at
    if not passed(cursor, c"{"):
        return False
    while True:
        if not take_string(cursor, &name) or not passed(cursor, c":"):
            return False
        if is_same(&name, b"user_id", 7):
            if is_told or not take_string(cursor, &frame.account):
                return False
            if not 0 < frame.account.size <= _account_max:
                return False
            is_told = True
        elif not take_value(cursor, 1):
            return False
        if passed(cursor, c","):
            continue
        if not passed(cursor, c"}"):
            return False
        frame.payload.size = cursor.at - frame.payload.start
        return is_told


cdef bint take_value(Cursor* cursor, int depth) noexcept nogil:
    """Pass over any value, as JSON has it."""
    cdef Piece text
    cdef unsigned char letter
    pass_blanks(cursor)
    if cursor.at == cursor.end or depth > DEPTH_MAX:
        return False
    letter = cursor.at[0]
    if letter == c'"':
        return take_string(cursor, &text)
    if letter == c"{":
        return take_object(cursor, depth)
    if letter == c"[":
        return take_array(cursor, depth)
    if letter == c"t":
        return take_word(cursor, b"true", 4)
    if letter == c"f":
        return take_word(cursor, b"false", 5)
    if letter == c"n":
        return take_word(cursor, b"null", 4)
    return take_number(cursor)


cdef bint take_object(Cursor* cursor, int depth) noexcept nogil:
    cdef Piece name
    cursor.at += 1
    if passed(cursor, c"}"):
        return True
    while True:
        if not take_string(cursor, &name) or not passed(cursor, c":"):
            return False
        if not take_value(cursor, depth + 1):
            return False
        if passed(cursor, c","):
            continue
        return passed(cursor, c"}")


cdef bint take_array(Cursor* cursor, int depth) noexcept nogil:
    cursor.at += 1
    if passed(cursor, c"]"):
        return True
    while True:
        if not take_value(cursor, depth + 1):
            return False
        if passed(cursor, c","):
            continue
        return passed(cursor, c"]")


cdef inline void pass_blanks(Cursor* cursor) noexcept nogil:
    while cursor.at < cursor.end and cursor.at[0] in (c" ", c"\n", c"\r", c"\t"):
        cursor.at += 1


cdef inline bint passed(Cursor* cursor, unsigned char wanted) noexcept nogil:
    """Pass over blanks and over this character."""
    if cursor.at < cursor.end and cursor.at[0] == wanted:
        cursor.at += 1
        return True
    pass_blanks(cursor)
    if cursor.at < cursor.end and cursor.at[0] == wanted:
        cursor.at += 1
        return True
    return False


cdef inline bint take_string(Cursor* cursor, Piece* into) noexcept nogil:
    """What stands between the quotes of a string of plain letters."""
    cdef const unsigned char* at
    if not passed(cursor, c'"'):
        return False
    at = into.start = cursor.at
    while at < cursor.end and _letter[at[0]]:
        at += 1
    into.size = at - into.start
    if at == cursor.end or at[0] != c'"':
        return False
    cursor.at = at + 1
    return True


cdef inline bint take_natural(Cursor* cursor, long long* into) noexcept nogil:
    """A number of 63 bits without sign, fraction or exponent."""
    cdef const unsigned char* start
    cdef long long number = 0
    cdef int digit
    pass_blanks(cursor)
    start = cursor.at
    while cursor.at < cursor.end and c"0" <= cursor.at[0] <= c"9":
        digit = cursor.at[0] - c"0"
        if number > (INT64_MAX - digit) // 10:
            return False
        number = 10 * number + digit
        cursor.at += 1
    if cursor.at == start or (start[0] == c"0" and cursor.at - start > 1):
        return False
    into[0] = number
    return cursor.at < cursor.end and cursor.at[0] not in (c".", c"e", c"E")


cdef inline bint take_digits(Cursor* cursor) noexcept nogil:
    cdef const unsigned char* start = cursor.at
    while cursor.at < cursor.end and c"0" <= cursor.at[0] <= c"9":
        cursor.at += 1
    return cursor.at > start


cdef bint take_number(Cursor* cursor) noexcept nogil:
    """Pass over a number, as JSON has it, that no reader takes for infinite."""
    cdef const unsigned char* start
    if cursor.at < cursor.end and cursor.at[0] == c"-":
        cursor.at += 1
    start = cursor.at
    if not take_digits(cursor) or (start[0] == c"0" and cursor.at - start > 1):
        return False
    if cursor.at < cursor.end and cursor.at[0] == c".":
        cursor.at += 1
        if not take_digits(cursor):
            return False
    # An exponent is rare.
    return cursor.at < cursor.end and cursor.at[0] not in (c"e", c"E")


cdef inline bint take_word(Cursor* cursor, const char* word, Py_ssize_t size) noexcept nogil:
    if cursor.end - cursor.at < size or memcmp(cursor.at, word, size) != 0:
        return False
    cursor.at += size
    return True


cdef inline bint is_same(const Piece* piece, const char* text, Py_ssize_t size) noexcept nogil:
    return piece.size == size and memcmp(piece.start, text, size) == 0
