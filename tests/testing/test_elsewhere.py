"""The kit used from a package outside the repository: the example of docs/testing.md, to the letter."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mpc.runtime.party import Party
from mpc.sharing.share import Share
from mpc.testing import reals, show_plan
from protocols.core.beaver import multiply

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "testing.md"


def examples() -> list[str]:
    """The two of the docs: the second one is built of the first."""
    return re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)


def example() -> str:
    return examples()[0]


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest in a folder of its own, where nothing of the repository but `mpc` is to be found, installed or not."""
    site = folder / "site"
    site.mkdir()
    (site / "mpc").symlink_to(ROOT / "mpc", target_is_directory=True)
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV", "PYTHON"))}
    keep["PYTHONPATH"] = str(site)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, env=keep, capture_output=True, text=True, timeout=300)


def test_the_examples_of_the_docs(tmp_path: Path) -> None:
    for name, code in zip(("test_square.py", "test_energy.py"), examples(), strict=True):
        assert code.startswith(f"# {name}\n")
        (tmp_path / name).write_text(code, encoding="utf-8")
    ran = run_pytest(tmp_path, "-s", "test_square.py", "test_energy.py")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for words in ("60 examples", "1 rounds, 80 bytes", "coalitions: owner0; owner1; owner2", "recovered", "2 passed"):
        assert words in ran.stdout
    for words in ("2 owners and a helper, m = 5", "a wrong entry in every 4,", "nothing to hide from: owner0, owner1"):
        assert words in ran.stdout
    test = example().split("INPUTS = ")[1]
    assert len([line for line in test.splitlines() if line.strip()]) <= 10


def test_the_plan_that_the_docs_show() -> None:
    page = (ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")
    shown = show_plan(multiply, [reals(("m",), scale=14, largest=100.0)] * 2, {"m": 5})
    assert f"```text\n{shown}\n```" in page


def test_a_plan_that_is_shown_names_reveals_and_what_is_repeated() -> None:
    async def steps(p: Party, x: Share) -> object:
        for _ in range(3):
            x = (await multiply(p, x, x, label="step")).at_scale(14)
        return await p.reveal(x, what="total", why="agreed", label="told")

    shown = show_plan(steps, [reals((2,), scale=14, largest=1.0)], owners=3)
    assert "  step: 32 bytes, 3 times\n  told: 16 bytes\n" in shown
    assert shown.endswith("reveals\n  total (2,) to owner0, owner1, owner2: agreed")


@pytest.mark.parametrize(
    "word", ["open", "open_rows", "reveal", "reveal_to_each", "input", "public", "correlation", "refreshed", "fork"]
)
def test_the_page_for_authors_names_what_a_party_does(word: str) -> None:
    assert f"`p.{word}(" in (ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")
    assert hasattr(Party, word)


@pytest.mark.parametrize(
    ("was", "becomes", "words"),
    [
        ("x - a, x - b", "x - a, x - a", "mask was used twice"),
        ("c + d * b", "c - d * b", "Falsifying|Failing"),
        ("rounds=1", "rounds=2", "the plan has 1 rounds"),
    ],
)
def test_the_example_with_a_mistake(was: str, becomes: str, words: str, tmp_path: Path) -> None:
    code = example()
    assert code.count(was) == 1
    (tmp_path / "test_square.py").write_text(code.replace(was, becomes), encoding="utf-8")
    ran = run_pytest(tmp_path, "test_square.py")
    assert ran.returncode == 1 and re.search(words, ran.stdout), ran.stdout + ran.stderr


def test_a_package_with_its_own_protocol_and_settings(tmp_path: Path) -> None:
    """A protocol in a package, its test in another file, and types: what an author's repository looks like."""
    package = tmp_path / "acme_mpc"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "weighted.py").write_text(
        "from mpc.runtime.party import Party\n"
        "from mpc.sharing.share import Public, Share\n\n\n"
        "async def total(p: Party, x: Share, y: Share, label: str = 'total') -> Public:\n"
        "    (out,) = await p.reveal(x + y, what='total', why='agreed', label=label)\n"
        "    return out\n"
    )
    (tmp_path / "test_weighted.py").write_text(
        "from acme_mpc.weighted import total\n"
        "from mpc.testing import check_correct, check_view, reals\n\n"
        "INPUTS = [reals((3, 'm'), scale=20, largest=1e6)] * 2\n\n\n"
        "def test_it() -> None:\n"
        "    check_correct(total, lambda x, y: x + y, INPUTS, error=1e-9, examples=20)\n"
        "    saw = check_view(total, INPUTS, secrets=[([5, 2], [3, 4])], words=500)\n"
        "    assert saw.coalitions == ('owner0', 'owner1', 'owner2')\n"
    )
    ran = run_pytest(tmp_path, "test_weighted.py")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_hypothesis_is_loaded_only_when_needed() -> None:
    code = "import sys, mpc.testing; print({'hypothesis', 'zmq', 'protocols', 'parties', 'scipy'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
