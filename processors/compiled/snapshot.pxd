# cython: language_level=3
"""What all venues' snapshots have in common: where the raw record stood, and how it is told."""

from processors.compiled.headers cimport take_receipt
from processors.compiled.text cimport Page, Piece, write, write_number, write_piece, write_text

# Where a raw record stands, at its venue and in Kafka.
cdef struct Raw:
    long long epoch
    long long receipt
    long long partition
    long long offset


cdef inline str take_raw(object record, long long partition, Raw* into):
    """Where a record stands; the time at which it was received, or None as `take_receipt` says."""
    into.partition, into.offset = partition, record.offset
    return take_receipt(record.headers, &into.epoch, &into.receipt)


cdef inline int write_head(
    Page* page, str user, str venue, const Piece* account, const Raw* raw, long long sequence
) except -1:
    """A snapshot up to the venue's time, which comes next."""
    write(page, b'{"user":', 8)
    write_text(page, user)
    write(page, b',"venue":', 9)
    write_text(page, venue)
    write(page, b',"account":"', 12)
    write_piece(page, account)
    write(page, b'","epoch":', 10)
    write_number(page, raw.epoch)
    write(page, b',"sequence":', 12)
    write_number(page, sequence)
    write(page, b',"receipt":', 11)
    write_number(page, raw.receipt)
    return write(page, b',"venue_time":', 14)


cdef inline int write_middle(Page* page, str received_time, bint deleted) except -1:
    """What stands between the venue's time and the first asset."""
    write(page, b',"received_time":', 17)
    write_text(page, received_time)
    if deleted:
        return write(page, b',"deleted":true,"assets":{', 26)
    return write(page, b',"deleted":false,"assets":{', 27)


cdef inline int write_source(Page* page, const Piece* topic, const Raw* raw) except -1:
    """What stands behind the account's exposure, to the end."""
    write(page, b',"source":{"topic":"', 20)
    write_piece(page, topic)
    write(page, b'","partition":', 14)
    write_number(page, raw.partition)
    write(page, b',"offset":', 10)
    write_number(page, raw.offset)
    return write(page, b"}}", 2)


# -- names of assets, of one byte a letter: elsewhere upper case may be longer


cdef inline bint is_same_name(const Piece* one, const Piece* other) noexcept nogil:
    """Whether two names are one in upper case."""
    cdef Py_ssize_t at
    if one.size != other.size:
        return False
    for at in range(one.size):
        if upper_of(one.start[at]) != upper_of(other.start[at]):
            return False
    return True


cdef inline int write_upper(Page* page, const Piece* name) except -1:
    """Add a name in upper case."""
    cdef char* letters
    cdef Py_ssize_t at
    write_piece(page, name)
    letters = page.start + page.size - name.size
    for at in range(name.size):
        letters[at] = upper_of(letters[at])
    return 0


cdef inline char upper_of(char letter) noexcept nogil:
    """A letter of ASCII in upper case."""
    return letter - 32 if c"a" <= letter <= c"z" else letter
