"""Freed memory stays with the process: new arrays of a size that was freed just now cost no page faults."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from mpc.memory import keep_freed_memory

ROOT = Path(__file__).resolve().parents[2]

# Prints how often the system had to give pages for 20 arrays of 8 MB, one freed after the other.
FAULTS = """
import resource, sys
import numpy as np
from mpc.memory import keep_freed_memory
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


def test_elsewhere_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("the C library was asked"))
    keep_freed_memory()
