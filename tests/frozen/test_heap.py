"""Freed memory goes back to the system where the C library allows it."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path

import pytest
from scripts.frozen import heap


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.fixture(autouse=True)
def fresh() -> None:
    heap._trim.cache_clear()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_freed_blocks_leave_the_process() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes, libc.free.restype = [ctypes.c_void_p], None
    # Below the size that gets a mapping of its own; the last one holds the heap's end, so that free() gives nothing up.
    size = 100_000
    blocks = [libc.malloc(size) for _ in range(400)]
    for block in blocks:
        ctypes.memset(block, 1, size)
    for block in blocks[:-1]:
        libc.free(block)
    before = resident()
    assert heap.give_back()
    assert before - resident() > 20_000_000
    libc.free(blocks[-1])


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not heap.give_back()
