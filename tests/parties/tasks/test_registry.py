"""Of the kinds of tasks, a run loads its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.helpers import ROOT

SCENARIOS = ROOT / "scenarios"
KINDS = {
    "two_hospitals": {"tasks.logistic.run"},
    "hips_linear": {"tasks.linear.run"},
    "registry_statistics": {"tasks.statistics.run"},
    "predict": {"tasks.predict.run"},
    "devices": {"processes.star_member"},
}
LOAD = """
import sys
from pathlib import Path
from parties.tasks.registry import load_any
from parties.processes.member import load_libraries
load_libraries(load_any(Path(sys.argv[1])))
print(*(name for name in sys.argv[2:] if f"parties.{name}" in sys.modules))
"""


@pytest.mark.parametrize(("scenario", "kinds"), KINDS.items(), ids=KINDS)
def test_of_the_kinds_one_is_loaded(scenario: str, kinds: set[str]) -> None:
    every = sorted(set().union(*KINDS.values()))
    words = [sys.executable, "-c", LOAD, str(SCENARIOS / f"{scenario}.toml"), *every]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == kinds
