"""Freed memory stays with the process: new arrays of a size that was freed just now cost no page faults."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from parties.base.memory import keep_freed_memory
from tests.helpers import ROOT

# Prints how often the system had to give pages for 20 arrays of 8 MB, one freed after the other.
FAULTS = """
import resource, sys
import numpy as np
from parties.base.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
np.ones(1 << 20), np.ones(1 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(1 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, how], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the setting is glibc's, on Linux")
def test_freed_memory_is_used_again() -> None:
    kept = faults("keep")
    assert kept <= 40, "a new array of a freed size asks the system for pages"
    assert faults("leave") > kept


# Prints whether what a thread asks the C library for comes from the one heap.
THREAD = """
import ctypes, sys, threading
from parties.base.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
got = []
thread = threading.Thread(target=lambda: got.extend(libc.malloc(3000) for _ in range(100)))
thread.start()
thread.join()
heap = next(line for line in open("/proc/self/maps") if "[heap]" in line).split()[0]
low, high = (int(end, 16) for end in heap.split("-"))
print(all(low <= place < high for place in got))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the setting is glibc's, on Linux")
def test_threads_share_the_heap() -> None:
    def shared(how: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", THREAD, how], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout.strip()

    assert (shared("keep"), shared("leave")) == ("True", "False")


def test_elsewhere_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("the C library was asked"))
    keep_freed_memory()
