"""The functions of the extension. Each takes C-contiguous buffers, and checks all that it is told.

Raises, of every function:
    ValueError: the data are not what the function reads, or an argument is outside its range.
    EOFError: a stream ends before its last sample.
    MemoryError: there is not enough memory.
"""

INSTRUCTIONS: str
"""The instructions of this processor that kernels make use of, such as "avx2 bmi2"; or ""."""
