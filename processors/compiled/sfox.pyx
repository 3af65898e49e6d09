# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The plain way through an sFOX frame, compiled: from its text to the snapshot's document.

It says what `processors.normalise.sfox` says, or nothing: a frame that is not plain (an escape, an
unknown field, a key that stands twice, a text that is no amount) is left to the strict reader.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport strlen

from processors.compiled.fields cimport Fields, fields_of, take_field
from processors.compiled.snapshot cimport (
    Raw,
    is_same_name,
    take_raw,
    write_head,
    write_middle,
    write_source,
    write_upper,
)
from processors.compiled.text cimport (
    Cursor,
    Page,
    Piece,
    bytes_of,
    clear,
    ended,
    is_ascii,
    is_same,
    needs_escape,
    passed,
    piece_of,
    take_amount,
    take_natural,
    take_string,
    text_of,
    write,
    write_piece,
)

from schemas.codec import Told
from schemas.identity import ACCOUNT_BYTES_MAX, user_for
from schemas.rejections import NORMALISED_BYTES_MAX
from schemas.times import venue_time
from schemas.venues import VENUES

cdef enum:
    # Fields of an update, and how many of them must be there.
    CURRENCY
    BALANCE
    AVAILABLE
    HELD
    FIRST_WALLET
    FIELDS = 9
    # Whoever names more goes the long way: each is compared with all before it.
    UPDATES_MAX = 64
    REQUIRED = (1 << FIRST_WALLET) - 1
    # Fields of a frame, and of its payload.
    SEQUENCE = 1
    RECIPIENT = 2
    TIMESTAMP = 4
    USER_ID = 8
    UPDATES = 16
    ALL = 31

# The fields as they stand in a frame, and as they are told. The keys live as long as the module.
cdef tuple KEYS = (
    '"currency":',
    '"balance":',
    '"available":',
    '"held":',
    '"trading_wallet":',
    '"collateral_wallet":',
    '"borrow_wallet":',
    '"lending_wallet":',
    '"staking_wallet":',
)
cdef Fields UPDATE = fields_of(KEYS)
cdef const char* TOLD[FIELDS]
cdef Py_ssize_t TOLD_SIZES[FIELDS]
TOLD[:] = [
    b'"',
    b'":{"total":"',
    b'","available":"',
    b'","held":"',
    b'"trading":"',
    b'"collateral":"',
    b'"borrow":"',
    b'"lending":"',
    b'"staking":"',
]
cdef int _field
for _field in range(FIELDS):
    TOLD_SIZES[_field] = strlen(TOLD[_field])

cdef struct Update:
    Piece[FIELDS] fields  # one that is not there starts nowhere

cdef struct Frame:
    int found
    long long sequence
    long long timestamp
    Piece account
    Py_ssize_t count
    Update[UPDATES_MAX] updates

cdef enum:
    NANOSECOND_DIGITS = 9

# From here on a timestamp counts nanoseconds.
cdef long long NANOSECONDS_MIN = 10**17
cdef long long NS_PER_S = 10**9

# Frames come thousands a second: the second before last is rarely asked for.
cdef long long _second = -1
cdef str _second_text = None

cdef Py_ssize_t FRAME_BYTES_MAX = NORMALISED_BYTES_MAX
cdef Py_ssize_t ACCOUNT_MAX = ACCOUNT_BYTES_MAX
cdef str FEED = VENUES["sfox"].feed
cdef Piece FEED_PIECE = piece_of(FEED)
cdef str VENUE = VENUES["sfox"].name

# The document that is being written: one at a time, as the interpreter's lock is held.
cdef Page _page
_page.start = NULL


def plain(str topic, long long partition, record):
    """What the snapshot of a plain raw record is told in; None for any other record.

    The document is what `schemas.codec.encode` makes of the snapshot, byte for byte.
    """
    cdef bytes data = record.value
    cdef Cursor cursor
    cdef Frame read
    cdef Raw raw
    cdef str received_time
    if data is None or PyBytes_GET_SIZE(data) > FRAME_BYTES_MAX:
        return None
    received_time = take_raw(record, partition, &raw)
    if received_time is None:
        return None
    cursor.at = PyBytes_AS_STRING(data)
    cursor.end = cursor.at + PyBytes_GET_SIZE(data)
    read.found, read.count = 0, 0
    if not _take_frame(&cursor, &read) or not ended(&cursor) or read.found != ALL:
        return None
    try:
        return _told(topic, received_time, &raw, &read)
    except UnicodeDecodeError:
        return None


# -- reading


cdef bint _take_frame(Cursor* cursor, Frame* frame) noexcept nogil:
    cdef Piece key, recipient
    if not passed(cursor, c"{"):
        return False
    while True:
        if not take_string(cursor, &key) or not passed(cursor, c":"):
            return False
        if is_same(&key, b"sequence", 8):
            if not _first(frame, SEQUENCE) or not take_natural(cursor, &frame.sequence):
                return False
        elif is_same(&key, b"recipient", 9):
            if not _first(frame, RECIPIENT) or not take_string(cursor, &recipient):
                return False
            if not is_same(&recipient, FEED_PIECE.start, FEED_PIECE.size):
                return False
        elif is_same(&key, b"timestamp", 9):
            if not _first(frame, TIMESTAMP) or not take_natural(cursor, &frame.timestamp):
                return False
        elif not is_same(&key, b"payload", 7) or not _take_payload(cursor, frame):
            return False
        if not passed(cursor, c","):
            return passed(cursor, c"}")


cdef bint _take_payload(Cursor* cursor, Frame* frame) noexcept nogil:
    cdef Piece key
    if not passed(cursor, c"{"):
        return False
    while True:
        if not take_string(cursor, &key) or not passed(cursor, c":"):
            return False
        if is_same(&key, b"user_id", 7):
            if not _first(frame, USER_ID) or not take_string(cursor, &frame.account):
                return False
            if not 0 < frame.account.size <= ACCOUNT_MAX:
                return False
        elif not is_same(&key, b"updates", 7):
            return False
        elif not _first(frame, UPDATES) or not _take_updates(cursor, frame):
            return False
        if not passed(cursor, c","):
            return passed(cursor, c"}")


cdef inline bint _first(Frame* frame, int field) noexcept nogil:
    """Whether a field is met for the first time."""
    if frame.found & field:
        return False
    frame.found |= field
    return True


cdef bint _take_updates(Cursor* cursor, Frame* frame) noexcept nogil:
    if not passed(cursor, c"["):
        return False
    if passed(cursor, c"]"):
        return True
    while True:
        if frame.count == UPDATES_MAX or not _take_update(cursor, &frame.updates[frame.count]):
            return False
        frame.count += 1
        if not passed(cursor, c","):
            return passed(cursor, c"]")


cdef bint _take_update(Cursor* cursor, Update* update) noexcept nogil:
    cdef int field = -1
    cdef int found = 0
    cdef int number
    for number in range(FIELDS):
        update.fields[number].start = NULL
        update.fields[number].size = 0
    if not passed(cursor, c"{"):
        return False
    while True:
        field = take_field(cursor, &UPDATE, field, &found)
        if field == CURRENCY:
            if not take_string(cursor, &update.fields[field]):
                return False
            if not is_ascii(&update.fields[field]):  # upper case may be longer elsewhere
                return False
        elif field < 0 or not take_amount(cursor, &update.fields[field]):
            return False
        if not passed(cursor, c","):
            return passed(cursor, c"}") and found & REQUIRED == REQUIRED


# -- writing


cdef object _told(str topic, str received_time, const Raw* raw, Frame* read):
    cdef str user
    cdef Piece topic_piece = piece_of(topic)
    cdef Page* page = &_page
    if needs_escape(&topic_piece):
        return None
    user = user_for(VENUE, text_of(&read.account))
    clear(page)
    write_head(page, user, VENUE, &read.account, raw, read.sequence)
    _write_venue_time(page, read.timestamp)
    write_middle(page, received_time, False)
    if not _write_updates(page, read):
        return None
    write(page, b'},"exposure":null', 17)
    write_source(page, &topic_piece, raw)
    return Told(user, bytes_of(page), received_time)


cdef bint _write_updates(Page* page, Frame* read) except -1:
    """Tell of all updates; False where two are of one asset."""
    cdef Py_ssize_t number, other
    cdef Piece* asset
    for number in range(read.count):
        asset = &read.updates[number].fields[CURRENCY]
        for other in range(number):
            if is_same_name(&read.updates[other].fields[CURRENCY], asset):
                return False
        if number:
            write(page, b",", 1)
        _write_update(page, &read.updates[number])
    return True


cdef int _write_update(Page* page, const Update* update) except -1:
    cdef int number
    cdef bint first = True
    write(page, TOLD[CURRENCY], TOLD_SIZES[CURRENCY])
    write_upper(page, &update.fields[CURRENCY])
    for number in range(BALANCE, FIRST_WALLET):
        _write_field(page, update, number)
    write(page, b'","wallets":{', 13)
    for number in range(FIRST_WALLET, FIELDS):
        if update.fields[number].start is NULL:
            continue
        if not first:
            write(page, b",", 1)
        first = False
        _write_field(page, update, number)
        write(page, b'"', 1)
    return write(page, b'},"exposure":null}', 18)


cdef inline int _write_field(Page* page, const Update* update, int field) except -1:
    write(page, TOLD[field], TOLD_SIZES[field])
    return write_piece(page, &update.fields[field])


cdef inline int _write_text(Page* page, str text) except -1:
    cdef Piece piece = piece_of(text)
    return write_piece(page, &piece)


cdef int _write_venue_time(Page* page, long long timestamp) except -1:
    """The venue's time; of nanoseconds without asking for the second that was just told."""
    cdef long long nanoseconds = timestamp % NS_PER_S
    cdef char* end
    cdef int at
    cdef object told
    global _second, _second_text
    if timestamp < NANOSECONDS_MIN:
        told = venue_time(timestamp)
        if told is None:
            return write(page, b"null", 4)
        write(page, b'"', 1)
        _write_text(page, told)
        return write(page, b'"', 1)
    if timestamp // NS_PER_S != _second:
        _second_text = venue_time(timestamp - nanoseconds)
        _second = timestamp // NS_PER_S
    write(page, b'"', 1)
    _write_text(page, _second_text)
    end = page.start + page.size - 2  # before the Z
    for at in range(NANOSECOND_DIGITS):
        end[-at] = <char>(c"0" + nanoseconds % 10)
        nanoseconds //= 10
    return write(page, b'"', 1)
