"""[task] of kind = "mantel_haenszel": which columns are the exposure, the outcome and the strata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from parties.scenario.categories import prepare_categories
from parties.scenario.models import A_COUNT, MIN_ROWS, Count, Names, PartySpec, Task, Text
from parties.scenario.problems import Problem, Reading, quote
from parties.scenario.task import TaskReader
from protocols.disclosure.suppression import LEAST_MINIMUM


class MantelHaenszelTask(Task):
    """Pool an odds ratio over strata, and test it, over the rows of all owners."""

    kind: Literal["mantel_haenszel"] = Field(description='"mantel_haenszel"')
    partition: Literal["horizontal"] = Field(default="horizontal", description='"horizontal"')
    exposure: Text = Field(description="the name of a column of [task.categories] with two levels, exposed last")
    outcome: Text = Field(description="the name of a column of [task.categories] with two levels, the event last")
    strata: Text = Field(description="the name of a column of [task.categories]")
    categories: Annotated[dict[Text, Annotated[Names, Field(min_length=2)]], Field(strict=False)] = Field(
        description="a table of the three columns and their levels"
    )
    min_cell: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=5, description="a whole number from 3 to 1000, or 0 to tell every cell"
    )
    min_rows: Count = Field(default=MIN_ROWS, description=A_COUNT)

    @property
    def columns(self) -> tuple[str, str, str]:
        """The three columns."""
        return self.exposure, self.outcome, self.strata


def settle(task: MantelHaenszelTask, parties: Mapping[str, PartySpec] | None) -> Reading[MantelHaenszelTask]:
    """Check settings against each other."""
    if len(set(task.columns)) < 3:
        yield Problem("[task] names one column twice", "exposure, outcome and strata are three columns")
    if set(task.categories) != set(task.columns):
        message = f"[task.categories] must list the levels of {quote(task.columns)}, and no others"
        yield Problem(message, f"it lists {quote(task.categories) if task.categories else 'none'}")
    for name in (task.exposure, task.outcome):
        if len(task.categories.get(name, ("", ""))) != 2:
            yield Problem(f"[task.categories] {name} must have two levels", "join the others in your data")
    if 0 < task.min_cell < LEAST_MINIMUM:
        hint = f"write at least {LEAST_MINIMUM}, or 0 to tell every cell"
        yield Problem(f"[task] min_cell = {task.min_cell} would tell nearly how many a cell has", hint)
    return task


READER = TaskReader(MantelHaenszelTask, settle, prepare_categories)
