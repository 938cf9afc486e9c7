"""The plan of a protocol as text: its cost and reveals from the dry run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from mpc.runtime.inputs import Input, Sizes
from mpc.runtime.plan import Plan
from mpc.testing.cases.inputs import complete, constants
from mpc.testing.cases.programs import Case, Protocol


def show_plan(protocol: Protocol, inputs: Sequence[Input], sizes: Sizes | None = None, *, owners: int = 2) -> str:
    """Rounds, bytes, correlations and reveals of a protocol, in lines to read; nothing is run but the dry run.

    Args:
        sizes: of the inputs' named sizes; 2, 3, ... in order of appearance where left out.

    Raises:
        CheckFailed: the dry run refuses the protocol.
        UsageError: no input has a size of that name.
    """
    known = complete(inputs, sizes, 2)
    plan = Case(protocol, tuple(inputs), owners, known, constants(inputs, known, owners, 0)).plan
    sized = "".join(f", {name} = {size}" for name, size in known.items())
    return "\n".join([f"{owners} owners and a helper{sized}", *plan_lines(plan)])


def plan_lines(plan: Plan) -> list[str]:
    """Rounds, bytes, correlations and reveals of a plan, in lines to read."""
    return [*_rounds(plan), *_correlations(plan), *_reveals(plan)]


def _rounds(plan: Plan) -> list[str]:
    """One line for rounds of one label that follow each other."""
    lines = [f"{len(plan.rounds)} rounds, {sum(one.payload for one in plan.rounds)} bytes to each other owner"]
    for (label, payload), same in groupby(plan.rounds, lambda one: (one.label, one.payload)):
        times = len(list(same))
        lines.append(f"  {label}: {payload} bytes" + (f", {times} times" if times > 1 else ""))
    return lines


def _correlations(plan: Plan) -> list[str]:
    table = plan.correlations
    total = sum(row["correction_bytes"] for row in table.values())
    counts = [f"  {name}: {row['count']}, {row['correction_bytes']} bytes" for name, row in table.items()]
    return [f"correlations, {total} bytes of corrections from the helper to the last owner", *counts]


def _reveals(plan: Plan) -> list[str]:
    if not plan.reveals:
        return ["reveals nothing"]
    return ["reveals", *(f"  {one.what} {one.shape} to {', '.join(one.to)}: {one.why}" for one in plan.reveals)]
