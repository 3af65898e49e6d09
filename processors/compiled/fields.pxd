# cython: language_level=3
"""The fields of an object, as a reader expects them: nearly always all of them, and in order."""

from processors.compiled.text cimport Cursor, Piece, expect, is_same, passed, piece_of, take_string

cdef enum:
    FIELDS_MAX = 9

# Each key with its quotes and its colon, in the order in which they are expected.
cdef struct Fields:
    int count
    Piece[FIELDS_MAX] keys


cdef inline Fields fields_of(tuple keys) except *:
    """The fields of these keys, which must be kept."""
    cdef Fields fields
    cdef int field
    fields.count = len(keys)
    for field in range(fields.count):
        fields.keys[field] = piece_of(keys[field])
    return fields


cdef inline int take_field(
    Cursor* cursor, const Fields* fields, int before, int* found
) noexcept nogil:
    """The number of the field whose key comes next, and its bit in `found`.

    It is -1 where the field is unknown or was found already. `before` is the field before, or -1.
    """
    cdef Piece name
    cdef int field = before + 1 if before + 1 < fields.count else 0
    # Nearly always the field that follows the one before, and no blanks.
    if not expect(cursor, fields.keys[field].start, fields.keys[field].size):
        if not take_string(cursor, &name) or not passed(cursor, c":"):
            return -1
        for field in range(fields.count):
            if is_same(&name, fields.keys[field].start + 1, fields.keys[field].size - 3):
                break
        else:
            return -1
    if found[0] & (1 << field):
        return -1
    found[0] |= 1 << field
    return field
