"""One-line bugs, each planted in a copy of the tree: tests that pass there without it must fail with it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree, ignore_patterns, rmtree

import pytest

from tests.helpers import ROOT
from tests.mutants import Mutant, mutants
from tests.tiers import SWEEP, Tell

pytestmark = pytest.mark.sweep

SERIES = "bugs planted in the sources"
CHOSEN = SWEEP.chosen(SERIES, mutants())
PACKAGES = ("mpc", "protocols", "parties", "tests")
LEFT_OUT = ignore_patterns(".*", "build", "dist", "*.egg-info", "*.pyc.*")  # the last are being written
ALL_PASSED, SOME_FAILED = 0, 1  # what pytest returns; more than one: it found no such test, or could not import it
SECONDS = 600.0


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    """A copy of the tree, with its compiled parts; deleted after the test, for there are many."""
    to = tmp_path / "copy"
    copytree(ROOT, to, ignore=lambda where, names: {*LEFT_OUT(where, names), *(["runs"] if where == str(ROOT) else [])})
    yield to
    rmtree(to)


def in_copy(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A run of Python that imports what is in the copy, and is told nothing of the run of pytest around it."""
    mine = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COV_", "COVERAGE_", "SOAK_", "SWEEP_"))
    }
    return subprocess.run(
        [sys.executable, *words],
        cwd=copy,
        env={**mine, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def outcome(copy: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """These tests of a copy, until one fails."""
    return in_copy(copy, "-m", "pytest", "-x", "-p", "no:cacheprovider", "--hypothesis-seed=1", *tests)


def test_a_copy_imports_itself(copy: Path) -> None:
    """And not the tree that is installed, which every test would pass with."""
    where = f"import {', '.join(PACKAGES)}; print(*[{', '.join(f'{name}.__file__' for name in PACKAGES)}], sep='\\n')"
    for words in (["-c", where], ["-c", f"import os; os.chdir('/'); {where}"]):
        files = in_copy(copy, *words).stdout.split()
        assert [Path(file).parent for file in files] == [copy / name for name in PACKAGES]


def test_without_a_bug_the_tests_pass(copy: Path) -> None:
    """All of them at once: so a test that fails below fails of the bug."""
    ran = outcome(copy, *dict.fromkeys(test for mutant in CHOSEN for test in mutant.tests))
    assert ran.returncode == ALL_PASSED, ran.stdout + ran.stderr


@pytest.mark.parametrize("mutant", CHOSEN, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_found(mutant: Mutant, copy: Path, tell: Tell) -> None:
    file = copy / mutant.file
    file.write_text(mutant.planted(file.read_text()))
    ran = outcome(copy, *mutant.tests)
    tell(SERIES, tried=1, found=int(ran.returncode == SOME_FAILED))
    assert ran.returncode == SOME_FAILED, f"not found: {mutant.what}\n{ran.stdout}{ran.stderr}"
