# cython: language_level=3
"""JSON text in memory: read without copying, written without objects.

Readers move a cursor and say whether they found what was asked for; a `False` means that the text
is not plain, and nothing more. No reader looks beyond the end, and a page grows as it is written
to, so no text is too long for either.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memcmp, memcpy

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL

cdef extern from *:
    """
    #define HEADROOM_INT64_MAX 9223372036854775807LL
    """
    const long long INT64_MAX "HEADROOM_INT64_MAX"

cdef enum:
    AMOUNT_DIGITS_MAX = 38
    PAGE_BYTES = 16 * 1024
    PAGE_BYTES_KEPT = 1024 * 1024
    NUMBER_LETTERS_MAX = 20

# A piece of a text that somebody else keeps.
cdef struct Piece:
    const char* start
    Py_ssize_t size

cdef struct Cursor:
    const char* at
    const char* end

# What was written so far; one that starts nowhere has yet to be cleared.
cdef struct Page:
    char* start
    Py_ssize_t size
    Py_ssize_t room


# -- reading


cdef inline void pass_blanks(Cursor* cursor) noexcept nogil:
    """Pass over blanks."""
    while cursor.at < cursor.end and (
        cursor.at[0] == c" " or cursor.at[0] == c"\n" or cursor.at[0] == c"\r" or cursor.at[0] == c"\t"
    ):
        cursor.at += 1


cdef inline bint passed(Cursor* cursor, char wanted) noexcept nogil:
    """Pass over blanks and over this character."""
    pass_blanks(cursor)
    return passed_here(cursor, wanted)


cdef inline bint passed_here(Cursor* cursor, char wanted) noexcept nogil:
    """Pass over this character, and over no blanks."""
    if cursor.at < cursor.end and cursor.at[0] == wanted:
        cursor.at += 1
        return True
    return False


cdef inline bint take_word(Cursor* cursor, const char* word, Py_ssize_t size) noexcept nogil:
    """Pass over blanks and over this word (`null`, `true`)."""
    pass_blanks(cursor)
    return expect(cursor, word, size)


cdef inline bint ended(Cursor* cursor) noexcept nogil:
    """Whether nothing but blanks is left."""
    pass_blanks(cursor)
    return cursor.at == cursor.end


cdef inline bint take_string(Cursor* cursor, Piece* into) noexcept nogil:
    """What stands between the quotes of a string without escapes."""
    cdef const char* at
    if not passed(cursor, c'"'):
        return False
    at = into.start = cursor.at
    while at < cursor.end:
        if at[0] == c'"':
            into.size = at - into.start
            cursor.at = at + 1
            return True
        if at[0] == c"\\" or <unsigned char>at[0] < 0x20:
            return False
        at += 1
    return False


cdef inline bint take_escaped(Cursor* cursor, Piece* into) noexcept nogil:
    """The same of a string in a text that is itself a string: the quotes alone are escaped."""
    cdef const char* at
    if not passed(cursor, c"\\") or not passed_here(cursor, c'"'):
        return False
    at = into.start = cursor.at
    while at < cursor.end:
        if at[0] == c"\\":
            into.size = at - into.start
            cursor.at = at + 1
            return passed_here(cursor, c'"')
        if at[0] == c'"' or <unsigned char>at[0] < 0x20:
            return False
        at += 1
    return False


cdef inline bint take_natural(Cursor* cursor, long long* into) noexcept nogil:
    """A number of 63 bits without sign, fraction or exponent."""
    cdef const char* start
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


cdef inline bint is_same(const Piece* piece, const char* text, Py_ssize_t size) noexcept nogil:
    """Whether a piece says just this."""
    return piece.size == size and memcmp(piece.start, text, size) == 0


cdef inline bint is_ascii(const Piece* piece) noexcept nogil:
    """Whether every letter is one byte."""
    cdef Py_ssize_t at
    for at in range(piece.size):
        if <unsigned char>piece.start[at] >= 0x80:
            return False
    return True


cdef inline bint take_amount(Cursor* cursor, Piece* into) noexcept nogil:
    """What stands between quotes if it is an amount: 38 digits at most on each side of the point."""
    if not passed(cursor, c'"'):
        return False
    return _take_digits(cursor, into) and passed_here(cursor, c'"')


cdef inline bint take_number(Cursor* cursor, Piece* into) noexcept nogil:
    """A JSON number that is an amount as it stands; where an exponent follows, nothing else may."""
    cdef const char* first
    pass_blanks(cursor)
    if not _take_digits(cursor, into):
        return False
    first = into.start + (into.start[0] == c"-")
    return first[0] != c"0" or first + 1 == cursor.at or first[1] == c"."


cdef inline bint _take_digits(Cursor* cursor, Piece* into) noexcept nogil:
    """The digits of an amount, its sign and its point; they begin here."""
    cdef const char* at = cursor.at
    cdef const char* end = cursor.end
    cdef const char* digits
    into.start = at
    if at < end and at[0] == c"-":
        at += 1
    digits = at
    while at < end and c"0" <= at[0] <= c"9":
        at += 1
    if at == digits or at - digits > AMOUNT_DIGITS_MAX:
        return False
    if at < end and at[0] == c".":
        at += 1
        digits = at
        while at < end and c"0" <= at[0] <= c"9":
            at += 1
        if at == digits or at - digits > AMOUNT_DIGITS_MAX:
            return False
    into.size = at - into.start
    cursor.at = at
    return True


cdef inline bint is_normal(const Piece* amount) noexcept nogil:
    """Whether an amount is written as a sum of it alone would be: no sign, no zeros in front."""
    return amount.start[0] != c"-" and (
        amount.start[0] != c"0" or amount.size == 1 or amount.start[1] == c"."
    )


cdef inline bint is_zero(const Piece* amount) noexcept nogil:
    """Whether an amount without a sign is nothing."""
    cdef Py_ssize_t at
    for at in range(amount.size):
        if amount.start[at] != c"0" and amount.start[at] != c".":
            return False
    return True


cdef inline bint needs_escape(const Piece* piece) noexcept nogil:
    """Whether a piece cannot stand in a JSON string as it is."""
    cdef Py_ssize_t at
    cdef char letter
    for at in range(piece.size):
        letter = piece.start[at]
        if letter == c'"' or letter == c"\\" or <unsigned char>letter < 0x20:
            return True
    return False


# -- reading what was written here: not a blank, nothing in another order


cdef inline bint expect(Cursor* cursor, const char* text, Py_ssize_t size) noexcept nogil:
    """Pass over just this text."""
    if cursor.end - cursor.at < size or memcmp(cursor.at, text, size) != 0:
        return False
    cursor.at += size
    return True


cdef inline bint expect_string(Cursor* cursor, Piece* into) noexcept nogil:
    """What stands between the quotes of a string that begins here."""
    return cursor.at < cursor.end and cursor.at[0] == c'"' and take_string(cursor, into)


cdef inline bint expect_natural(Cursor* cursor, long long* into) noexcept nogil:
    """A number that begins here."""
    return cursor.at < cursor.end and c"0" <= cursor.at[0] <= c"9" and take_natural(cursor, into)


cdef inline Piece piece_of(str text) except *:
    """The letters of a text; they live as long as the text does."""
    cdef Piece piece
    piece.start = PyUnicode_AsUTF8AndSize(text, &piece.size)
    return piece


cdef inline str text_of(const Piece* piece):
    """A piece as a text of its own; UnicodeDecodeError where it is not UTF-8."""
    return PyUnicode_DecodeUTF8(piece.start, piece.size, NULL)


# -- writing


cdef inline int clear(Page* page) except -1:
    """Make a page empty. It is kept for the next text, unless the last one was a giant."""
    page.size = 0
    if page.start is NULL or page.room > PAGE_BYTES_KEPT:
        PyMem_Free(page.start)
        page.room = PAGE_BYTES
        page.start = <char*>PyMem_Malloc(PAGE_BYTES)
        if page.start is NULL:
            raise MemoryError
    return 0


cdef inline int reserve(Page* page, Py_ssize_t size) except -1:
    """Make room for so many bytes more."""
    cdef char* start
    if page.room - page.size < size:
        start = <char*>PyMem_Realloc(page.start, 2 * page.room + size)
        if start is NULL:
            raise MemoryError
        page.start = start
        page.room = 2 * page.room + size
    return 0


cdef inline int write(Page* page, const char* text, Py_ssize_t size) except -1:
    """Add a text to a page."""
    reserve(page, size)
    memcpy(page.start + page.size, text, size)
    page.size += size
    return 0


cdef inline int write_piece(Page* page, const Piece* piece) except -1:
    """Add a piece to a page."""
    return write(page, piece.start, piece.size)


cdef inline int write_string(Page* page, const Piece* piece) except -1:
    """Add a text that needs no escape, as a JSON string."""
    write(page, b'"', 1)
    write_piece(page, piece)
    return write(page, b'"', 1)


cdef inline int write_text(Page* page, str text) except -1:
    """The same of a text in an object."""
    cdef Piece piece = piece_of(text)
    return write_string(page, &piece)


cdef inline int write_number(Page* page, long long number) except -1:
    """Add a number that is not negative."""
    cdef char[NUMBER_LETTERS_MAX] digits
    cdef int at = NUMBER_LETTERS_MAX
    while True:
        at -= 1
        digits[at] = <char>(c"0" + number % 10)
        number //= 10
        if number == 0:
            return write(page, digits + at, NUMBER_LETTERS_MAX - at)


cdef inline bytes bytes_of(const Page* page):
    """What stands on a page."""
    return PyBytes_FromStringAndSize(page.start, page.size)
