"""docs/deploy.md's install without a network: a folder of wheels, carried to a machine that reaches nobody."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.run.command import ROOT

LONG = 600.0
DOCUMENT = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
INSTALLED = "/opt/beaverlodge"
COLLECT = "pip wheel --wheel-dir wheels ."
INSTALL = f"{INSTALLED}/bin/pip install --no-index --find-links wheels beaverlodge"
SOURCES = ("beaverlodge", "mpc", "protocols", "parties", "pyproject.toml", "README.md", "LICENSE")
ALONE = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
"""Runs what follows where there is no network but this machine's own address."""


def run(command: Sequence[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """A command as an administrator has it: nothing of this checkout can be imported by chance."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE", "COV_"))}
    return subprocess.run(list(map(str, command)), cwd=folder, env=known, capture_output=True, text=True, timeout=LONG)


def ran(command: Sequence[str | Path], folder: Path) -> str:
    done = run(command, folder)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """The folder `wheels`, made by the document's command in a copy of the repository."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    pip = [sys.executable, "-m", "pip"]
    reached = run([*pip, "download", "--no-deps", "--dest", "probe", "click"], tmp_path)
    if reached.returncode:
        pytest.skip(f"no wheels can be fetched here: {reached.stderr.strip().splitlines()[-1]}")
    assert COLLECT in DOCUMENT
    ran([*pip, *COLLECT.split()[1:]], copy)
    return copy / "wheels"


@pytest.fixture
def alone() -> list[str]:
    """How to run a command without a network; where that is not permitted, pip is still told to use none."""
    return ALONE if run([*ALONE, "true"], ROOT).returncode == 0 else []


@pytest.mark.soak
def test_a_folder_of_wheels_is_all_that_is_needed(
    wheels: Path, alone: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = tmp_path / "machine"
    shutil.copytree(wheels, machine / "wheels")
    shutil.copytree(ROOT / "scenarios", machine / "scenarios")
    installed = machine / "beaverlodge"
    ran([*alone, sys.executable, "-m", "venv", installed], machine)
    assert INSTALL in DOCUMENT
    ran([*alone, *INSTALL.replace(INSTALLED, str(installed)).split()], machine)
    mpc = installed / "bin" / "mpc"
    version = ran([*alone, mpc, "--version"], machine)
    assert re.search(r"\d+\.\d+\.\d+", version)
    ran([*alone, mpc, "run", "scenarios/two_hospitals.toml", "--out", "record", "--no-compare"], machine)
    record = json.loads((machine / "record" / "result.json").read_text())
    assert record["status"] == "ok" and len(record["model"]["weights"]) == 30
    where = "in a namespace without a network" if alone else "by --no-index (no namespace is permitted here)"
    with capsys.disabled():
        print(f"\n  {version.strip()} installed from {len(list(wheels.iterdir()))} wheels {where}; the demo ran")
