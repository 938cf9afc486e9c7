"""A run on one machine beside the author's plaintext reference, which gets the same inputs in the clear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parties.show.blocks import entries, table
from parties.tasks.own_code import line_of
from parties.tasks.program.reference import beside
from parties.tasks.program.star.data import ClientInputs
from parties.tasks.program.star.play import pair_of
from parties.tasks.program.star.settings import StarProgramScenario


def compare(scenario: StarProgramScenario, record: Mapping[str, Any]) -> dict[str, Any]:
    """The largest difference of each of the server's results from the reference's, as for owners' programs.

    The reference gets the inputs of the clients over which the results are.
    """
    pair, part = pair_of(scenario), table(record.get("program"))
    if pair.reference is None:
        return {}
    groups = {tuple(entries(one)) for one in entries(part.get("over"))}
    if len(groups) > 1:
        return {"reference": pair.reference.__name__, "failed": "the results are over different clients"}
    try:
        inputs = ClientInputs(scenario)
        given = [inputs.of(name) for name in next(iter(groups), ())]
        plain = [tuple(one[k] for one in given) for k in range(len(scenario.task.inputs))]
        return beside(pair.reference, plain, part["results"], watches=scenario.test_seed is not None)
    except Exception as problem:  # of the author's own code, and the run is done
        line, _ = line_of(pair.file, problem)
        failed = f"line {line}: {type(problem).__name__}: {problem}"
        return {"reference": pair.reference.__name__, "failed": failed}
