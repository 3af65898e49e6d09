# cython: language_level=3
"""What follows from a user's row, as the fold of users asks for it."""

from processors.compiled.rows cimport Row
from processors.compiled.text cimport Page

cdef int write_documents(Page* balances, Page* exposure, Row row) except -1
cdef list shares_of(Row row, str time, Row since)
