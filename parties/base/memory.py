"""This process's memory: its largest so far, and what it keeps of freed memory for the next round's arrays."""

from __future__ import annotations

import ctypes
import resource
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -2, -3, -8  # of glibc's malloc.h
_KEPT = 256 << 20
_MAPPED_APART = 32 << 20  # the largest value that glibc accepts; larger arrays are returned to the system when freed
_PAD = 1 << 20


def peak_memory() -> int:
    """The most memory that this process held so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@dataclass
class Peak:
    """The most bytes that were allocated at the same time, once that was measured."""

    bytes: int = 0


@contextmanager
def measured(wanted: bool) -> Iterator[Peak]:
    """Measure what is allocated within, by Python and its arrays; nothing, where it is not `wanted`: it takes time."""
    found = Peak()
    if not wanted:
        yield found
        return
    tracemalloc.start()
    try:
        yield found
    finally:
        found.bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


def keep_freed_memory() -> None:
    """Have the C library keep up to 256 MB of freed memory at the end of its heap.

    By default glibc returns it to the system, which then has to find and zero the pages of each new array. For an
    array of 8 MB that takes longer than the arithmetic on it. All threads share one heap: a thread's own heap would
    grow by a system call a page, and memory freed in it would be of no use to other threads. Other C libraries are
    left as they are.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return
    for parameter, value in (
        (_M_MMAP_THRESHOLD, _MAPPED_APART),
        (_M_TRIM_THRESHOLD, _KEPT),
        (_M_TOP_PAD, _PAD),
        (_M_ARENA_MAX, 1),
    ):
        libc.mallopt(parameter, value)
