"""docs/tour: each notebook runs from its first cell to its last, draws its figure, and holds no output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from tests.helpers import ROOT

TOUR = ROOT / "docs" / "tour"
NOTEBOOKS = sorted(TOUR.glob("*.ipynb"))
MOST_LINES = 100

mpl.use("Agg")


def cells(path: Path) -> list[dict[str, Any]]:
    return list(json.loads(path.read_text(encoding="utf-8"))["cells"])


def code(path: Path) -> str:
    """All its cells of code; each ends at a line of its own."""
    return "\n".join("".join(one["source"]) for one in cells(path) if one["cell_type"] == "code") + "\n"


def test_the_tour_has_seven_parts_that_its_page_lists() -> None:
    page = (TOUR / "README.md").read_text(encoding="utf-8")
    assert [path.name[0] for path in NOTEBOOKS] == list("1234567")
    assert all(f"({path.name})" in page for path in NOTEBOOKS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_draws_one_figure(path: Path) -> None:
    """Its own assertions say whether what it tells is so."""
    import matplotlib.pyplot as plt

    plt.close("all")
    source = code(path)
    assert "\nassert " in source
    exec(compile(source, str(path), "exec"), {"__name__": "__main__"})
    (number,) = plt.get_fignums()
    figure = plt.figure(number)
    figure.canvas.draw()
    assert all(axis.has_data() for axis in figure.axes)
    plt.close("all")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_short_and_without_outputs(path: Path) -> None:
    found = cells(path)
    assert all(one["outputs"] == [] and one["execution_count"] is None for one in found if one["cell_type"] == "code")
    assert found[0]["cell_type"] == "markdown" and found[0]["source"][0].startswith(f"# {path.name[0]}. ")
    assert len(code(path).splitlines()) <= MOST_LINES


def test_the_tour_runs_without_sockets_and_copied_processes(tmp_path: Path) -> None:
    """As off Linux: with no ZeroMQ, DuckDB, Unix locks or fork to be had. The kit's part and a whole training."""
    absent = ("zmq", "duckdb", "fcntl", "resource", "termios", "parties.processes.fork")
    blocked = f"import os, sys\nfor one in {absent!r}:\n    sys.modules[one] = None\ndel os.fork\n"
    drawn = "import matplotlib\nmatplotlib.use('Agg')\n"
    chosen = [path for path in NOTEBOOKS if path.name[0] in "67"]
    script = tmp_path / "tour.py"
    script.write_text(blocked + drawn + "".join(map(code, chosen)) + "print('through')\n", encoding="utf-8")
    environment = {"PYTHONPATH": str(ROOT), "MPLCONFIGDIR": str(tmp_path)}
    ran = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=120)
    assert ran.stdout.endswith("through\n"), ran.stderr
