"""Every public protocol is part of something that the kit's checks are made of.

Dry runs are cheap and walk the same code: so each case is planned under Python's profiler, which tells what it awaits.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest

import tests.testing
from mpc.testing import Input
from mpc.testing.cases.inputs import complete, constants
from mpc.testing.cases.programs import Case
from protocols.own_units import in_own_units
from tests.protocols import (
    test_accelerated,
    test_alignment,
    test_class_weights,
    test_data_summary,
    test_hessian,
    test_irls,
    test_own_units,
    test_private_scales,
    test_stop_test,
    test_wide_inverse,
)
from tests.testing.spoken import Spoken, hold_to_correct, hold_to_faults

ROOT = Path(__file__).resolve().parent.parent.parent
CHECKS = {"check_correct", "check_cost", "check_view", "check_faults"}

ELSEWHERE: list[tuple[ModuleType, Any, list[Input]]] = [
    (test_accelerated, test_accelerated.penalised_step, test_accelerated.STEPS["penalised"][2]),
    (test_alignment, test_alignment.tried, [test_alignment.BITS]),
    (test_class_weights, test_class_weights.rows, [test_class_weights.X, test_class_weights.Y]),
    (test_data_summary, test_data_summary.counts, test_data_summary.COUNTS),
    (test_data_summary, test_data_summary.ranges, test_data_summary.ROWS),
    (test_hessian, test_hessian.preconditioned, [test_hessian.ROWS]),
    (test_irls, test_irls.stepped, test_irls.ONE_STEP),
    (test_own_units, test_own_units.cut, test_own_units.CUT),
    (test_own_units, in_own_units, test_own_units.UNITS),
    (test_own_units, test_own_units.lift, test_own_units.LIFTED),
    (test_private_scales, test_private_scales.is_below, [test_private_scales.WIDE]),
    (test_private_scales, test_private_scales.gram, test_private_scales.ROWS),
    (test_private_scales, test_private_scales.scaled, test_private_scales.TABLES),
    (test_stop_test, test_stop_test.settling, [test_stop_test.X, test_stop_test.Y]),
    (test_wide_inverse, test_wide_inverse.finer, test_wide_inverse.ROOTS),
    (test_wide_inverse, test_wide_inverse.whole, test_wide_inverse.THIN),
]
"""Cases beside other tests of the same protocol: their file makes all four checks."""

NOT_EXPRESSED = {
    "protocols/aggregation/client.py aggregation_client": "stages of a server, not rounds: check_sums, and all faults",
    "protocols/aggregation/server.py aggregation_server": "likewise: tests/protocols/aggregation",
    "protocols/aggregation/helper.py aggregation_helper": "likewise: test_helper_view.py, test_small_sums.py",
}
"""What the kit has no inputs for, and what holds it instead."""


def protocols() -> set[str]:
    """Every public protocol, as file and name."""
    return {
        f"{path.relative_to(ROOT).as_posix()} {node.name}"
        for path in (ROOT / "protocols").rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.AsyncFunctionDef) and not node.name.startswith("_")
    }


def spoken() -> Iterator[tuple[str, Spoken]]:
    """Every protocol that is held to what it says of itself, by its file and name."""
    for found in pkgutil.iter_modules(tests.testing.__path__, "tests.testing."):
        if found.name.rpartition(".")[2].startswith("test_our_") and found.name != __name__:
            file = found.name.rpartition("test_our_")[2]
            for name, value in vars(importlib.import_module(found.name)).items():
                each = value if isinstance(value, Mapping) else {name: value}
                yield from ((f"{file}: {key}", one) for key, one in each.items() if isinstance(one, Spoken))


OURS = dict(spoken())


def cases() -> Iterator[Case]:
    for it in OURS.values():
        sizes = complete(it.inputs, {**it.fixed, **it.sizes}, 2)
        n = it.cost_owners[0]
        yield Case(it.protocol, tuple(it.inputs), n, sizes, constants(it.inputs, sizes, n, 0))
    for _, protocol, inputs in ELSEWHERE:
        sizes = complete(inputs, None, 2)
        yield Case(protocol, tuple(inputs), 2, sizes, constants(inputs, sizes, 2, 0))


def awaited(case: Case) -> set[str]:
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
    checked = set().union(*map(awaited, cases()))
    missing = protocols() - checked - NOT_EXPRESSED.keys()
    assert not missing, "add a case to tests/testing/test_our_*.py for " + ", ".join(sorted(missing))
    assert NOT_EXPRESSED.keys() <= protocols() - checked, "what is checked needs no excuse"


@pytest.mark.parametrize("module", sorted({module.__name__ for module, *_ in ELSEWHERE}))
def test_cases_elsewhere_are_held_to_all_four_checks(module: str) -> None:
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert called >= CHECKS


@pytest.mark.soak
@pytest.mark.parametrize("name", OURS)
def test_many_examples(name: str) -> None:
    hold_to_correct(OURS[name], 5)


@pytest.mark.soak
@pytest.mark.parametrize("name", OURS)
def test_faults_in_many_frames(name: str) -> None:
    hold_to_faults(OURS[name], 1)
