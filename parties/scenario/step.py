"""What a client's owner brings to a study: a learner of its own in a file, named on the command line as FILE:NAME.

It is the owner's affair, and no scenario or peer names it. The file may import what is installed. Nothing of it runs
here.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mpc.errors import UsageError
from parties.scenario.file import Scenario
from parties.scenario.program import ProgramFile, read_file

if TYPE_CHECKING:
    from parties.scenario.star import StarScenario

HINT: Final = "name it as FILE:NAME, such as boosted.py:learner"


class StepFile(ProgramFile):
    """A file with a learner, as it was read; `function` is the learner's name.

    Args:
        private: whether its rows are a real client's, so that errors in it are told by their kind and line alone.
    """

    private: bool = False

    @property
    def quiet(self) -> str:
        """The advice where errors are told by their kind and line alone; else empty."""
        return "try the file with `mpc run` on made-up rows" if self.private else ""


def read_step(named: str, *, private: bool) -> StepFile:
    """The file that FILE:NAME names, unrun.

    Raises:
        UsageError: there is no such file or name, or it is no Python.
    """
    path, name, text, tree = read_file(named, HINT)
    if name not in _top_names(tree):
        raise UsageError(f"{path} has no '{name}'", "write `def learner(model): ...`, or a class, that makes a learner")
    return StepFile(path=path, function=name, text=text, private=private)


def _top_names(tree: ast.Module) -> set[str]:
    """The names that a file itself gives to functions, classes and objects, or imports."""
    found = set()
    for one in ast.walk(tree):
        if isinstance(one, ast.FunctionDef | ast.ClassDef):
            found.add(one.name)
        elif isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
            found.add(one.id)
        elif isinstance(one, ast.alias):
            found.add(one.asname or one.name)
    return found


def with_own(
    scenario: Scenario | StarScenario, step: str | None, start: Path | None, *, me: str | None = None
) -> Scenario | StarScenario:
    """The scenario with what the command line brings to it.

    Args:
        step: FILE:NAME of the clients' learner; start: a file of the weights that the server starts from.
        me: the party whose process it is; None: all of them are here, and made-up or its user's.

    Raises:
        UsageError: this kind or party has no use for it, or a client needs a learner and there is none.
    """
    if isinstance(scenario, Scenario):
        if step is None and start is None:
            return scenario
        raise UsageError(f"--step and --start are not for {scenario.path}", "its owners run no code of their own")
    server = me == scenario.server
    if step is not None and (not scenario.takes_step or server):
        why = f"{me} trains nothing" if server else "its clients run no code of their own"
        raise UsageError(f"--step is not for {scenario.path}: {why}", "leave it out")
    if step is None and scenario.needs_step and not server:
        hint = "name its file and what makes it with --step FILE:NAME: a scenario never names code"
        raise UsageError(f"{scenario.path} has its clients train a model of their own, and there is no learner", hint)
    if start is not None and (not scenario.takes_step or (me is not None and not server)):
        raise UsageError(f"--start is not for {me or scenario.path}", "the server alone sends the first weights")
    added: dict[str, Any] = {"step": None if step is None else read_step(step, private=me is not None)}
    return scenario.model_copy(update={**added, "start": None if start is None else start.absolute()})


def write_order(scenario: StarScenario) -> dict[str, Any]:
    """These as fields of a launcher's order to a process; none where there is neither."""
    step = {} if scenario.step is None else {"step": scenario.step.model_dump(mode="json")}
    return {**step, **({} if scenario.start is None else {"start": str(scenario.start)})}


def read_order(order: Mapping[str, Any]) -> dict[str, Any]:
    """The scenario's fields that an order has: these, and a protocol with what is given to it."""
    found: dict[str, Any] = {}
    if "step" in order:
        found["step"] = StepFile.model_validate(order["step"])
    if "start" in order:
        found["start"] = Path(order["start"])
    if "program" in order:
        found["program"] = ProgramFile.model_validate(order["program"])
        given = order.get("given", {})
        found["given"] = given if isinstance(given, dict) else {order["name"]: tuple(given)}
    return found
