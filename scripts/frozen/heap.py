"""Freed memory that the C library keeps: given back to the system."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable


@functools.cache
def _trim() -> Callable[[int], int] | None:
    """glibc's `malloc_trim`; None where the C library has none (musl, macOS, Windows)."""
    try:
        return ctypes.CDLL(None).malloc_trim  # type: ignore[no-any-return]
    except (AttributeError, OSError, TypeError):
        return None


def give_back() -> bool:
    """Give freed memory back; whether the C library can.

    glibc keeps what was freed for the next request of that size. A pass over whole images frees large activations and
    the steps after it ask for others, so that both would count at the peak: docs/RESULTS.md, "Memory".
    """
    trim = _trim()
    if trim is None:
        return False
    trim(0)
    return True
