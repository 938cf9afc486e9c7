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
from types import FrameType, ModuleType
from typing import Any, Literal

import pytest

from mpc.testing import Input
from mpc.testing.cases import programs
from mpc.testing.cases.inputs import complete, constants
from protocols.core.monotone_search import digits_for
from tests.helpers import ROOT
from tests.protocols.core import test_alignment
from tests.protocols.inference import test_irls
from tests.protocols.linalg import test_hessian
from tests.protocols.linalg import test_inverse as test_wide_inverse
from tests.protocols.scaling import test_data_summary, test_private_scales
from tests.protocols.training import test_accelerated, test_stop_test
from tests.testing.cases.case import Case, hold_to_correct, hold_to_cost, hold_to_faults
from tests.testing.cases.registry import CASES
from tests.testing.cases.training import rows_job

CHECKS = {"check_correct", "check_cost", "check_view", "check_faults"}
ELSEWHERE: list[tuple[ModuleType, Any, list[Input]]] = [
    (test_accelerated, test_accelerated.penalised_step, test_accelerated.STEPS["penalised"][2]),
    (test_alignment, test_alignment.tried, [test_alignment.BITS]),
    (test_data_summary, test_data_summary.ranges, test_data_summary.ROWS),
    (test_hessian, test_hessian.preconditioned, [test_hessian.ROWS]),
    (test_irls, test_irls.stepped, test_irls.ONE_STEP),
    (test_private_scales, test_private_scales.is_below, [test_private_scales.WIDE]),
    (test_private_scales, test_private_scales.gram, test_private_scales.ROWS),
    (test_private_scales, test_private_scales.scaled, test_private_scales.TABLES),
    (test_stop_test, test_stop_test.settling, [test_stop_test.X, test_stop_test.Y]),
    (test_wide_inverse, test_wide_inverse.finer, test_wide_inverse.ROOTS),
]
"""Cases beside other tests of the same protocol: their file makes all four checks."""

NOT_EXPRESSED = {
    "protocols/aggregation/client.py aggregation_client": "stages of a server, not rounds: check_sums, and all faults",
    "protocols/aggregation/server.py aggregation_server": "likewise: tests/protocols/aggregation",
    "protocols/aggregation/helper.py aggregation_helper": "likewise: test_helper_view.py, test_small_sums.py",
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
    for _, protocol, inputs in ELSEWHERE:
        sizes = complete(inputs, None, 2)
        yield programs.Case(protocol, tuple(inputs), 2, sizes, constants(inputs, sizes, 2, 0))


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


@pytest.mark.parametrize("module", sorted({module.__name__ for module, *_ in ELSEWHERE}))
def test_cases_elsewhere_are_held_to_all_four_checks(module: str) -> None:
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert called >= CHECKS
