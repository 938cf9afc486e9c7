"""The kinds of task: each is listed, and of them a run loads its own."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from typing import get_args

import pytest

from parties.tasks.registry import KINDS
from tests.helpers import ROOT

SCENARIOS = ROOT / "scenarios"
LOADED = {
    "two_hospitals": {"tasks.logistic.run"},
    "registry_statistics": {"tasks.statistics.run"},
    "devices": {"processes.party.star_member"},
}
LOAD = """
import sys
from pathlib import Path
from parties.tasks.registry import load_any
from parties.processes.party.member import load_libraries
load_libraries(load_any(Path(sys.argv[1])))
print(*(name for name in sys.argv[2:] if f"parties.{name}" in sys.modules))
"""


@pytest.mark.parametrize(("scenario", "kinds"), LOADED.items(), ids=LOADED)
def test_of_the_kinds_one_is_loaded(scenario: str, kinds: set[str]) -> None:
    every = sorted({"tasks.linear.run", "tasks.predict.run"}.union(*LOADED.values()))
    words = [sys.executable, "-c", LOAD, str(SCENARIOS / f"{scenario}.toml"), *every]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == kinds


@pytest.mark.parametrize("folder", sorted(page.parent.name for page in (ROOT / "parties" / "tasks").glob("*/kind.py")))
def test_a_kinds_folder_is_in_the_registry(folder: str) -> None:
    kind = import_module(f"parties.tasks.{folder}.kind").KIND
    assert kind in KINDS.values()
    assert get_args(kind.task.model_fields["kind"].annotation) == (kind.name,)
