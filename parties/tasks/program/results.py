"""What a protocol returns, as a record has it: public values as numbers; shares by their shapes alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, Final

import numpy as np

from mpc.errors import UsageError
from mpc.ring.abstract_array import is_abstract
from mpc.sharing.share import Public, Share
from parties.scenario.program import ProgramFile

MOST_VALUES: Final = 100_000
"""A result with more entries is described, and its values are in no record."""

_PLAIN: Final = (bool, int, float, np.bool_, np.integer, np.floating)


def leaves(result: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a protocol's result, by its place: `1.0` is the first of the second.

    Raises:
        UsageError: there is something in it that is neither a value nor a tuple, list or dict of such.
    """
    if result is None:
        return
    inner: Any = ()
    if isinstance(result, tuple | list):
        inner = enumerate(result)
    elif isinstance(result, Mapping):
        inner = result.items()
    elif isinstance(result, (Public, Share, np.ndarray, *_PLAIN)) or is_abstract(result):
        yield name or "result", result
        return
    else:
        where = f" at '{name}'" if name else ""
        raise UsageError(
            f"it returns a {type(result).__name__}{where}",
            "return Public values, shares, numbers or arrays, or tuples, lists and dicts of them",
        )
    for key, one in inner:
        yield from leaves(one, f"{name}.{key}" if name else str(key))


def check(result: Any, file: ProgramFile, *, dry: bool) -> None:
    """Refuse a result that a record cannot hold.

    Raises:
        UsageError: it cannot; says of which function.
    """
    try:
        for _, value in leaves(result):
            if not dry and not isinstance(value, Share):
                numbers_of(value)
    except UsageError as error:
        raise UsageError(f"{file.path}, {file.function}: {error.message}", error.hint, joint=True) from None


def describe(result: Any) -> list[dict[str, Any]]:
    """Each value: its name, kind and shape, and its values unless it stays shared."""
    return [{"name": name, **_described(value)} for name, value in leaves(result)]


def _described(value: Any) -> dict[str, Any]:
    if isinstance(value, Share):
        return {"kind": "share", "shape": list(value.shape), "scale": value.scale, "bits": value.ring.bits}
    kind = "public" if isinstance(value, Public) else "number"
    numbers = numbers_of(value)
    few = prod(numbers.shape) <= MOST_VALUES
    return {"kind": kind, "shape": list(numbers.shape), "values": numbers.tolist() if few else None}


def numbers_of(value: Any) -> Any:
    """A value that is no share, as numbers: bits and whole numbers exactly, others as float64."""
    if not isinstance(value, Public):
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise UsageError(f"it returns an array of {array.dtype}", "return an array of numbers")
        return array
    if value.ring.xor:
        return value.value
    if value.scale == 0 and value.ring.native:
        return value.ring.centred(value.value)
    return value.real()


def merge_parts(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One part of a record of all owners': what each has for itself stands under its name.

    Args:
        parts: owner -> its own part.
    """
    named = {owner: {one["name"]: one for one in part["program"]["results"]} for owner, part in parts.items()}
    (first_owner, first), *others = named.items()
    for owner, theirs in others:
        if list(theirs) != list(first):
            said = f"{first_owner} has {', '.join(first) or 'no result'}, {owner} {', '.join(theirs) or 'none'}"
            raise UsageError(
                f"the protocol returns other results at other owners: {said}", "return the same everywhere"
            )
    results = []
    for name, one in first.items():
        # By their text: a NaN is not equal to itself.
        alike = all(repr(theirs[name]) == repr(one) for _, theirs in others)
        own = {owner: {key: its[name].get(key) for key in ("shape", "values")} for owner, its in named.items()}
        results.append(one if alike else {"name": name, "kind": one["kind"], "by_owner": own})
    return {"program": {**parts[first_owner]["program"], "results": results}}
