"""What an approval of a secure sum shows a client, the server or the helper."""

from __future__ import annotations

from parties.show.blocks import Block, Grid, Line, count_text
from parties.tasks.secure_sum.settings import SumScenario


def data_notice(scenario: SumScenario, me: str) -> list[Block]:
    """What is asked of a party's data."""
    if me == scenario.server:
        return [Line(""), Line(f"{me} has no data: it relays the clients' messages, and learns the sums.")]
    if me == scenario.helper:
        text = (
            f"{me} has no data: it takes the masks off, number by number, without seeing what they hide, and compares "
            f"with {scenario.server} which cells are small. It must not work together with {scenario.server}."
        )
        return [Line(""), Line(text)]
    what = [
        ("read", scenario.data_of(me)),
        *([("as this party itself says", scenario.data_from)] if scenario.data_from is not None else []),
        ("columns", ", ".join(scenario.task.columns)),
        *([("weight of each row", scenario.task.weight)] if scenario.task.weight is not None else []),
        ("rows", f"all of that file, {count_text(scenario.task.most_rows)} at most"),
    ]
    return [Grid(f"What is asked of the data of {me}", ("what", "which"), tuple(what), frozenset({0, 1}))]
