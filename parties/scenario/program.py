"""The file with a protocol of somebody's own, which whoever runs it names on the command line: a scenario never does.

`median.py:median` is the function `median` of that file. The parties compare the function's name and the SHA-256 of
the file, and an approval covers both. Nothing of the file runs here.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from mpc.errors import UsageError
from parties.base.bugs import reason_of

MOST_BYTES: Final = 1_000_000
HINT: Final = "name it as FILE:FUNCTION, such as median.py:median"

TABLE: Final = "table"
"""The input that is the owners' own data."""

CLIENT_ENDING: Final = "_client"
SERVER_ENDING: Final = "_server"
"""A protocol between a server and clients is two functions: its name with these endings."""

GIVEN: Final = "given"
"""The input that is arrays of the owners, in a run that was started from Python: `given:5x3,scale=20`."""

_OURS: Final = ("beaverlodge", "mpc", "protocols")
_ALLOWED: Final = frozenset(sys.stdlib_module_names) | {"numpy", *_OURS}
# What runs text that is not in the file, or finds modules that no import statement names.
_LOADERS: Final = frozenset({"importlib", "runpy", "zipimport", "pkgutil", "builtins", "code", "codeop"})
_DYNAMIC: Final = frozenset({"__import__", "__builtins__", "__loader__", "exec", "eval", "compile"})


class ProgramFile(BaseModel):
    """A file with a protocol, as it was read, and which of its functions is run.

    Args:
        path: as it was named.
        function: the protocol.
        text: all of the file.
        alone: whether it was found to import the standard library, numpy and this project alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    path: Path
    function: str
    text: str
    alone: bool = False

    @property
    def sha256(self) -> str:
        """SHA-256 of the file's bytes, in hexadecimal."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()

    @property
    def quiet(self) -> str:
        """The advice where errors are told by their kind and line alone, for their text may hold data; else empty."""
        return "try the file with `mpc simulate`" if self.alone else ""

    @property
    def facts(self) -> dict[str, str]:
        """The facts that the parties compare."""
        return {"function": self.function, "sha256": self.sha256}


def is_table(text: str) -> bool:
    """Whether this input is the owners' own data."""
    return text.partition(",")[0] == TABLE


def is_given(text: str) -> bool:
    """Whether this input is arrays that the caller of `beaverlodge.simulate` has."""
    return text.partition(":")[0] == GIVEN


def read_program(named: str, *, alone: bool, clients: bool = False) -> ProgramFile:
    """The file that FILE:FUNCTION names, unrun.

    Args:
        alone: whether it must import the standard library, numpy and this project alone.
        clients: whether it is a protocol between a server and clients: FUNCTION is the name of the pair.

    Raises:
        UsageError: there is no such file or function, it is no Python, or it imports something else.
    """
    path, function, text, tree = read_file(named, HINT, "check the path; `mpc new --protocol NAME` writes one")
    if clients:
        _check_pair(path, tree, function)
    else:
        _check_function(path, tree, function)
    if alone:
        _check_alone(path, tree)
    return ProgramFile(path=path, function=function, text=text, alone=alone)


def read_file(named: str, hint: str, absent: str = "check the path") -> tuple[Path, str, str, ast.Module]:
    """The path, the name, the text and the tree of a Python file that FILE:NAME names.

    Args:
        hint: how it should be named; `absent` what to do if it is not there.

    Raises:
        UsageError: there is no such file, or it is no Python.
    """
    file, colon, name = named.rpartition(":")
    if not colon or not file or not name.isidentifier():
        raise UsageError(f"'{named}' names no function of a file", hint)
    path = Path(file)
    if path.suffix != ".py":
        raise UsageError(f"{path} is not called like a Python file", hint)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} is larger than {MOST_BYTES} bytes: it is no such file", hint)
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", absent) from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text", "save it as UTF-8") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {reason_of(error)}", hint) from None
    return path, name, text, _parsed(path, text)


def _parsed(path: Path, text: str) -> ast.Module:
    try:
        return ast.parse(text, str(path))
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise UsageError(f"{path}, line {error.lineno}: {error.msg}", f"the line is: {line}" if line else "") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"{path} is no Python: {error}", "save it as a Python file") from None


def _check_function(path: Path, tree: ast.Module, name: str) -> None:
    """Check that the file has this `async` function; the plan shows whether it can be called with its inputs."""
    coroutines = [one.name for one in tree.body if isinstance(one, ast.AsyncFunctionDef)]
    if name in coroutines:
        return
    plain = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name]
    if plain:
        message = f"{path}, line {plain[0].lineno}: '{name}' is not an async function"
        raise UsageError(message, f"write `async def {name}(p: Party, ...)`: each `await` in it is a round")
    if f"{name}{CLIENT_ENDING}" in coroutines:
        raise UsageError(f"{path}: '{name}' is between a server and clients", "say how many: --clients 50")
    there = f"its async functions are {', '.join(coroutines)}" if coroutines else "it has no async function"
    raise UsageError(f"{path} has no async function '{name}'", f"{there}; {HINT}")


def _check_pair(path: Path, tree: ast.Module, name: str) -> None:
    """Check that the file has a protocol's two `async` functions, NAME_client and NAME_server."""
    coroutines = [one.name for one in tree.body if isinstance(one, ast.AsyncFunctionDef)]
    missing = [name + ending for ending in (CLIENT_ENDING, SERVER_ENDING) if name + ending not in coroutines]
    if missing:
        there = f"its async functions are {', '.join(coroutines)}" if coroutines else "it has no async function"
        raise UsageError(
            f"{path} has no async function '{missing[0]}'",
            f"{there}; FILE:{name} is the pair {name}{CLIENT_ENDING}(me, x) and {name}{SERVER_ENDING}(s)",
        )


def _check_alone(path: Path, tree: ast.Module) -> None:
    """Refuse a file that runs other files: the parties compare its digest alone."""
    for line, what in sorted(_strangers(tree)):
        raise UsageError(
            f"{path}, line {line}: {what}; a program on several machines is one file",
            "import the standard library, numpy, beaverlodge, mpc and protocols alone, by import statements, and put "
            "the rest into the file: the parties compare its digest, and what it loads would be in none",
        )


def _strangers(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if not _is_known(alias.name):
                    yield node.lineno, f"it imports {alias.name}"
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield node.lineno, "it imports a file beside it"
            elif not _is_known(node.module or ""):
                yield node.lineno, f"it imports {node.module}"
        elif isinstance(node, ast.Name) and node.id in _DYNAMIC:
            yield node.lineno, f"{node.id} runs what is not in the file"


def _is_known(module: str) -> bool:
    top = module.partition(".")[0]
    return top in _ALLOWED and top not in _LOADERS
