"""The bugs that the sweep plants are such that it can: in lines that are there, as code, for tests that are there."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.helpers import ROOT
from tests.mutants import Mutant, mutants

LINES = """=== it
is wrong
tests/test_a.py; tests/test_b.py::test_c
--- mpc/a.py
@@
 def f():
-    return 1
+    return 2
"""


def test_each_has_a_name_of_its_own() -> None:
    counts = Counter(mutant.name for mutant in mutants())
    assert counts.total() > 80 and set(counts.values()) == {1}, counts.most_common(1)


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_it_can_be_planted_and_found(mutant: Mutant) -> None:
    """Whose lines are gone is planted anew, in what took over: see tests/mutants.py."""
    text = (ROOT / mutant.file).read_text()
    planted = mutant.planted(text)
    assert ast.dump(ast.parse(planted)) != ast.dump(ast.parse(text)), "it changes what is done"
    for test in mutant.tests:
        path, _, name = test.partition("[")[0].partition("::")
        assert (ROOT / path).is_file() and f"def {name}(" in (ROOT / path).read_text() + "def (", test


def test_a_file_of_them_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.diff"
    path.write_text(LINES + LINES.replace("=== it", "=== other").replace("@@", "@@\n-import a\n@@"))
    one, two = mutants(path)
    assert (one.name, one.what, one.file) == ("it", "is wrong", "mpc/a.py")
    assert one.tests == ("tests/test_a.py", "tests/test_b.py::test_c")
    assert one.changes == (("def f():\n    return 1\n", "def f():\n    return 2\n"),)
    assert two.changes == (("import a\n", ""), *one.changes)


def test_lines_that_are_not_there_once_are_refused() -> None:
    mutant = Mutant("it", "", (), "mpc/a.py", (("    return 1\n", "    return 2\n"),))
    assert mutant.planted("def f():\n    return 1\n") == "def f():\n    return 2\n"
    for text in ("", "def f():\n        return 1\n", "    return 1\n    return 1\n"):
        with pytest.raises(ValueError, match=r"it: mpc/a\.py has these lines [02] times, and not once"):
            mutant.planted(text)
