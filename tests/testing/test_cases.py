"""Every protocol gives what its plaintext reference gives, at the cost it says, whatever happens to a message.

Dry runs are cheap and walk the same code: so each case is planned under Python's profiler, which tells what it awaits.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import pytest

from mpc.testing.cases import programs
from mpc.testing.cases.inputs import complete, constants
from protocols.core.monotone_search import digits_for
from tests.helpers import ROOT
from tests.testing.cases.case import Case, hold_to_correct, hold_to_cost, hold_to_faults
from tests.testing.cases.registry import CASES
from tests.testing.cases.training import rows_job

NOT_EXPRESSED = {
    "protocols/aggregation/client.py aggregation_client": "stages of a server, not rounds: check_sums, and all faults",
    "protocols/aggregation/server.py aggregation_server": "likewise: tests/protocols/aggregation",
    "protocols/aggregation/helper.py aggregation_helper": "likewise: test_helper_view.py, test_membership.py",
    "protocols/federated/programs.py federated_client": "likewise: tests/protocols/federated/test_programs.py",
    "protocols/federated/programs.py federated_server": "likewise",
    "protocols/federated/programs.py plain_client": "likewise; nothing is hidden",
    "protocols/federated/programs.py plain_server": "likewise; nothing is hidden",
    "protocols/federated/programs.py among": "numbers of clients, and no message of its own",
}
"""What the kit has no inputs for, and what holds it instead."""

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def quick(check: Literal["correct", "faults"]) -> Any:
    """The cases of which `make test` makes a check that the soak makes of all, with more examples or frames."""
    chosen = {name: case for name, case in CASES.items() if check not in case.long}
    return pytest.mark.parametrize("case", chosen.values(), ids=chosen)


@quick("correct")
def test_correct(case: Case) -> None:
    hold_to_correct(case)


@pytest.mark.soak
@every_case
def test_correct_in_many_examples(case: Case) -> None:
    hold_to_correct(case, 5)


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=name, marks=[pytest.mark.soak] * ("cost" in case.long)) for name, case in CASES.items()],
)
def test_cost(case: Case) -> None:
    hold_to_cost(case)


@quick("faults")
def test_faults(case: Case) -> None:
    hold_to_faults(case)


@pytest.mark.soak
@every_case
def test_faults_in_every_frame(case: Case) -> None:
    hold_to_faults(case, 1)


@pytest.mark.soak
@pytest.mark.parametrize("form", ["primal", "dual"])
def test_faults_in_a_training_with_its_metrics(form: str) -> None:
    hold_to_faults(replace(CASES[f"training, {form}"], protocol=rows_job(form, metrics=True), every=1))


def test_digits_of_a_search() -> None:
    assert [digits_for(points) for points in (2, 16, 17, 256, 257, 1_000_000)] == [1, 1, 2, 2, 3, 5]


# -- every protocol is part of a case


def protocols() -> set[str]:
    """Every public protocol, as file and name."""
    return {
        f"{path.relative_to(ROOT).as_posix()} {node.name}"
        for path in (ROOT / "protocols").rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.AsyncFunctionDef) and not node.name.startswith("_")
    }


def planned() -> Iterator[programs.Case]:
    for it in CASES.values():
        sizes = complete(it.inputs, {**it.fixed, **it.cost.sizes}, 2)
        n = it.cost.owners[0]
        yield programs.Case(it.protocol, tuple(it.inputs), n, sizes, constants(it.inputs, sizes, n, 0))


def awaited(case: programs.Case) -> set[str]:
    """The protocols that a case is made of, as file and name."""
    found = set()

    def called(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_flags & inspect.CO_COROUTINE and Path(code.co_filename).is_relative_to(ROOT):
            found.add(f"{Path(code.co_filename).relative_to(ROOT).as_posix()} {code.co_name}")

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        assert case.plan.rounds
    finally:
        sys.setprofile(before)
    return found


def test_every_protocol_is_checked() -> None:
    checked = set().union(*map(awaited, planned()))
    missing = protocols() - checked - NOT_EXPRESSED.keys()
    assert not missing, "add a case to tests/testing/cases for " + ", ".join(sorted(missing))
    assert NOT_EXPRESSED.keys() <= protocols() - checked, "what is checked needs no excuse"
