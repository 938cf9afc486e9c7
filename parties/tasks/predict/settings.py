"""[task] of kind = "predict": its settings, each by itself and together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from parties.scenario.checks import check_named_owners
from parties.scenario.models import A_COUNT, Count, Names, PartySpec, Task, Text
from parties.scenario.partition import VERTICAL, check_same_rows
from parties.scenario.problems import Problem, Reading, quote, show_value
from parties.scenario.task import TaskReader

_SLACK: Final = 1e-6


class PredictTask(Task):
    """Score new rows by a model that nobody sees: each owner's for it alone, or rows that all have parts of for one."""

    kind: Literal["predict"] = Field(description='"predict"')
    partition: Literal["horizontal", "vertical"] = Field(default="horizontal", description='"horizontal" or "vertical"')
    id: Text | None = Field(default=None, description="the name of the column that identifies a row")
    reveal_to: Annotated[Names, Field(min_length=1)] | None = Field(
        default=None, description="a list of one owner's name"
    )
    output: Literal["probability", "class"] = Field(default="probability", description='"probability" or "class"')
    grid: float = Field(default=0.01, ge=0.001, le=0.5, description="a number from 0.001 to 0.5")
    max_rows: Count | None = Field(default=None, description=A_COUNT)

    @property
    def steps(self) -> int | None:
        """How many steps the grid has from 0 to 1; None for classes."""
        return None if self.output == "class" else round(1 / self.grid)

    def scored(self, rows: Mapping[str, int]) -> dict[str, int]:
        """Each owner's number of scores, by its number of rows: where columns are split, one owner gets all."""
        return {owner: count if self.gets_scores(owner) else 0 for owner, count in rows.items()}

    def gets_scores(self, owner: str) -> bool:
        """Whether an owner gets scores."""
        return self.partition == "horizontal" or owner in (self.reveal_to or ())


def settle_predict(task: PredictTask, parties: Mapping[str, PartySpec] | None) -> Reading[PredictTask]:
    """The grid divides 1 and goes with probabilities; where columns are split, one owner gets the scores."""
    if task.output == "class" and "grid" in task.model_fields_set:
        yield Problem('[task] grid is for output = "probability"', "remove grid: a class is 0 or 1")
    elif abs(1 / task.grid - round(1 / task.grid)) > _SLACK * round(1 / task.grid):
        hint = f"use 1/{round(1 / task.grid)} or another such part, for example 0.01 or 0.05"
        yield Problem(f"[task] grid = {show_value(task.grid)} does not divide 1", hint)
    for name, party in (parties or {}).items():
        if party.features is not None:
            hint = "remove it: the model says which columns it needs"
            yield Problem(f"[parties.{name}] has features, but nothing is trained", hint)
    yield from _check_split(task, parties or {})
    return task


def _check_split(task: PredictTask, parties: Mapping[str, PartySpec]) -> Iterator[Problem]:
    """Split rows need an id, and one owner that gets their scores; whole rows have neither setting."""
    if task.partition == "horizontal":
        if task.reveal_to is not None:
            message = f"[task] reveal_to goes with {VERTICAL[7:]}: of its own rows each owner alone gets the scores"
            yield Problem(message, "remove it")
        return
    owners = {name: party for name, party in parties.items() if party.role == "owner"}
    if task.id is None:
        yield Problem(f"{VERTICAL} needs `id`", "name the column that says whose row it is")
    if task.reveal_to is None:
        hint = f'write reveal_to = ["NAME"], one of {quote(owners)}' if owners else 'write reveal_to = ["NAME"]'
        yield Problem(f"{VERTICAL} needs `reveal_to`: the one owner that gets the scores", hint)
    elif len(task.reveal_to) > 1:
        message = f"[task] reveal_to names {quote(task.reveal_to)}, but scores go to one owner"
        yield Problem(message, "name one; another run, with its own count of rows, can tell another")
    elif parties:
        yield from check_named_owners(task.reveal_to, parties)
    yield from check_same_rows(owners)


READER = TaskReader(PredictTask, settle_predict, shares=lambda task: True)
