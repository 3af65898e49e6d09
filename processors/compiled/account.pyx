# cython: language_level=3, boundscheck=False, wraparound=False
"""One account's snapshot, read from its document and left in it: nothing but positions is made.

Only what `schemas.codec.encode` writes of a plain snapshot is read: not deleted, without exposures,
amounts in their normal form, names of ASCII letters. Of any other document there is no `Account`.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memcmp, memcpy, strlen

from processors.compiled.text cimport (
    Cursor,
    Piece,
    expect,
    expect_natural,
    expect_string,
    is_ascii,
    is_normal,
    is_same,
    take_amount,
    text_of,
)

cdef enum:
    TIME_LETTERS = 30
    KNOWN = 5

# The wallets that nearly all accounts have, in their order: they need not be told apart.
cdef const char* WALLETS[KNOWN]
cdef Py_ssize_t WALLET_SIZES[KNOWN]
cdef int _known
WALLETS[:] = [b"trading", b"collateral", b"borrow", b"lending", b"staking"]
for _known in range(KNOWN):
    WALLET_SIZES[_known] = strlen(WALLETS[_known])


cdef class Account:
    """A snapshot that is still text: `document` has it whole."""

    def __init__(self):
        raise TypeError("an Account is read from a document")

    def __dealloc__(self):
        PyMem_Free(self.assets)

    @property
    def place(self):
        """Venue, account, epoch and receipt."""
        return text_of(&self.venue), text_of(&self.account), self.epoch, self.receipt

    @property
    def source(self):
        """Topic, partition and offset of the raw record."""
        return text_of(&self.topic), self.partition, self.offset

    @property
    def order(self):
        """Epoch, sequence and receipt: where the snapshot stands among those of its account."""
        return self.epoch, self.sequence, self.receipt

    @property
    def names(self):
        """The names of the assets, in the document's order."""
        cdef int number
        return [text_of(&self.assets[number].name) for number in range(self.count)]

    cdef const Asset* named(self, const Piece* name) noexcept:
        """The asset of a name, or NULL."""
        cdef int number
        for number in range(self.count):
            if compare(&self.assets[number].name, name) == 0:
                return &self.assets[number]
        return NULL

    cdef bint has_names_of(self, Account other) noexcept:
        """Whether both name the same assets in the same order."""
        cdef int number
        if self.count != other.count:
            return False
        for number in range(self.count):
            if compare(&self.assets[number].name, &other.assets[number].name) != 0:
                return False
        return True


def read(bytes document):
    """The account of a document; None where it is not plain."""
    cdef Cursor cursor
    cursor.at = PyBytes_AS_STRING(document)
    cursor.end = cursor.at + PyBytes_GET_SIZE(document)
    cdef Account account = account_at(&cursor, document)
    return account if account is not None and cursor.at == cursor.end else None


cdef Account account_at(Cursor* cursor, bytes document):
    """The account whose document begins at the cursor, inside the text of `document`."""
    cdef Account account = Account.__new__(Account)
    cdef Piece user, venue_time, received_time
    account.document = document
    if not (
        expect(cursor, b'{"user":', 8)
        and expect_string(cursor, &user)
        and expect(cursor, b',"venue":', 9)
        and expect_string(cursor, &account.venue)
        and is_ascii(&account.venue)
        and expect(cursor, b',"account":', 11)
        and expect_string(cursor, &account.account)
        and expect(cursor, b',"epoch":', 9)
        and expect_natural(cursor, &account.epoch)
        and expect(cursor, b',"sequence":', 12)
        and expect_natural(cursor, &account.sequence)
        and expect(cursor, b',"receipt":', 11)
        and expect_natural(cursor, &account.receipt)
        and expect(cursor, b',"venue_time":', 14)
        and (expect(cursor, b"null", 4) or _expect_time(cursor, &venue_time))
        and expect(cursor, b',"received_time":', 17)
        and _expect_time(cursor, &received_time)
        and expect(cursor, b',"deleted":false,"assets":', 26)
        and _expect_assets(cursor, account)
        and expect(cursor, b',"exposure":null,"source":{"topic":', 35)
        and expect_string(cursor, &account.topic)
        and is_ascii(&account.topic)
        and expect(cursor, b',"partition":', 13)
        and expect_natural(cursor, &account.partition)
        and expect(cursor, b',"offset":', 10)
        and expect_natural(cursor, &account.offset)
        and expect(cursor, b"}}", 2)
        and _sort(account)
    ):
        return None
    try:
        account.user = text_of(&user)
        text_of(&account.account)  # it has to be UTF-8
    except UnicodeDecodeError:
        return None
    account.received_time = text_of(&received_time)
    return account


cdef void move_to(Account account, bytes document, const char* start) noexcept:
    """Let a copy of the text that begins at `start` be the account's document."""
    cdef const char* to = PyBytes_AS_STRING(document)
    cdef Asset* asset
    cdef int number
    account.document = document
    _move(&account.venue, start, to)
    _move(&account.account, start, to)
    _move(&account.topic, start, to)
    _move(&account.content, start, to)
    for number in range(account.count):
        asset = &account.assets[number]
        _move(&asset.name, start, to)
        _move(&asset.total, start, to)
        _move(&asset.available, start, to)
        _move(&asset.held, start, to)


cdef inline void _move(Piece* piece, const char* start, const char* to) noexcept nogil:
    piece.start = to + (piece.start - start)


cdef bint _expect_time(Cursor* cursor, Piece* into) noexcept nogil:
    """A time as `schemas.times` writes it."""
    cdef int at
    cdef char letter
    cdef const char* form = b"0000-00-00T00:00:00.000000000Z"
    if not expect_string(cursor, into) or into.size != TIME_LETTERS:
        return False
    for at in range(TIME_LETTERS):
        letter = into.start[at]
        if form[at] == c"0":
            if not c"0" <= letter <= c"9":
                return False
        elif letter != form[at]:
            return False
    return True


cdef bint _expect_assets(Cursor* cursor, Account account) except -1:
    cdef Asset[ASSETS_MAX] assets
    cdef const char* start = cursor.at
    cdef int count = 0
    if not expect(cursor, b"{", 1):
        return False
    if not expect(cursor, b"}", 1):
        while True:
            if count == ASSETS_MAX or not _expect_asset(cursor, &assets[count]):
                return False
            count += 1
            if expect(cursor, b"}", 1):
                break
            if not expect(cursor, b",", 1):
                return False
    account.content.start, account.content.size = start, cursor.at - start
    account.assets = <Asset*>PyMem_Malloc(count * sizeof(Asset))
    if account.assets is NULL:
        raise MemoryError
    memcpy(account.assets, assets, count * sizeof(Asset))
    account.count = count
    return True


cdef bint _expect_asset(Cursor* cursor, Asset* asset) noexcept nogil:
    return (
        expect_string(cursor, &asset.name)
        and is_ascii(&asset.name)
        and expect(cursor, b':{"total":', 10)
        and _expect_amount(cursor, &asset.total)
        and expect(cursor, b',"available":', 13)
        and _expect_amount(cursor, &asset.available)
        and expect(cursor, b',"held":', 8)
        and _expect_amount(cursor, &asset.held)
        and expect(cursor, b',"wallets":{', 12)
        and _expect_wallets(cursor)
        and expect(cursor, b',"exposure":null}', 17)
    )


cdef bint _expect_amount(Cursor* cursor, Piece* into) noexcept nogil:
    return _expect_any_amount(cursor, into) and is_normal(into)


cdef inline bint _expect_any_amount(Cursor* cursor, Piece* into) noexcept nogil:
    return cursor.at < cursor.end and cursor.at[0] == c'"' and take_amount(cursor, into)


cdef bint _expect_wallets(Cursor* cursor) noexcept nogil:
    cdef Piece[WALLETS_MAX] names
    cdef Piece amount
    cdef int other, count = 0
    cdef bint all_known = True
    if expect(cursor, b"}", 1):
        return True
    while True:
        if count == WALLETS_MAX or not expect_string(cursor, &names[count]):
            return False
        all_known = all_known and count < KNOWN and is_same(
            &names[count], WALLETS[count], WALLET_SIZES[count]
        )
        if not all_known:
            for other in range(count):
                if compare(&names[other], &names[count]) == 0:
                    return False
            if not is_ascii(&names[count]):
                return False
        if not expect(cursor, b":", 1) or not _expect_any_amount(cursor, &amount):
            return False
        count += 1
        if expect(cursor, b"}", 1):
            return True
        if not expect(cursor, b",", 1):
            return False


cdef bint _sort(Account account) noexcept:
    """Put the assets in order; False where a name stands twice."""
    cdef int number, place, difference
    for number in range(account.count):
        place = number
        while place > 0:
            difference = compare(
                &account.assets[account.order[place - 1]].name, &account.assets[number].name
            )
            if difference == 0:
                return False
            if difference < 0:
                break
            account.order[place] = account.order[place - 1]
            place -= 1
        account.order[place] = <unsigned char>number
    return True


cdef int compare(const Piece* one, const Piece* other) noexcept nogil:
    """The order of two names: below, at or above 0."""
    cdef Py_ssize_t shorter = one.size if one.size < other.size else other.size
    cdef int difference = memcmp(one.start, other.start, shorter)
    if difference != 0:
        return difference
    return -1 if one.size < other.size else one.size > other.size
