# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The plain way through a message of Hercle's hub, compiled: from its text to the document.

It says what `processors.normalise.hercle` says, or nothing: a message that is not plain (an unknown
field, a key that stands twice, an exponent, a name with an escape) is left to the strict reader.
The account stands in it as an object, or as the JSON text of one in a string, as the hub sends it.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memchr

from processors.compiled.fields cimport Fields, fields_of, take_field, take_text
from processors.compiled.snapshot cimport (
    Raw,
    is_same_name,
    take_raw,
    write_head,
    write_middle,
    write_source,
    write_upper,
)
from processors.compiled.sums cimport write_sum
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
    take_natural,
    take_number,
    take_string,
    take_word,
    text_of,
    write,
    write_piece,
    write_string,
)

from schemas.codec import Told
from schemas.identity import ACCOUNT_BYTES_MAX, user_for
from schemas.rejections import NORMALISED_BYTES_MAX
from schemas.venues import VENUES

cdef enum:
    # Fields of an asset. Whoever names more assets than the last one goes the long way: each is
    # compared with all before it.
    NAME = 0, AVAILABLE = 1, ALLOCATED = 2, CURRENT = 3, MAX = 4, ITEM_FIELDS = 5
    ITEM_REQUIRED = 0b00111
    ITEMS_MAX = 64
    # Fields of an account.
    USER_ID = 0, SEQUENCE = 1, ASSETS = 2, BASE_CURRENCY = 3, TOTAL_CURRENT = 4, TOTAL_MAX = 5
    DELETED = 6
    DATA_REQUIRED = 0b1000111
    # Fields of a message.
    TYPE = 0, TARGET = 1, ARGUMENTS = 2
    MESSAGE_REQUIRED = 0b111
    # Fields of its argument; what the others say is not looked at.
    SUBJECT = 2, DATA = 5
    EVENT_REQUIRED = 0b100100
    INVOCATION = 1
    TARGET_LETTERS = 15
    # No limit repeats a longer one: then not even `ITEMS_MAX` of them are too large.
    BASE_CURRENCY_BYTES_MAX = 1024

# In the order in which the hub writes them. The texts live as long as the module.
cdef tuple MESSAGE_KEYS = ('"type":', '"target":', '"arguments":')
cdef tuple EVENT_KEYS = (
    '"channel":', '"topic":', '"subject":', '"type":', '"clientId":', '"data":'
)
cdef tuple DATA_KEYS = (
    '"userId":', '"sequence":', '"assets":', '"baseCurrency":', '"totalCurrentExposure":',
    '"totalMaxExposure":', '"deleted":',
)
cdef tuple ITEM_KEYS = (
    '"name":', '"available":', '"allocated":', '"currentExposure":', '"maxExposure":'
)
cdef Fields MESSAGE = fields_of(MESSAGE_KEYS)
cdef Fields EVENT = fields_of(EVENT_KEYS)

# How an account is written.
cdef struct Form:
    Fields account
    Fields item

cdef Form OBJECT, TEXT
OBJECT.account, OBJECT.item = fields_of(DATA_KEYS), fields_of(ITEM_KEYS)
cdef tuple DATA_KEYS_IN_TEXT = tuple([key.replace('"', '\\"') for key in DATA_KEYS])
cdef tuple ITEM_KEYS_IN_TEXT = tuple([key.replace('"', '\\"') for key in ITEM_KEYS])
TEXT.account, TEXT.item = fields_of(DATA_KEYS_IN_TEXT), fields_of(ITEM_KEYS_IN_TEXT)

cdef struct Item:
    Piece[ITEM_FIELDS] fields  # one that is unknown starts nowhere

cdef struct Frame:
    Piece account
    long long sequence
    Piece base_currency
    Piece current
    Piece max
    bint deleted
    Py_ssize_t count
    Item[ITEMS_MAX] items

cdef Py_ssize_t FRAME_BYTES_MAX = NORMALISED_BYTES_MAX
cdef Py_ssize_t ACCOUNT_MAX = ACCOUNT_BYTES_MAX
cdef str SUBJECT_TOLD = VENUES["hercle"].feed
cdef Piece SUBJECT_PIECE = piece_of(SUBJECT_TOLD)
cdef str VENUE = VENUES["hercle"].name

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
    if not _take_message(&cursor, &read) or not ended(&cursor):
        return None
    try:
        return _told(topic, received_time, &raw, &read)
    except UnicodeDecodeError:
        return None


# -- reading


cdef bint _take_message(Cursor* cursor, Frame* frame) noexcept nogil:
    cdef int field = -1
    cdef int found = 0
    cdef long long number
    if not passed(cursor, c"{"):
        return False
    while True:
        field = take_field(cursor, &MESSAGE, field, &found)
        if field == TYPE:
            if not take_natural(cursor, &number) or number != INVOCATION:
                return False
        elif field == TARGET:
            if not _take_target(cursor):
                return False
        elif field != ARGUMENTS or not _take_arguments(cursor, frame):
            return False
        if not passed(cursor, c","):
            return passed(cursor, c"}") and found & MESSAGE_REQUIRED == MESSAGE_REQUIRED


cdef bint _take_target(Cursor* cursor) noexcept nogil:
    """The hub's event, in letters of any case."""
    cdef Piece target
    cdef Piece wanted
    wanted.start, wanted.size = b"executionEvents", TARGET_LETTERS
    return take_string(cursor, &target) and is_same_name(&target, &wanted)


cdef bint _take_arguments(Cursor* cursor, Frame* frame) noexcept nogil:
    """One argument and no more."""
    if not passed(cursor, c"[") or not passed(cursor, c"{"):
        return False
    return _take_event(cursor, frame) and passed(cursor, c"]")


cdef bint _take_event(Cursor* cursor, Frame* frame) noexcept nogil:
    cdef int field = -1
    cdef int found = 0
    cdef Piece subject
    while True:
        field = take_field(cursor, &EVENT, field, &found)
        if field == SUBJECT:
            if not take_string(cursor, &subject):
                return False
            if not is_same(&subject, SUBJECT_PIECE.start, SUBJECT_PIECE.size):
                return False
        elif field == DATA:
            if not _take_data(cursor, frame):
                return False
        elif field < 0 or not _passed_plain(cursor):
            return False
        if not passed(cursor, c","):
            return passed(cursor, c"}") and found & EVENT_REQUIRED == EVENT_REQUIRED


cdef bint _passed_plain(Cursor* cursor) noexcept nogil:
    """Pass over a plain text, a number or null."""
    cdef Piece piece
    cdef long long number
    if take_word(cursor, b"null", 4):
        return True
    if cursor.at < cursor.end and cursor.at[0] == c'"':
        return take_string(cursor, &piece) and is_ascii(&piece)
    return take_natural(cursor, &number)


cdef bint _take_data(Cursor* cursor, Frame* frame) noexcept nogil:
    """The account, as an object or as a text that holds one."""
    cdef const char* start
    if passed(cursor, c"{"):
        return _take_account(cursor, frame, &OBJECT)
    if not passed(cursor, c'"'):
        return False
    start = cursor.at
    return (
        passed(cursor, c"{")
        and _take_account(cursor, frame, &TEXT)
        and passed(cursor, c'"')
        and _has_no_breaks(start, cursor.at - start)
    )


cdef inline bint _has_no_breaks(const char* text, Py_ssize_t size) noexcept nogil:
    """Whether no blank stands there that may not stand in a string."""
    return (
        memchr(text, c"\n", size) is NULL
        and memchr(text, c"\r", size) is NULL
        and memchr(text, c"\t", size) is NULL
    )


cdef bint _take_account(Cursor* cursor, Frame* frame, const Form* form) noexcept nogil:
    cdef int field = -1
    cdef int found = 0
    frame.base_currency.start = frame.current.start = frame.max.start = NULL
    while True:
        field = take_field(cursor, &form.account, field, &found)
        if field < 0 or not _take_field_of_account(cursor, frame, form, field):
            return False
        if not passed(cursor, c","):
            return passed(cursor, c"}") and found & DATA_REQUIRED == DATA_REQUIRED


cdef bint _take_field_of_account(
    Cursor* cursor, Frame* frame, const Form* form, int field
) noexcept nogil:
    if field == USER_ID:
        if not take_text(cursor, &form.account, &frame.account):
            return False
        return 0 < frame.account.size <= ACCOUNT_MAX
    if field == SEQUENCE:
        return take_natural(cursor, &frame.sequence)
    if field == ASSETS:
        return _take_items(cursor, frame, form)
    if field == TOTAL_CURRENT:
        return _take_known(cursor, &frame.current)
    if field == TOTAL_MAX:
        return _take_known(cursor, &frame.max)
    if field == DELETED:
        frame.deleted = take_word(cursor, b"true", 4)
        return frame.deleted or take_word(cursor, b"false", 5)
    if take_word(cursor, b"null", 4):
        return True
    return (
        take_text(cursor, &form.account, &frame.base_currency)
        and frame.base_currency.size <= BASE_CURRENCY_BYTES_MAX
        and is_ascii(&frame.base_currency)
    )


cdef bint _take_items(Cursor* cursor, Frame* frame, const Form* form) noexcept nogil:
    frame.count = 0
    if not passed(cursor, c"["):
        return False
    if passed(cursor, c"]"):
        return True
    while True:
        if frame.count == ITEMS_MAX:
            return False
        if not _take_item(cursor, &frame.items[frame.count], &form.item):
            return False
        frame.count += 1
        if not passed(cursor, c","):
            return passed(cursor, c"]")


cdef bint _take_item(Cursor* cursor, Item* item, const Fields* fields) noexcept nogil:
    cdef int field = -1
    cdef int found = 0
    item.fields[CURRENT].start = item.fields[MAX].start = NULL
    if not passed(cursor, c"{"):
        return False
    while True:
        field = take_field(cursor, fields, field, &found)
        if field == NAME:
            if not take_text(cursor, fields, &item.fields[NAME]):
                return False
            if not is_ascii(&item.fields[NAME]):
                return False
        elif field == CURRENT or field == MAX:
            if not _take_known(cursor, &item.fields[field]):
                return False
        elif field < 0 or not take_number(cursor, &item.fields[field]):
            return False
        if not passed(cursor, c","):
            return passed(cursor, c"}") and found & ITEM_REQUIRED == ITEM_REQUIRED


cdef inline bint _take_known(Cursor* cursor, Piece* into) noexcept nogil:
    """A number, or null for one that is unknown."""
    return take_word(cursor, b"null", 4) or take_number(cursor, into)


# -- writing


cdef object _told(str topic, str received_time, const Raw* raw, const Frame* read):
    cdef str user
    cdef Piece topic_piece = piece_of(topic)
    cdef Page* page = &_page
    if needs_escape(&topic_piece):
        return None
    user = user_for(VENUE, text_of(&read.account))
    clear(page)
    write_head(page, user, VENUE, &read.account, raw, read.sequence)
    write(page, b"null", 4)
    write_middle(page, received_time, read.deleted)
    if not _write_items(page, read):
        return None
    write(page, b'},"exposure":', 13)
    _write_exposure(page, read)
    write_source(page, &topic_piece, raw)
    return Told(user, bytes_of(page), received_time)


cdef bint _write_items(Page* page, const Frame* read) except -1:
    """Tell of all assets; False where two are one."""
    cdef Py_ssize_t number, other
    cdef const Piece* name
    for number in range(read.count):
        name = &read.items[number].fields[NAME]
        for other in range(number):
            if is_same_name(&read.items[other].fields[NAME], name):
                return False
        if number:
            write(page, b",", 1)
        _write_item(page, read.items[number].fields)
    return True


cdef int _write_item(Page* page, const Piece* fields) except -1:
    write(page, b'"', 1)
    write_upper(page, &fields[NAME])
    write(page, b'":{"total":"', 12)
    write_sum(page, &fields[AVAILABLE], &fields[ALLOCATED])
    write(page, b'","available":"', 15)
    write_piece(page, &fields[AVAILABLE])
    write(page, b'","held":"', 10)
    write_piece(page, &fields[ALLOCATED])
    write(page, b'","wallets":{},"exposure":', 26)
    if fields[CURRENT].start is NULL and fields[MAX].start is NULL:
        return write(page, b"null}", 5)
    write(page, b"{", 1)
    _write_limits(page, &fields[CURRENT], &fields[MAX])
    return write(page, b"}", 1)


cdef int _write_exposure(Page* page, const Frame* read) except -1:
    """The whole account's."""
    if read.base_currency.start is not NULL:
        write(page, b'{"base_currency":"', 18)
        write_upper(page, &read.base_currency)
        write(page, b'",', 2)
    elif read.current.start is NULL and read.max.start is NULL:
        return write(page, b"null", 4)
    else:
        write(page, b'{"base_currency":null,', 22)
    return _write_limits(page, &read.current, &read.max)


cdef int _write_limits(Page* page, const Piece* current, const Piece* max) except -1:
    """Both, to the brace behind them."""
    write(page, b'"current":', 10)
    _write_known(page, current)
    write(page, b',"max":', 7)
    _write_known(page, max)
    return write(page, b"}", 1)


cdef inline int _write_known(Page* page, const Piece* amount) except -1:
    return write(page, b"null", 4) if amount.start is NULL else write_string(page, amount)
