"""A client's own learner: from the file that its owner named to updates and figures that are checked.

The file's NAME is a function or a class that makes a learner of the agreed model, `learner(model)`, once for each
client; or an object that is one, of which each client has a copy. A learner has

    step(weights, rows) -> update        (protocols/federated/local.py)

and, where the clients train a model of their own (`model = "own"`) and hold out rows, also

    losses(weights, rows) -> (n,)        scores(weights, x) -> (n,) or (n, classes)

as a `Model` has (protocols/federated/models.py). What is wrong with its code is told by the line, to its owner alone.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mpc.errors import BeaverlodgeError, UsageError
from mpc.ring.array import Array
from parties.scenario.step import StepFile
from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.own_code import authors_error, executed
from protocols.federated.evaluate import Judge
from protocols.federated.local import Step
from protocols.federated.models import Rows


@dataclass(frozen=True)
class OwnModel:
    """What is agreed of a model that the clients' own learners alone know.

    Args:
        size: how many weights it has.
        classes: of the target; 1: it is a number.
    """

    size: int
    classes: int


@runtime_checkable
class _Judging(Judge, Protocol):
    """A learner that also judges its model."""


@dataclass(frozen=True)
class Learner:
    """A client's learner, whose mistakes are told by its file's lines.

    Args:
        client: its name.
        made: what the file made.
    """

    file: StepFile
    client: str
    made: Step = field(repr=False)

    def step(self, weights: Array, rows: Rows) -> Array:
        """The update, as an array of whatever it gave.

        Raises:
            UsageError: its code failed.
        """
        return self._run("step", lambda: np.asarray(self.made.step(weights, rows)))

    def losses(self, w: Array, rows: Rows) -> Array:
        """Each row's loss (n,); likewise."""
        found = self._run("losses", lambda: np.asarray(self._judge().losses(w, rows), dtype=np.float64))
        return self._shaped("losses", found, (rows.y.size,))

    def scores(self, w: Array, x: Array) -> Array:
        """Each row's scores (n,) or (n, classes); likewise."""
        found = self._run("scores", lambda: np.asarray(self._judge().scores(w, x), dtype=np.float64))
        return self._shaped("scores", found, (len(x), *found.shape[1:2]))

    def _judge(self) -> Judge:
        assert isinstance(self.made, _Judging)  # or it would not have been made
        return self.made

    def _run(self, what: str, call: Callable[[], Array]) -> Array:
        try:
            return call()
        except (Exception, SystemExit) as problem:
            raise authors_error(self.file, problem, f"in {what}", self.client) from None

    def _shaped(self, what: str, found: Array, shape: tuple[int, ...]) -> Array:
        if found.shape != shape:
            raise UsageError(
                f"{self.client}: {what} of {self.file.function} gave an array {found.shape} where {shape} was due",
                "give a number for each row",
                party=self.client,
            )
        return found


def learners_of(scenario: FederatedScenario) -> Callable[[str], Learner | None]:
    """What makes a client's own learner; None where it trains as is built in. The file is executed here, once.

    Raises:
        UsageError: it fails, or makes no learner.
    """
    file = scenario.step
    if file is None:
        if scenario.own:
            raise UsageError("the clients train a model of their own, and there is no learner", "name it with --step")
        return lambda client: None
    named = vars(executed(file)).get(file.function)
    model = OwnModel(scenario.size, scenario.classes) if scenario.own else scenario.model

    def make(client: str) -> Learner:
        made: Any = named
        try:
            made = deepcopy(made) if isinstance(made, Step) and not isinstance(made, type) else made(model)
        except (Exception, SystemExit) as problem:
            raise authors_error(file, problem, "as the learner was made", client) from None
        if not isinstance(made, Step):
            raise _unfit(file, f"a {type(made).__name__} that has no step(weights, rows)")
        if scenario.own and scenario.judges and not isinstance(made, _Judging):
            raise _unfit(file, "no losses(weights, rows) and scores(weights, x), by which held-out rows judge it")
        return Learner(file, client, made)

    return make


def _unfit(file: StepFile, what: str) -> BeaverlodgeError:
    return UsageError(
        f"{file.path}: '{file.function}' gives {what}",
        "docs/federated.md says what a learner has; without held-out rows (validation_fraction = 0) step is enough",
    )
