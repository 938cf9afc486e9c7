"""A run on one machine beside the author's plaintext reference, which gets the same inputs in the clear."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from mpc.errors import UsageError
from mpc.runtime.traced_party import MOST_WORDS
from parties.data.own_table import shared_columns
from parties.data.plain_table import PlainTable
from parties.scenario.file import Scenario
from parties.tasks.program.data import inputs_of, load, own_words
from parties.tasks.program.function import line_of, loaded
from parties.tasks.program.results import leaves, numbers_of
from parties.tasks.program.settings import ProgramTask

_MOST_WATCHED: Final = 1000


def compare(scenario: Scenario, record: Mapping[str, Any]) -> dict[str, Any]:
    """The largest difference of each result from the reference's; nothing where the file has no reference.

    Returns:
        `reference`, its name, and `results`: of each its name and `difference`, or `why` there is none; or `failed`,
        where the reference fails: its error and line.
    """
    task = scenario.task_as(ProgramTask)
    one = loaded(scenario.program, len(task.inputs))
    if one.reference is None:
        return {}
    found: dict[str, Any] = {"reference": one.reference.__name__}
    watched: list[tuple[str, Any]] = []
    try:
        wanted = dict(_leaves(_referred(one.reference, plain_inputs(scenario), watched)))
    except Exception as problem:  # of the author's own code, and the run is done
        line, _ = line_of(one.file, problem)
        return {**found, "failed": f"line {line}: {type(problem).__name__}: {problem}"}
    results = record["program"]["results"]
    if watched and scenario.testing is not None and scenario.testing.insecure_seed is not None:
        found["watched"] = [_watched(label, value) for label, value in watched[:_MOST_WATCHED]]
    return {**found, "results": [{"name": each["name"], **_difference(each, wanted)} for each in results]}


def _referred(reference: Callable[..., Any], inputs: list[tuple[Any, ...]], watched: list[tuple[str, Any]]) -> Any:
    """The reference's result. One with a parameter `watch` is given what takes a label and its value."""
    if "watch" not in inspect.signature(reference).parameters:
        return reference(*inputs)
    return reference(*inputs, watch=lambda label, value: watched.append((str(label), value)))


def _watched(label: str, value: Any) -> dict[str, Any]:
    """A value as `mpc trace` compares it: of long ones, the first numbers."""
    numbers = np.asarray(value, dtype=np.float64)
    return {"label": label, "shape": list(numbers.shape), "values": numbers.reshape(-1)[:MOST_WORDS].tolist()}


def plain_inputs(scenario: Scenario) -> list[tuple[Any, ...]]:
    """For each input, a tuple with an array of every owner, in the clear: as the ring elements hold them."""
    task = scenario.task_as(ProgramTask)
    tables = _tables(scenario)
    words = [own_words(scenario, owner, table) for owner, table in tables.items()]
    kinds = inputs_of(task, 1, 1)  # of which the scale and the ring count here
    return [tuple(one.plain(given[k]) for given in words) for k, one in enumerate(kinds)]


def _tables(scenario: Scenario) -> dict[str, PlainTable]:
    """All owners' tables, with the columns that all have."""
    tables = {owner: load(scenario, owner) for owner in scenario.owners}
    shared = shared_columns(list(tables.values()))
    return {owner: table.select(shared) for owner, table in tables.items()}


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
    worst = 0.0
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
        worst = max(worst, float(np.max(np.abs(values - expected), initial=0.0)))
    return {"difference": worst}


def _each_with(by_owner: Mapping[str, Any], want: Any) -> list[tuple[Mapping[str, Any], Any]]:
    """What each owner has, beside what the reference gives it: `to_each` of the kit, or the same to all."""
    from mpc.testing.cases.programs import Each

    values = want.values if isinstance(want, Each) else [want] * len(by_owner)
    return list(zip(by_owner.values(), values, strict=True))
