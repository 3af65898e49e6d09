# cython: language_level=3, boundscheck=False, wraparound=False
"""Users' shares of an asset's sum, read from a bundle and left in it, and what they move in it.

Only what `telling` and `processors.ledger.contributions` write is read, without escapes; of any
other bundle there are no plain shares, and with any other row nothing is exchanged.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from processors.compiled.account cimport compare
from processors.compiled.text cimport (
    Cursor,
    Page,
    Piece,
    bytes_of,
    clear,
    expect,
    expect_natural,
    expect_string,
    is_ascii,
    is_same,
    text_of,
    write,
    write_string,
)

from schemas.amounts import is_zero, sum_text, units_of

cdef enum:
    # Who holds an asset at more venues goes the long way.
    VENUES_MAX = 4
    # As long as `processors.ledger.contributions` lets an amount be.
    LETTERS_MAX = 130
    # What has more digits, or more of them behind the point, is added up as a Python int.
    DIGITS_MAX = 18
    PLACES_MAX = 18
    LONG = -1
    TOTAL = 0
    KINDS = 3

# A sum that has come this far is put aside: one amount more still fits, and not many.
cdef long long UNITS_KEPT_MAX = 8 * 10**18

# `units` of the last of so many `places`; those are LONG where they are not taken that way.
cdef struct Amount:
    Piece text
    long long units
    int places

cdef struct Holding:
    Piece venue
    Amount[KINDS] amounts

cdef struct Said:
    Piece asset
    Piece user
    Piece time
    long long version
    int count
    Holding[VENUES_MAX] holdings

# The key that is being written: one at a time, as the interpreter's lock is held.
cdef Page _page
_page.start = NULL


cdef class PlainShare:
    """A contribution that is still text; `key` is its sum's, `row` that of its row below it."""

    cdef readonly bytes key
    cdef readonly bytes row
    cdef bytes _bundle
    cdef Piece _text
    cdef Said _said

    def __init__(self):
        raise TypeError("a PlainShare is read from a bundle")

    @property
    def asset(self):
        return text_of(&self._said.asset)

    @property
    def version(self):
        return self._said.version

    @property
    def time(self):
        return text_of(&self._said.time)

    @property
    def data(self):
        """The contribution's own bytes."""
        return PyBytes_FromStringAndSize(self._text.start, self._text.size)

    def stands_in(self, bytes row):
        """Whether a row (None: there is none) says just this."""
        return row is not None and is_same(
            &self._text, PyBytes_AS_STRING(row), PyBytes_GET_SIZE(row)
        )


def read_bundle(bytes bundle):
    """The shares of one record's value; None where any of it is not plain."""
    cdef Cursor cursor
    cdef list shares = []
    cdef PlainShare share, before = None
    cursor.at = PyBytes_AS_STRING(bundle)
    cursor.end = cursor.at + PyBytes_GET_SIZE(bundle)
    if not expect(&cursor, b"[", 1):
        return None
    while True:
        share = PlainShare.__new__(PlainShare)
        share._text.start = cursor.at
        if not _take_share(&cursor, &share._said):
            return None
        share._text.size = cursor.at - share._text.start
        share._bundle = bundle
        # All of a bundle are of one sum, as long as nobody else writes there.
        if before is not None and compare(&before._said.asset, &share._said.asset) == 0:
            share.key = before.key
        else:
            share.key = _key(&share._said, False)
        share.row = _key(&share._said, True)
        shares.append(share)
        before = share
        if not expect(&cursor, b",", 1):
            break
    return shares if expect(&cursor, b"]", 1) and cursor.at == cursor.end else None


cdef bytes _key(const Said* said, bint of_row):
    cdef Page* page = &_page
    clear(page)
    write(page, b'["asset",', 9)
    write_string(page, &said.asset)
    if of_row:
        write(page, b",", 1)
        write_string(page, &said.user)
    write(page, b"]", 1)
    return bytes_of(page)


# -- reading


cdef bint _take_share(Cursor* cursor, Said* into) except -1:
    cdef int number
    if not _expect_share(cursor, into):
        return False
    if not (_is_text(&into.asset) and _is_text(&into.user) and _is_text(&into.time)):
        return False
    for number in range(into.count):
        if not _is_text(&into.holdings[number].venue):
            return False
    return True


cdef inline bint _is_text(const Piece* piece) except -1:
    """Whether a piece is UTF-8."""
    if is_ascii(piece):
        return True
    try:
        text_of(piece)
    except UnicodeDecodeError:
        return False
    return True


cdef bint _expect_share(Cursor* cursor, Said* into) noexcept nogil:
    return (
        expect(cursor, b'{"kind":"asset","asset":', 24)
        and expect_string(cursor, &into.asset)
        and expect(cursor, b',"user":', 8)
        and expect_string(cursor, &into.user)
        and expect(cursor, b',"version":', 11)
        and expect_natural(cursor, &into.version)
        and expect(cursor, b',"time":', 8)
        and expect_string(cursor, &into.time)
        and expect(cursor, b',"venues":{', 11)
        and _expect_holdings(cursor, into)
        and expect(cursor, b"}", 1)
    )


cdef bint _expect_holdings(Cursor* cursor, Said* into) noexcept nogil:
    cdef int other
    into.count = 0
    if expect(cursor, b"}", 1):
        return True
    while True:
        if into.count == VENUES_MAX or not _expect_holding(cursor, &into.holdings[into.count]):
            return False
        for other in range(into.count):
            if compare(&into.holdings[other].venue, &into.holdings[into.count].venue) == 0:
                return False
        into.count += 1
        if not expect(cursor, b",", 1):
            return expect(cursor, b"}", 1)


cdef bint _expect_holding(Cursor* cursor, Holding* into) noexcept nogil:
    return (
        expect_string(cursor, &into.venue)
        and expect(cursor, b':{"total":"', 11)
        and _expect_amount(cursor, &into.amounts[0])
        and expect(cursor, b'","available":"', 15)
        and _expect_amount(cursor, &into.amounts[1])
        and expect(cursor, b'","held":"', 10)
        and _expect_amount(cursor, &into.amounts[2])
        and expect(cursor, b'"}', 2)
    )


cdef bint _expect_amount(Cursor* cursor, Amount* into) noexcept nogil:
    """An amount of any length that contributions have, and what it is in units of its last place.

    Zeros in front say nothing: they are no digits that have to fit.
    """
    cdef const char* at = cursor.at
    cdef const char* first
    cdef char letter
    cdef long long units = 0
    cdef int digits = 0, places = -1  # until the point
    if at < cursor.end and at[0] == c"-":
        at += 1
    first = at
    while at < cursor.end:
        letter = at[0]
        if c"0" <= letter <= c"9":
            digits += digits > 0 or letter != c"0"
            if digits <= DIGITS_MAX:
                units = 10 * units + (letter - c"0")
            places += places >= 0
        elif letter == c"." and places < 0 and at > first:
            places = 0
        else:
            break
        at += 1
        if at - cursor.at > LETTERS_MAX:
            return False
    if at == first or places == 0:
        return False
    into.text.start, into.text.size = cursor.at, at - cursor.at
    into.units = -units if cursor.at[0] == c"-" else units
    into.places = 0 if places < 0 else places
    if digits > DIGITS_MAX or places > PLACES_MAX:
        into.places = LONG
    cursor.at = at
    return True


cdef bint _is_nothing(const Amount* amount) noexcept nogil:
    cdef Py_ssize_t at
    if amount.places != LONG:
        return amount.units == 0
    for at in range(amount.text.size):
        if c"1" <= amount.text.start[at] <= c"9":
            return False
    return True


cdef bint _holds(const Said* said) except -1:
    """Whether a user's total over all venues is not zero."""
    cdef int number
    cdef bint all_nothing = True, plain = True
    cdef const Amount* total
    for number in range(said.count):
        total = &said.holdings[number].amounts[TOTAL]
        all_nothing = all_nothing and _is_nothing(total)
        plain = plain and total.places != LONG and total.units >= 0
    if plain or said.count == 1:
        return not all_nothing
    totals = [text_of(&said.holdings[number].amounts[TOTAL].text) for number in range(said.count)]
    return not is_zero(sum_text(totals))


# -- exchanging


cdef class _Held:
    """What was moved at one venue: by kind of amount and number of places, the difference of the
    addends and of their sum in units of the last place.

    `aside` has the same, as Python ints, of what `units` has no room for.
    """

    cdef bytes venue
    cdef long long rows
    cdef long long users
    cdef long long[KINDS][PLACES_MAX + 1] addends
    cdef long long[KINDS][PLACES_MAX + 1] units
    cdef dict aside

    cdef int put_aside(self, int kind, int places, object addends, object units) except -1:
        cdef list part = self.aside.setdefault((kind, places), [0, 0])
        part[0] += addends
        part[1] += units
        return 0

    cdef int add(self, int kind, const Amount* amount, int sign) except -1:
        cdef int places = amount.places
        cdef long long* units
        if places == LONG:
            found, places = units_of(text_of(&amount.text))
            return self.put_aside(kind, places, sign, sign * found)
        units = &self.units[kind][places]
        if units[0] > UNITS_KEPT_MAX or units[0] < -UNITS_KEPT_MAX:
            self.put_aside(kind, places, 0, units[0])
            units[0] = 0
        units[0] += sign * amount.units
        self.addends[kind][places] += sign
        return 0

    cdef tuple said(self):
        cdef int kind, places
        for kind in range(KINDS):
            for places in range(PLACES_MAX + 1):
                if self.addends[kind][places] or self.units[kind][places]:
                    self.put_aside(
                        kind, places, self.addends[kind][places], self.units[kind][places]
                    )
                    self.addends[kind][places] = self.units[kind][places] = 0
        parts = [(*at, *part) for at, part in self.aside.items() if part != [0, 0]]
        return self.venue.decode(), self.rows, self.users, parts


cdef class Moved:
    """What plain shares of one asset, one after the other, move in its sum."""

    cdef readonly long long users
    cdef list _venues

    def __init__(self):
        self._venues = []

    def exchange(self, PlainShare new, bytes row):
        """Take out what a user's row says (None: there is none), and a newer share in.

        False where the row is newer: then nothing is exchanged. None where it is not plain, or
        not of this asset: then it was never counted here.
        """
        cdef Cursor cursor
        cdef Said old
        if row is not None:
            cursor.at = PyBytes_AS_STRING(row)
            cursor.end = cursor.at + PyBytes_GET_SIZE(row)
            if not (
                _take_share(&cursor, &old)
                and cursor.at == cursor.end
                and compare(&old.asset, &new._said.asset) == 0
            ):
                return None
            if old.version > new._said.version:
                return False
            self._count(&old, -1)
        self._count(&new._said, 1)
        return True

    @property
    def venues(self):
        """Of each venue: name, rows, users, and of each kind of amount (total, available, held)
        and number of places what there is more of, in addends and in units of the last place.
        """
        return [(<_Held>held).said() for held in self._venues]

    cdef int _count(self, const Said* said, int sign) except -1:
        cdef int number, kind
        cdef const Holding* holding
        cdef _Held held
        for number in range(said.count):
            holding = &said.holdings[number]
            held = self._at(&holding.venue)
            for kind in range(KINDS):
                held.add(kind, &holding.amounts[kind], sign)
            held.rows += sign
            if not _is_nothing(&holding.amounts[TOTAL]):
                held.users += sign
        if _holds(said):
            self.users += sign
        return 0

    cdef _Held _at(self, const Piece* venue):
        cdef _Held held
        for one in self._venues:
            held = <_Held>one
            if is_same(venue, PyBytes_AS_STRING(held.venue), PyBytes_GET_SIZE(held.venue)):
                return held
        held = _Held.__new__(_Held)  # its numbers are zero
        held.venue = PyBytes_FromStringAndSize(venue.start, venue.size)
        held.aside = {}
        self._venues.append(held)
        return held
