"""A secure sum's small cells in plan, consent, record and summary: the rule, its bias, the meaning of a zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from parties.scenario.problems import quote
from parties.show.blocks import Block, Line, entries, is_number, table
from parties.tasks.secure_sum.settings import SumScenario
from protocols.aggregation.cells.own import FEW_VALUES, Bias, bias
from protocols.aggregation.cells.values import most_values


def small_cells_facts(scenario: SumScenario, clients: int) -> dict[str, Any] | None:
    """The rule as the plan and the record have it, for sums over so many clients; None without a rule."""
    task = scenario.task
    if task.min_cell is None:
        return None
    if scenario.helper is not None:
        return {"min_cell": task.min_cell, "suppressed_by": scenario.helper}
    return {
        "min_cell": task.min_cell,
        "suppressed_by": "clients",
        "bias": {
            column: {kind: [one.low, one.high] for kind, one in _biases(scenario, column, clients).items()}
            for column in task.columns
        },
    }


def small_cells_blocks(scenario: SumScenario) -> list[Block]:
    """The party that suppresses cells, which cells, and the effect on the sums, before a run."""
    task, facts = scenario.task, small_cells_facts(scenario, scenario.count)
    if facts is None or task.min_cell is None:
        return []
    cells = "Of each column, the rows with a value are a cell"
    if scenario.helper is not None:
        if task.flags:
            cells += f"; of {quote(task.flags)} those with a 1 and those with a 0 too"
        return [
            Line(
                f"Small cells (min_cell = {task.min_cell}): {scenario.helper} compares. {cells}. Where one has 1 to "
                f"{task.min_cell - 1} rows over all clients, the server never sees it, nor the sums that go with it. "
                "Every other number is exact, and a 0 is told."
            ),
            Line(
                f"{scenario.server} keeps the masked sums and {scenario.helper} the sums of masks: neither sees a "
                f"number before the test, and {scenario.helper} learns of each cell only "
                f"{helper_view(scenario, task.min_cell)}. That holds while both follow the protocol and do not work "
                "together: together they see every sum, and no client's own numbers."
            ),
            *_unflagged_text(scenario, task.min_cell),
        ]
    return [
        Line(
            f"Small cells (min_cell = {task.min_cell}): each client adds 0 where it has fewer than {task.min_cell} "
            "rows, and the sums that go with them; fewer rows that differ from its commonest value, or that have one "
            f"of at most {FEW_VALUES} values, count as if they had the commonest. The server sees no cell of 1 to "
            f"{task.min_cell - 1} rows, and not who left something out."
        ),
        *bias_blocks(facts),
        Line(zero_text(task.min_cell)),
    ]


def helper_view(scenario: SumScenario, m: int) -> str:
    """The fact that the helper learns of a cell."""
    if not scenario.unflagged:
        return f"whether it has 1 to {m - 1} rows"
    return f"whether it has 1 to {m - 1} rows; of {quote(scenario.unflagged)}, about how many values have so few"


def bias_blocks(facts: Mapping[str, Any]) -> list[Block]:
    """The bias of each kind of number, the columns with the same one together."""
    alike: dict[str, list[str]] = {}
    for column, kinds in table(facts.get("bias")).items():
        parts = [_within(kind, entries(ends)) for kind, ends in table(kinds).items()]
        alike.setdefault(", ".join(parts), []).append(str(column))
    return [
        Line(
            f"That biases what is told of {', '.join(columns)}, at the very most: {said}; a mean is the quotient "
            "of what is told."
        )
        for said, columns in alike.items()
    ]


def zero_text(min_cell: int) -> str:
    """The meaning of a zero."""
    return f"A 0 means that no client has {min_cell} such rows or more, not that there are none."


def _unflagged_text(scenario: SumScenario, m: int) -> list[Block]:
    """With a helper, what is asked of columns that are not of flags."""
    if not scenario.unflagged:
        return []
    weights = "; likewise the total weights, by the rows with each weight" if scenario.task.weight is not None else ""
    places = {len(rows.moduli) for rows in scenario.value_rows}
    chance = " By chance, one of four values in some 4,000 cases is overlooked." if places != {1} else ""
    return [
        Line(
            f"The sums of {quote(scenario.unflagged)} are withheld, too, if 1 to {m - 1} rows differ from the "
            f"commonest value, or if there are at most {most_values(m)} values and one has 1 to {m - 1} rows{weights}. "
            f"Where any client has more values, none is asked about.{chance}"
        )
    ]


def _biases(scenario: SumScenario, column: str, clients: int) -> dict[str, Bias]:
    task = scenario.task
    assert task.min_cell is not None
    kinds = [kind for name, kind in scenario.entries if name == column]
    return {
        kind: bias(
            kind,
            clients,
            task.min_cell,
            task.range,
            flag=column in task.flags,
            largest_weight=task.largest_weight,
        )
        for kind in kinds
    }


def _within(kind: str, ends: Sequence[Any]) -> str:
    if len(ends) != 2 or not all(is_number(end) for end in ends):
        return f"a {kind} by an unknown amount"
    low, high = ends
    return f"a {kind} by {low:,.10g} to {high:+,.10g}" if high else f"a {kind} by {low:,.10g} to 0"
