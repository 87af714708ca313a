"""What becomes of memory that is freed.

glibc, the C library of most Linux systems, gives large blocks back to the system when they are freed, and gets the next
ones page by page, filled with zeros. Where such blocks are needed again and again, that takes a sixth to a quarter of
the time. So it is told to keep them, see mallopt(3). Other libraries are left to do as they do.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of parameters, see malloc.h
_SOME, _MUCH = 31 << 20, 1 << 30  # bytes


def keep_some() -> None:
    """Keep freed blocks of up to 31 MB, such as those of a chunk of texts, and up to 62 MB of them."""
    _keep(_SOME)


@contextmanager
def keep_much() -> Iterator[None]:
    """Keep freed blocks of up to 1 GB, such as copies of a corpus's features; then give them back, and `keep_some`."""
    _keep(_MUCH)
    try:
        yield
    finally:
        _keep(_SOME)
        if (library := _glibc()) is not None:
            library.malloc_trim(0)


def _keep(largest: int) -> None:
    if (library := _glibc()) is not None:
        # Versions before 2.35 refuse more than 32 MB.
        library.mallopt(_MMAP_THRESHOLD, largest) or library.mallopt(_MMAP_THRESHOLD, _SOME)
        library.mallopt(_TRIM_THRESHOLD, min(2 * largest, 2**31 - 1))


def _glibc() -> Any:
    try:
        library = ctypes.CDLL(None)
        return library if library.mallopt and library.malloc_trim else None
    except (AttributeError, OSError, TypeError):  # not Linux, or another C library
        return None
