"""What `mpc trace --view` does: it runs a protocol of one's own with two secrets, and draws what parties saw."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from mpc.errors import UsageError
from mpc.runtime.inputs import Input
from mpc.testing import View, view_of
from mpc.testing.cases.inputs import randoms
from mpc.testing.cases.programs import Case, results_of, totals
from parties.cli.simulation import Simulation, scenario_of, scenario_text
from parties.tasks.registry import job_of

_SECRETS = "_secrets"


def view_by(program: str, party: str, owners: int, inputs: tuple[str, ...]) -> View:
    """Run the protocol; returns the view of a party, or of several with commas between their names.

    Raises:
        UsageError: the protocol or the party is not there; two secrets with equal outputs are not known.
    """
    coalition = sorted({_number(name, owners) for name in party.split(",")})
    scenario = scenario_of(program, scenario_text(Simulation(program=program, inputs=inputs, owners=owners)))
    settings = job_of(scenario).run.settings(scenario, dict.fromkeys(scenario.owners, (0, 0)), 1)
    function: Callable[..., Any] = settings.loaded.run
    kinds = [each[0] for each in settings.inputs]
    return view_of(
        function, kinds, secrets=_secrets(function, kinds, owners, coalition), owners=owners, coalition=coalition
    )


def _number(name: str, owners: int) -> int:
    found = re.fullmatch(r"owner(\d+)", name.strip())
    if found is None or int(found[1]) >= owners:
        raise UsageError(f"there is no party {name.strip()!r}", f"there are owner0 to owner{owners - 1}")
    return int(found[1])


def _secrets(function: Callable[..., Any], kinds: Sequence[Input], owners: int, coalition: list[int]) -> Any:
    """Those that the file has as FUNCTION_secrets; or the others' inputs, and the same from one another's hands."""
    assert isinstance(function, FunctionType)
    own = function.__globals__.get(function.__name__ + _SECRETS)
    if own is not None:
        return own
    sizes: dict[str, int] = {}
    values = randoms(kinds, sizes, owners, "view")
    case = Case(function, tuple(kinds), owners, sizes, values)
    if not case.plan.reveals:
        return None
    hidden = [k for k in range(owners) if k not in coalition]
    turned = list(range(owners))
    for place, k in enumerate(hidden):
        turned[k] = hidden[(place + 1) % len(hidden)]
    moved = tuple(tuple(parts[k] for k in turned) for parts in values)
    if len(hidden) < 2 or not _same(case, Case(function, tuple(kinds), owners, sizes, moved)):
        raise UsageError(
            f"two secrets with equal outputs are not known of {function.__name__}, which reveals something",
            f"give a pair as {function.__name__}{_SECRETS} in its file: for each, the inputs of all owners "
            "(docs/testing.md), or take three owners or more",
        )
    return tuple(
        [[one.plain(part) for part in parts] for one, parts in zip(kinds, v, strict=True)] for v in (values, moved)
    )


def _same(one: Case, other: Case) -> bool:
    """Whether a protocol gives the same with both."""
    from mpc.runtime.lockstep import run_lockstep

    a, b = (totals(run_lockstep(case.factories, case.plan, entropy=case.entropy(0)).results) for case in (one, other))
    return len(a) == len(b) and all(
        np.array_equal(words_in(x), words_in(y)) for x, y in zip(results_of(a), results_of(b), strict=True)
    )


def words_in(result: Any) -> Any:
    """A result's words."""
    from mpc.sharing.share import Public, Share

    return result.value if isinstance(result, Public | Share) else result
