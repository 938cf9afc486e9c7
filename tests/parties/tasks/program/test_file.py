"""The file that the command line names: read without being run, and on several machines all that runs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mpc.errors import UsageError
from parties.scenario.program import read_program

ASYNC = "async def f(p, x):\n    return None\n"


def named(folder: Path, text: str, function: str = "f") -> str:
    """Such a file, named as on the command line."""
    (folder / "own.py").write_text(text)
    return f"{folder / 'own.py'}:{function}"


def test_a_file_is_read_and_not_run(tmp_path: Path) -> None:
    text = f"raise SystemExit(3)\n{ASYNC}"
    program = read_program(named(tmp_path, text), alone=True)
    assert program.function == "f"
    assert program.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert program.alone


@pytest.mark.parametrize(
    "text, function, message",
    [
        ("def f(p, x):\n    return None\n", "f", "line 1: 'f' is not an async function"),
        (ASYNC, "g", "has no async function 'g'"),
        ("async def f(p x):\n", "f", "line 1: invalid syntax"),
        ("f = 1\n", "f", "has no async function 'f'"),
    ],
)
def test_a_file_without_the_function_is_refused(tmp_path: Path, text: str, function: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_program(named(tmp_path, text, function), alone=False)
    assert message in caught.value.message


@pytest.mark.parametrize("given", ["own.py", ":f", "own.py:", "own.py:f.g", "nowhere.py:f", "own.txt:f"])
def test_what_names_no_function_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match=r"names no function|there is no file|not called like"):
        read_program(given, alone=False)


def test_what_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_bytes(b"x = '\xff'\n")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_program(f"{path}:f", alone=False)
    path.write_text(ASYNC + "#" * 1_000_000)
    with pytest.raises(UsageError, match="larger than"):
        read_program(f"{path}:f", alone=False)


@pytest.mark.parametrize(
    "text, message",
    [
        ("import helpers", "line 1: it imports helpers"),
        ("def later():\n    import scipy.stats", "line 2: it imports scipy.stats"),
        ("from . import beside", "line 1: it imports a file beside it"),
        ("from .beside import x", "line 1: it imports a file beside it"),
        ("from parties.cli import run", "line 1: it imports parties.cli"),
        ("import numpy, importlib", "line 1: it imports importlib"),
        ("import importlib.util as u", "line 1: it imports importlib.util"),
        ("__import__('helpers')", "line 1: __import__ runs what is not in the file"),
        ("exec(open('x').read())", "line 1: exec runs"),
        ("run = eval", "line 1: eval runs"),
        ("import builtins\nbuiltins.exec('x')", "line 1: it imports builtins"),
    ],
)
def test_on_several_machines_a_file_is_all_that_runs(tmp_path: Path, text: str, message: str) -> None:
    given = named(tmp_path, f"{text}\n{ASYNC}")
    with pytest.raises(UsageError) as caught:
        read_program(given, alone=True)
    assert message in caught.value.message
    assert not read_program(given, alone=False).alone


def test_what_a_protocol_needs_is_allowed(tmp_path: Path) -> None:
    imports = (
        "from __future__ import annotations\nimport itertools, numpy as np\nfrom numpy.linalg import norm\n"
        "from beaverlodge.protocol import Party\nfrom mpc.errors import DataError\nimport protocols.core.beaver\n"
    )
    assert read_program(named(tmp_path, imports + ASYNC), alone=True).alone
