"""A run on one machine beside the author's plaintext reference, which gets the same inputs in the clear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parties.data.own_table import shared_columns
from parties.data.plain_table import PlainTable
from parties.scenario.file import Scenario
from parties.tasks.own_code import line_of
from parties.tasks.program.data import inputs_of, load, own_words
from parties.tasks.program.function import load_protocol
from parties.tasks.program.reference import beside
from parties.tasks.program.settings import ProgramTask


def compare(scenario: Scenario, record: Mapping[str, Any]) -> dict[str, Any]:
    """The largest difference of each result from the reference's; nothing where the file has no reference.

    Returns:
        `reference`, its name, and `results`: of each its name and `difference`, or `why` there is none; or `failed`,
        where the reference fails: its error and line.
    """
    task = scenario.task_as(ProgramTask)
    one = load_protocol(scenario.program, len(task.inputs))
    if one.reference is None:
        return {}
    watches = scenario.testing is not None and scenario.testing.insecure_seed is not None
    try:
        return beside(one.reference, plain_inputs(scenario), record["program"]["results"], watches=watches)
    except Exception as problem:  # of the author's own code, and the run is done
        line, _ = line_of(one.file, problem)
        failed = f"line {line}: {type(problem).__name__}: {problem}"
        return {"reference": one.reference.__name__, "failed": failed}


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
