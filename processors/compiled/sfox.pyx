# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The plain way through an sFOX frame, compiled: from its text to the snapshot's document.

It says what `processors.normalise.sfox` says, or nothing: a frame that is not plain (an escape, an
unknown field, a key that stands twice, a text that is no amount) is left to the strict reader.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport strlen

from processors.compiled.headers cimport take_receipt
from processors.compiled.text cimport (
    Cursor,
    Page,
    Piece,
    bytes_of,
    clear,
    ended,
    expect,
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
    write_number,
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

# The fields as they stand in a frame, and as they are told.
cdef const char* KEYS[FIELDS]
cdef Py_ssize_t KEY_SIZES[FIELDS]
KEYS[:] = [
    b'"currency":',
    b'"balance":',
    b'"available":',
    b'"held":',
    b'"trading_wallet":',
    b'"collateral_wallet":',
    b'"borrow_wallet":',
    b'"lending_wallet":',
    b'"staking_wallet":',
]
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
    KEY_SIZES[_field] = strlen(KEYS[_field])
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

# Where a raw record stands, at its venue and in Kafka.
cdef struct Raw:
    long long epoch
    long long receipt
    long long partition
    long long offset

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
    received_time = take_receipt(record.headers, &raw.epoch, &raw.receipt)
    if received_time is None:
        return None
    raw.partition, raw.offset = partition, record.offset
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
    cdef Piece key
    cdef int field = FIELDS - 1  # that before the first
    cdef int found = 0
    cdef int number
    for number in range(FIELDS):
        update.fields[number].start = NULL
        update.fields[number].size = 0
    if not passed(cursor, c"{"):
        return False
    while True:
        field = field + 1 if field + 1 < FIELDS else 0
        # Nearly always the field that follows the one before, and no blanks.
        if not expect(cursor, KEYS[field], KEY_SIZES[field]):
            if not take_string(cursor, &key) or not passed(cursor, c":"):
                return False
            field = _field_named(&key)
            if field < 0:
                return False
        if found & (1 << field):
            return False
        found |= 1 << field
        if field == CURRENCY:
            if not take_string(cursor, &update.fields[field]):
                return False
            if not is_ascii(&update.fields[field]):  # upper case may be longer elsewhere
                return False
        elif not take_amount(cursor, &update.fields[field]):
            return False
        if not passed(cursor, c","):
            return passed(cursor, c"}") and found & REQUIRED == REQUIRED


cdef inline int _field_named(const Piece* key) noexcept nogil:
    """The field of a name, or -1."""
    cdef int field
    for field in range(FIELDS):
        # Its key is the name between quotes, and a colon.
        if is_same(key, KEYS[field] + 1, KEY_SIZES[field] - 3):
            return field
    return -1


# -- writing


cdef object _told(str topic, str received_time, const Raw* raw, Frame* read):
    cdef str user
    cdef Piece topic_piece = piece_of(topic)
    cdef Page* page = &_page
    if needs_escape(&topic_piece):
        return None
    user = user_for(VENUE, text_of(&read.account))
    clear(page)
    write(page, b'{"user":"', 9)
    _write_text(page, user)
    write(page, b'","venue":"', 11)
    _write_text(page, VENUE)
    write(page, b'","account":"', 13)
    write_piece(page, &read.account)
    write(page, b'","epoch":', 10)
    write_number(page, raw.epoch)
    write(page, b',"sequence":', 12)
    write_number(page, read.sequence)
    write(page, b',"receipt":', 11)
    write_number(page, raw.receipt)
    write(page, b',"venue_time":', 14)
    _write_venue_time(page, read.timestamp)
    write(page, b',"received_time":"', 18)
    _write_text(page, received_time)
    write(page, b'","deleted":false,"assets":{', 28)
    if not _write_updates(page, read):
        return None
    write(page, b'},"exposure":null,"source":{"topic":"', 37)
    write_piece(page, &topic_piece)
    write(page, b'","partition":', 14)
    write_number(page, raw.partition)
    write(page, b',"offset":', 10)
    write_number(page, raw.offset)
    write(page, b"}}", 2)
    return Told(user, bytes_of(page), received_time)


cdef bint _write_updates(Page* page, Frame* read) except -1:
    """Tell of all updates; False where two are of one asset."""
    cdef Py_ssize_t number, other
    cdef Piece* asset
    for number in range(read.count):
        asset = &read.updates[number].fields[CURRENCY]
        for other in range(number):
            if _is_same_asset(&read.updates[other].fields[CURRENCY], asset):
                return False
        if number:
            write(page, b",", 1)
        _write_update(page, &read.updates[number])
    return True


cdef bint _is_same_asset(const Piece* one, const Piece* other) noexcept nogil:
    cdef Py_ssize_t at
    if one.size != other.size:
        return False
    for at in range(one.size):
        if _upper(one.start[at]) != _upper(other.start[at]):
            return False
    return True


cdef inline char _upper(char letter) noexcept nogil:
    return letter - 32 if c"a" <= letter <= c"z" else letter


cdef int _write_update(Page* page, const Update* update) except -1:
    cdef int number
    cdef bint first = True
    cdef char* name
    _write_field(page, update, CURRENCY)
    name = page.start + page.size - update.fields[CURRENCY].size
    for number in range(update.fields[CURRENCY].size):
        name[number] = _upper(name[number])
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
