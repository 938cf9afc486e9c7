"""What a party's process does before its part begins."""

from __future__ import annotations

import sys

import pytest

from parties.processes.party.member import part_of
from tests.parties.tasks.program.runs import OWN, scenario


def test_the_path_of_a_program_is_set_before_a_thread_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the thread set it, coverage.py removed modules from `sys.modules` that the thread was importing."""
    one = scenario("auction.py:auction", 2, "reals:2")
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each != str(OWN)])
    part_of(one)
    assert str(OWN) in sys.path
