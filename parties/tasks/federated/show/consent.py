"""What an approval of federated learning shows a client, or the server."""

from __future__ import annotations

from parties.show.blocks import Block, Grid, Line, count_text
from parties.tasks.federated.settings import FederatedScenario


def data_notice(scenario: FederatedScenario, me: str) -> list[Block]:
    """What is asked of a party's data."""
    if me == scenario.server:
        return [Line(""), Line(f"{me} has no data: it relays the clients' messages, and learns sums and the model.")]
    task, spec = scenario.task, scenario.clients if me not in scenario.parties else None
    whose = "all of that file"
    if spec is not None and "{client}" not in str(spec.data):
        whose = "those that the split deals it" if spec.by is None else f"those with {me} in column '{spec.by}'"
    what = [
        ("read", scenario.data_of(me)),
        *([("as this party itself says", scenario.data_from)] if scenario.data_from is not None else []),
        ("target", task.target),
        ("features", ", ".join(task.features)),
        ("rows", f"{whose}, {count_text(task.most_rows)} at most"),
    ]
    if task.validation_fraction and not scenario.newton:
        what.append(("held out", f"{task.validation_fraction:g} of them, to judge models by"))
    return [Grid(f"What is asked of the data of {me}", ("what", "which"), tuple(what), frozenset({0, 1}))]
