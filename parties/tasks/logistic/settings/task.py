"""[task] of kind = "logistic_regression": its settings, each by itself and together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field

from parties.scenario.categories import prepare_categories
from parties.scenario.checks import check_columns, check_reveal, owners_of
from parties.scenario.models import A_COUNT, LARGEST_SEED, Count, ModelTask, PartySpec, Text
from parties.scenario.partition import VERTICAL, check_split
from parties.scenario.problems import Problem, Reading, show_value


def _as_text(value: Any) -> Any:
    """A whole number as text: `positive = 2` means the same as `positive = "2"`."""
    return str(value) if type(value) is int and abs(value) <= LARGEST_SEED else value


OF_TRAININGS: Final = (
    "solver", "epochs", "batch_size", "iterations", "momentum",
    "tolerance", "learning_rate", "sigmoid_range"
)  # fmt: skip
"""Settings of a training, in which a maximum-likelihood fit has no part."""

Weight = Annotated[float, Field(ge=1e-6, le=1e6)]


class LogisticTask(ModelTask):
    """Train one logistic regression on the rows of all owners."""

    kind: Literal["logistic_regression"] = Field(description='"logistic_regression"')
    target: Text = Field(description="the name of the 0/1 column to predict")
    positive: Annotated[Text, BeforeValidator(_as_text)] | None = Field(
        default=None, description='the target\'s value that counts as 1, such as "malignant"'
    )
    compare_ranges: bool = Field(default=False, description="true or false")
    standardise: bool | Literal["private"] = Field(default=True, description='true, false or "private"')
    solver: Literal["sgd", "nesterov", "newton", "auto"] = Field(
        default="sgd", description='"sgd", "nesterov", "newton" or "auto"'
    )
    epochs: Count = Field(default=10, description=A_COUNT)
    batch_size: Count = Field(default=128, description=A_COUNT)
    iterations: Count | None = Field(default=None, description=A_COUNT)
    momentum: float | None = Field(default=None, ge=0.0, le=0.99, description="a number from 0 to 0.99")
    tolerance: float | None = Field(default=None, gt=0.0, le=1.0, description="a number above 0 and up to 1")
    learning_rate: Literal["auto"] | Annotated[float, Field(gt=0.0, le=1e6)] | None = Field(
        default=None, description='"auto" or a number above 0 and up to 1000000'
    )
    sigmoid_range: Literal["auto"] | Annotated[float, Field(gt=0.0, le=245.0)] = Field(
        default="auto", description='"auto" or a number above 0 and up to 245'
    )
    class_weights: Literal["balanced"] | Annotated[tuple[Weight, Weight], Field(strict=False)] | None = Field(
        default=None, description='"balanced" or two numbers from 0.000001 to 1000000, for class 0 and class 1'
    )
    l2: float = Field(default=0.0, ge=0.0, le=1e6, description="a number from 0 to 1000000")
    inference: Literal["shared", "open-fisher"] = Field(default="shared", description='"shared" or "open-fisher"')
    newton_steps: Annotated[int, Field(ge=2, le=100)] = Field(default=14, description="a whole number from 2 to 100")
    reveal: Annotated[
        tuple[Literal["model", "metrics", "missing", "inference", "calibration"], ...], Field(strict=False)
    ] = Field(
        default=("model", "metrics"),
        description='a list of "model", "metrics", "missing", "inference" and "calibration"',
    )

    classes: ClassVar[bool] = True

    @property
    def counts_as_one(self) -> str | None:
        """The value that the scenario counts as 1."""
        return self.positive

    @property
    def keeps_shares(self) -> bool:
        """Whether nobody sees the model: each owner keeps a share of it."""
        return not {"model", "inference"} & set(self.reveal)

    @property
    def unused(self) -> frozenset[str]:
        """A training's settings of a maximum-likelihood fit, and the other way round; epochs of full-batch solvers."""
        if "inference" in self.reveal:
            return frozenset((*OF_TRAININGS, "l2"))
        of_sgd = ("epochs", "batch_size") if self.solver in ("nesterov", "newton") else ()
        return frozenset(("inference", "newton_steps", *of_sgd))

    @property
    def told_without_penalty(self) -> bool:
        """Whether a model without a penalty is disclosed."""
        return not self.l2 and not self.keeps_shares


def prepare_training(table: dict[str, Any]) -> Reading[dict[str, Any]]:
    """Read the categories, and take out what cannot be revealed."""
    yield from _take_out_unknown_reveal(table)
    return (yield from prepare_categories(table))


def settle_training(task: LogisticTask, parties: Mapping[str, PartySpec] | None) -> Reading[LogisticTask]:
    """Check settings against each other; fill in the solver's, and put lists in one order."""
    from parties.tasks.logistic.settings.inference import check_calibration, check_no_inference, settle_inference
    from parties.tasks.logistic.settings.solver import settle_solver

    yield from check_columns(task)
    if "inference" in task.reveal:
        task = yield from settle_inference(task)
    else:
        yield from check_no_inference(task)
        task = yield from settle_solver(task)
    yield from check_calibration(task)
    if parties is not None:
        task = yield from _settle_reveal(task, parties)
        yield from _check_partition(task, parties)
    return task


def _settle_reveal(task: LogisticTask, parties: Mapping[str, PartySpec]) -> Reading[LogisticTask]:
    """Put `reveal` and `reveal_to` in one order, whatever the file's, so that digests are equal."""
    yield from check_reveal(task, task.reveal, parties)
    asked = {*task.reveal}
    if "inference" in asked:  # coefficients with standard errors include the model
        asked.add("model")
    what = tuple(item for item in ("model", "metrics", "missing", "inference", "calibration") if item in asked)
    return task.model_copy(update={"reveal": what, "reveal_to": owners_of(parties)})


def _check_partition(task: LogisticTask, parties: Mapping[str, PartySpec]) -> Iterator[Problem]:
    """Problems of settings that do not go with the partition."""
    owners = {name: party for name, party in parties.items() if party.role == "owner"}
    yield from check_split(task, owners)
    if task.partition == "horizontal":
        return
    if task.standardise == "private":
        hint = "set standardise = true: each owner its own columns, and nothing is told of them"
        yield Problem('[task] standardise = "private" is for owners with the same columns', hint)
    if task.compare_ranges:
        hint = "remove it"
        yield Problem("[task] compare_ranges is for owners with the same columns", hint)
    if "missing" in task.reveal:
        message = f'[task] reveal = ["missing"] is not available with {VERTICAL[7:]}'
        yield Problem(message, 'use "model", "metrics" or both')


def _take_out_unknown_reveal(table: dict[str, Any]) -> Iterator[Problem]:
    reveal = table.get("reveal")
    if not isinstance(reveal, list) or not all(isinstance(what, str) for what in reveal):
        return
    hint = (
        'use reveal = ["model", "metrics"], with "missing", "inference", "calibration"; without "model" nobody sees it'
    )
    for what in reveal:
        if what not in ("model", "metrics", "missing", "inference", "calibration"):
            yield Problem(f"[task] reveal = [{show_value(what)}] is not available in this version", hint)
            table.pop("reveal", None)
