"""Code of a user's own, in a file that the command line names: it is executed here, its errors told by its lines."""

from __future__ import annotations

import linecache
import sys
import traceback
from types import FrameType, ModuleType
from typing import Final

from mpc.errors import BeaverlodgeError, InternalError, UsageError
from parties.scenario.program import ProgramFile

_LONGEST: Final = 300
_LOOKS: Final = ("control flow depends on data", "a dry run cannot do", "has no truth value", "cannot be iterated")
LOOKS_HINT: Final = (
    "the plan is a run on shapes alone: use p.compute where numpy needs numbers, and p.insist or p.fork where an "
    "opened value decides (docs/protocols.md, Rules)"
)


def admit_neighbours(program: ProgramFile) -> None:
    """Let the file import what lies beside it, unless it is to be alone.

    A party's process calls this before it has a thread that imports. coverage.py, which measures our tests, looks for
    our packages anew once `sys.path` has changed, and then removes from `sys.modules` whatever was imported meanwhile,
    also what another thread is still importing.
    """
    folder = str(program.path.absolute().parent)
    if not program.alone and folder not in sys.path:
        sys.path.insert(0, folder)


def executed(program: ProgramFile) -> ModuleType:
    """Execute the file; returns the module that it makes.

    Raises:
        UsageError: it fails.
    """
    name, text = f"beaverlodge_program_{program.sha256[:16]}", program.text
    linecache.cache[str(program.path)] = (len(text), None, text.splitlines(keepends=True), str(program.path))
    admit_neighbours(program)
    module = ModuleType(name)
    module.__file__ = str(program.path)
    sys.modules[name] = module  # a dataclass looks for the names in its annotations there
    try:
        exec(compile(text, str(program.path), "exec"), vars(module))  # noqa: S102  what its user named, to be run
    except (Exception, SystemExit) as problem:
        raise authors_error(program, problem, "as the file was loaded", "") from None
    return module


def authors_error(
    program: ProgramFile, problem: BaseException, when: str, who: str, at: FrameType | None = None
) -> BeaverlodgeError:
    """What went wrong in the author's file, by its line. What a peer is told of it is its kind alone."""
    line, text = line_of(program, problem)
    if line is None and at is not None:
        line = at.f_lineno
        text = linecache.getline(str(program.path), line).strip()
    where = f"{program.path}" + (f", line {line}" if line else "")
    spot = f"{where}, {when}"
    party = who or None
    if isinstance(problem, BeaverlodgeError) and not isinstance(problem, InternalError):
        hint = "; ".join(one for one in (problem.hint, f"raised in {spot}") if one)
        kind = type(problem)
        return kind(problem.message, hint, party=problem.party, told_by=problem.told_by, joint=problem.joint)
    said = str(problem) if isinstance(problem, InternalError) else f"{type(problem).__name__}: {problem}"
    said = said[:_LONGEST]
    hint = f"the line is: {text}" if text else ""
    if program.quiet and who and not isinstance(problem, InternalError):
        # What Python or numpy says of a value names it, and this party's log keeps what is said here.
        said = type(problem).__name__
        hint = "; ".join(one for one in (hint, f"its text may hold data: {program.quiet}") if one)
    if any(mark in said for mark in _LOOKS):
        said = f"a protocol cannot look at a value: {said}"
        hint = "; ".join(one for one in (hint, LOOKS_HINT) if one)
    return UsageError(f"{who + ': ' if who else ''}{spot}: {said}", hint, party=party, joint=not who)


def line_of(program: ProgramFile, problem: BaseException) -> tuple[int | None, str]:
    """The last line of the file that led to an error, and its text."""
    if isinstance(problem, SyntaxError) and problem.filename == str(program.path):
        return problem.lineno, (problem.text or "").strip()
    mine = [one for one in traceback.extract_tb(problem.__traceback__) if one.filename == str(program.path)]
    return (mine[-1].lineno, (mine[-1].line or "").strip()) if mine else (None, "")
