# cython: language_level=3
"""The fields of an object, as a reader expects them: nearly always all of them, and in order."""

from processors.compiled.text cimport (
    Cursor,
    Piece,
    expect,
    is_same,
    passed,
    piece_of,
    take_escaped,
    take_string,
)

cdef enum:
    FIELDS_MAX = 9

# Each key with its quotes and its colon, in the order in which they are expected. In an object
# that stands in a string all quotes are `escaped`.
cdef struct Fields:
    int count
    bint escaped
    Piece[FIELDS_MAX] keys


cdef inline Fields fields_of(tuple keys) except *:
    """The fields of these keys, which must be kept."""
    cdef Fields fields
    cdef int field
    fields.count = len(keys)
    for field in range(fields.count):
        fields.keys[field] = piece_of(keys[field])
    fields.escaped = fields.keys[0].start[0] == c"\\"
    return fields


cdef inline bint take_text(Cursor* cursor, const Fields* fields, Piece* into) noexcept nogil:
    """A string as it stands among these fields."""
    return take_escaped(cursor, into) if fields.escaped else take_string(cursor, into)


cdef inline int take_field(
    Cursor* cursor, const Fields* fields, int before, int* found
) noexcept nogil:
    """The number of the field whose key comes next, and its bit in `found`.

    It is -1 where the field is unknown or was found already. `before` is the field before, or -1.
    """
    cdef Piece name
    cdef const Piece* key
    cdef int quote
    cdef int field = before + 1 if before + 1 < fields.count else 0
    # Nearly always the field that follows the one before, and no blanks.
    if not expect(cursor, fields.keys[field].start, fields.keys[field].size):
        if not take_text(cursor, fields, &name) or not passed(cursor, c":"):
            return -1
        quote = 2 if fields.escaped else 1
        for field in range(fields.count):
            key = &fields.keys[field]
            if is_same(&name, key.start + quote, key.size - 2 * quote - 1):
                break
        else:
            return -1
    if found[0] & (1 << field):
        return -1
    found[0] |= 1 << field
    return field
