"""What a run must not leave behind in the process that launched it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest


def descriptors() -> set[tuple[str, str]]:
    """This process's open descriptors, each with what it is of."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # as that of this list
            found.add((number, os.readlink(f"/proc/self/fd/{number}")))
    return found


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """No process and no descriptor of a run outlives it.

    It is looked twice, for other threads may open a file for a moment.
    """
    me = psutil.Process()
    before, others = descriptors(), me.children(recursive=True)  # processes of other tests' fixtures
    yield
    assert [child for child in me.children(recursive=True) if child not in others] == []
    assert (descriptors() - before) & descriptors() == set()
