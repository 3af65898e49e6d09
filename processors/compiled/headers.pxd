# cython: language_level=3
"""What other compiled modules read of a raw record's headers."""


cdef str take_receipt(object headers, long long* epoch, long long* number)
