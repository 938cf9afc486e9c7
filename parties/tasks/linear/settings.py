"""[task] of kind = "linear_regression": its settings, each by itself and together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from parties.scenario.checks import check_columns, check_reveal, owners_of
from parties.scenario.models import ModelTask, PartySpec, Text
from parties.scenario.partition import check_split
from parties.scenario.problems import Problem, Reading


class LinearTask(ModelTask):
    """Fit one linear regression, with its standard errors, to the rows of all owners."""

    kind: Literal["linear_regression"] = Field(description='"linear_regression"')
    target: Text = Field(description="the name of the column of numbers to predict")
    test_fraction: float = Field(default=0.0, ge=0.0, le=0.9, description="a number from 0 to 0.9")
    inference: Literal["shared", "open-gram"] = Field(default="shared", description='"shared" or "open-gram"')
    reveal: Annotated[tuple[Literal["inference", "metrics", "missing"], ...], Field(strict=False)] = Field(
        default=("inference",), description='a list of "inference", "metrics" and "missing"'
    )


def settle_linear(task: LinearTask, parties: Mapping[str, PartySpec] | None) -> Reading[LinearTask]:
    """Check settings against each other; return the task with its lists in one order."""
    yield from check_columns(task)
    if "metrics" in task.reveal and not task.test_fraction:
        hint = "set test_fraction, or leave it out: R2 and the residual standard error come with the coefficients"
        yield Problem('[task] reveal lists "metrics", which are of held-out rows: none is held out', hint)
    if task.test_fraction and "metrics" not in task.reveal:
        hint = 'add "metrics" to reveal, or set test_fraction = 0, so that every row is in the fit'
        yield Problem("[task] test_fraction holds out rows that nothing would be told of", hint)
    if task.partition == "vertical":
        yield from _check_vertical(task)
    if parties is None:
        return task
    yield from check_reveal(task, task.reveal, parties)
    yield from check_split(task, {name: party for name, party in parties.items() if party.role == "owner"})
    asked = {*task.reveal, "inference"}  # every linear regression reveals it
    what = tuple(item for item in ("inference", "metrics", "missing") if item in asked)
    return task.model_copy(update={"reveal": what, "reveal_to": owners_of(parties)})


def _check_vertical(task: LinearTask) -> Iterator[Problem]:
    where = 'partition = "vertical"'
    if task.inference == "open-gram":
        hint = 'set inference = "shared", which opens no sums'
        yield Problem('[task] inference = "open-gram" is for owners with rows of their own', hint)
    if task.test_fraction:
        hint = "set test_fraction = 0, so that every row is in the fit"
        yield Problem(f"[task] test_fraction is not available with {where} in this version", hint)
    if "missing" in task.reveal:
        hint = 'take "missing" out of reveal'
        yield Problem(f'[task] reveal = ["missing"] is not available with {where}', hint)
