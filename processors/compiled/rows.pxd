# cython: language_level=3
"""What other compiled modules see of rows: their fields, and how one is written."""

from processors.compiled.account cimport Account
from processors.compiled.text cimport Page

cdef class Row:
    cdef readonly long long version
    cdef readonly Account newest
    cdef readonly list assets

cdef int write_row(Page* page, Row row) except -1
