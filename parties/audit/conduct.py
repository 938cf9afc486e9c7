"""A whole audit: every attack on what a scenario or a run discloses, and what they found as plain JSON."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from mpc.errors import UsageError
from parties.audit.attack import Attack, Audited
from parties.audit.registry import ATTACKS


def attacks_named(names: Sequence[str]) -> tuple[Attack, ...]:
    """The attacks of these names; all of none.

    Raises:
        UsageError: there is no such attack.
    """
    known = [attack.name for attack in ATTACKS]
    for name in names:
        if name not in known:
            raise UsageError(f"there is no attack '{name}'", f"there are {', '.join(known)}")
    return tuple(attack for attack in ATTACKS if not names or attack.name in names)


def conduct(audited: Audited, attacks: Sequence[Attack]) -> dict[str, Any]:
    """Try the attacks; the `audit` of a record.

    Returns:
        `seed` and `effort`; `found`: a list of `attack.Finding`; `not_tried`: attacks and why; `contradicts`: whether
        a claim of epsilon cannot be true; `seconds`.
    """
    began = time.perf_counter()
    found: list[dict[str, Any]] = []
    not_tried = []
    with _blaming_the_record(audited):
        for attack in attacks:
            if why := attack.applies(audited):
                not_tried.append({"attack": attack.name, "why": why})
            else:
                found += [asdict(one) for one in attack.run(audited)]
    return {
        "of": "study" if audited.record is None else "run",
        "seed": audited.seed,
        "effort": asdict(audited.effort),
        "found": found,
        "not_tried": not_tried,
        "contradicts": any(one["contradicts"] for one in found),
        "seconds": round(time.perf_counter() - began, 1),
    }


@contextmanager
def _blaming_the_record(audited: Audited) -> Iterator[None]:
    """Report an error in an attack on a run as a damaged record: it lacks what a run writes, or has something else."""
    try:
        yield
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        if audited.record is None:
            raise
        raise UsageError(
            f"the record does not hold what a run of {audited.scenario.path} writes ({type(error).__name__})",
            "it was changed, or is of another version: run the scenario again; if that does not help, report this",
        ) from error
