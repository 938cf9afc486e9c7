"""A protocol's results beside its author's plaintext reference."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from mpc.errors import UsageError
from mpc.runtime.traced_party import MOST_WORDS
from parties.tasks.program.results import leaves, numbers_of

_MOST_WATCHED: Final = 1000


def beside(
    reference: Callable[..., Any],
    inputs: Sequence[tuple[Any, ...]],
    results: Sequence[Mapping[str, Any]],
    *,
    watches: bool,
) -> dict[str, Any]:
    """The largest difference of each result from the reference's.

    Args:
        inputs: what the owners give in the clear, a tuple of arrays for each input.
        results: as a record has them.
        watches: whether what the reference watches is kept: under a test seed.

    Returns:
        `reference`, its name, and `results`: of each its name and `difference`, or `why` there is none; and where an
        owner has what the reference gives another, `swapped`: owner -> that other one.
    """
    watched: list[tuple[str, Any]] = []
    wanted = dict(_leaves(_referred(reference, inputs, watched)))
    found: dict[str, Any] = {"reference": reference.__name__}
    if watched and watches:
        found["watched"] = [_watched(label, value) for label, value in watched[:_MOST_WATCHED]]
    return {**found, "results": [{"name": each["name"], **_difference(each, wanted)} for each in results]}


def _referred(reference: Callable[..., Any], inputs: Sequence[tuple[Any, ...]], watched: list[tuple[str, Any]]) -> Any:
    """The reference's result. One with a parameter `watch` is given what takes a label and its value."""
    if "watch" not in inspect.signature(reference).parameters:
        return reference(*inputs)
    return reference(*inputs, watch=lambda label, value: watched.append((str(label), value)))


def _watched(label: str, value: Any) -> dict[str, Any]:
    """A value as `mpc trace` compares it: of long ones, the first numbers."""
    numbers = np.asarray(value, dtype=np.float64)
    return {"label": label, "shape": list(numbers.shape), "values": numbers.reshape(-1)[:MOST_WORDS].tolist()}


def _leaves(result: Any) -> Iterator[tuple[str, Any]]:
    from mpc.testing.cases.programs import Each

    if isinstance(result, Each):
        yield "result", result
    elif isinstance(result, tuple | list) and any(isinstance(one, Each) for one in result):
        for k, one in enumerate(result):
            yield str(k), one
    else:
        yield from leaves(result)


def _difference(one: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """How far one result is from the reference's."""
    if one["kind"] == "share":
        return {"why": "it stays shared"}
    if one["name"] not in wanted:
        return {"why": "the reference does not give it"}
    want = wanted[one["name"]]
    by_owner = one.get("by_owner")
    pairs = [(one, want)] if by_owner is None else _each_with(by_owner, want)
    found: list[tuple[Any, Any]] = []
    for has, expected in pairs:
        if has.get("values") is None:
            return {"why": "it is too long for the record"}
        try:
            expected = np.asarray(numbers_of(expected), dtype=np.float64)
        except (UsageError, TypeError, ValueError):
            return {"why": "the reference gives no numbers"}
        values = np.asarray(has["values"], dtype=np.float64)
        if values.shape != expected.shape:
            return {"why": f"its shape is {values.shape}, the reference's {expected.shape}"}
        found.append((values, expected))
    swapped = {} if by_owner is None else _swapped(dict(zip(by_owner, found, strict=True)))
    worst = max((_apart(*pair) for pair in found), default=0.0)
    return {"difference": worst, **({"swapped": swapped} if swapped else {})}


def _apart(values: Any, expected: Any) -> float:
    return float(np.max(np.abs(values - expected), initial=0.0))


def _swapped(found: Mapping[str, tuple[Any, Any]]) -> dict[str, str]:
    """The owners whose values are another's in the reference: a hundred times nearer to these than to their own."""
    swapped = {}
    for owner, (values, expected) in found.items():
        others = {other: _apart(values, its) for other, (_, its) in found.items() if its.shape == values.shape}
        nearest = min(others, key=lambda other: others[other], default=owner)
        if 100 * others.get(nearest, 0.0) < _apart(values, expected):
            swapped[owner] = nearest
    return swapped


def _each_with(by_owner: Mapping[str, Any], want: Any) -> list[tuple[Mapping[str, Any], Any]]:
    """What each owner has, beside what the reference gives it: `to_each` of the kit, or the same to all."""
    from mpc.testing.cases.programs import Each

    values = want.values if isinstance(want, Each) else [want] * len(by_owner)
    return list(zip(by_owner.values(), values, strict=True))
