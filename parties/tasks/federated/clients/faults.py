"""What the hosted clients do on purpose, drawn anew for each attempt at a round: some leave, some are late."""

from __future__ import annotations

from collections.abc import Callable

from mpc.faults.fault import Fault, Kind
from mpc.randomness.streams import Stream, derive
from parties.tasks.federated.settings import FederatedScenario
from protocols.aggregation.parts.graph import shuffled

Draw = Callable[[tuple[int, ...], int, int], dict[int, Fault]]
"""(the clients asked, logical round, attempt) -> the faults of some of them, by number in the star."""


def draw_of(scenario: FederatedScenario) -> Draw:
    """The draws of [faults.clients], the same in every process of clients; nobody's without such a table.

    So many of the hosted clients that are asked leave, each in a stage of its own turn; they are back in the next
    attempt or round.
    """
    spec = scenario.faults.clients if scenario.faults is not None else None
    if scenario.faults is None or spec is None:
        return lambda asked, t, attempt: {}
    name, seed, first = scenario.name, scenario.faults.seed, len(scenario.own_process)
    stages = scenario.stages if spec.stage is None else (spec.stage,)
    last: tuple[tuple[int, int], dict[int, Fault]] = ((0, 0), {})

    def draw(asked: tuple[int, ...], t: int, attempt: int) -> dict[int, Fault]:
        nonlocal last
        if last[0] != (t, attempt):
            hosted = [number for number in asked if number >= first]
            stream = Stream(derive(bytes(32), f"federated faults/{name}/{seed}/{t}/{attempt}"))
            count = int(spec.vanish * len(hosted)), int(spec.straggle * len(hosted))
            found = {}
            for turn, place in enumerate(shuffled(len(hosted), stream).tolist()[: sum(count)]):
                kind: Kind = "leave" if turn < count[0] else "delay"
                found[hosted[place]] = Fault(kind, stage=stages[turn % len(stages)], seconds=spec.seconds)
            last = (t, attempt), found
        return last[1]

    return draw
