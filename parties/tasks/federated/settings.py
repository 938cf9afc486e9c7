"""A scenario of federated learning, and what follows from it for each round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mpc.faults.fault import Kind
from mpc.randomness.streams import derive
from mpc.ring.array import Array
from parties.scenario.privacy import ClientPrivacySpec
from parties.scenario.star import StarScenario
from parties.tasks.federated.models import FederatedTask
from protocols.aggregation.bounds import FEWEST, Bounds, choose_bounds
from protocols.aggregation.messages import stages
from protocols.aggregation.settings import Settings, settings_of
from protocols.federated.coding import Layout, Part, scale_for
from protocols.federated.draws.sample import cohort
from protocols.federated.local import Local
from protocols.federated.messages import Phase, message_bytes
from protocols.federated.models import Network, model_of
from protocols.federated.newton.units import Units, units_of
from protocols.federated.noisy import NoisyLayout
from protocols.federated.programs import MODEL, UPDATE

if TYPE_CHECKING:
    from protocols.federated.newton.sums import Family
    from protocols.privacy.distributed import Distributed

_MOMENT_BITS: Final = 24
"""Sums of scaled values and squares, each from -1 to 1, are rounded to 2^-24."""
_LOSS_BITS: Final = 32
"""Of a training round's sums of losses, unless updates take more anyway."""


@dataclass(frozen=True, eq=False)
class Round:
    """One logical round, as all agree on it.

    Args:
        members: the clients that are asked, by number, ascending.
        layout: their vector's parts.
        settings: of the sum; its client k is members[k].
        longest: bytes of the round's message.
    """

    phase: Phase
    t: int
    members: tuple[int, ...]
    layout: Layout | NoisyLayout
    settings: Settings
    longest: int


class FederatedScenario(StarScenario):
    """A whole scenario file of federated learning, checked."""

    task: FederatedTask
    seed: int = 0
    privacy: ClientPrivacySpec | None = None

    @property
    def newton(self) -> bool:
        """Whether the method is Newton's, with pooled gradients and Fisher matrices."""
        return self.task.method == "newton"

    @property
    def plain(self) -> bool:
        """Whether the server sees every client's own vector: for comparison only."""
        return self.task.aggregation == "plain"

    @property
    def public_seed(self) -> bytes:
        """What cohorts, batches and splits are drawn from; everybody knows it."""
        return self.seed.to_bytes(32, "little")

    @property
    def own(self) -> bool:
        """Whether the clients train a model that their own learners alone know."""
        return self.task.model == "own"

    @property
    def takes_step(self) -> bool:
        """Whether clients may train by learners of their own."""
        return not self.newton

    @property
    def needs_step(self) -> bool:
        """Whether clients can train by nothing else."""
        return self.own

    @property
    def split_seed(self) -> bytes:
        """The public seed: rows of one file may be dealt out."""
        return self.public_seed

    @property
    def split_labels(self) -> str | None:
        """The target, where it is of classes."""
        return self.task.target if self.classes > 1 else None

    @property
    def cohort(self) -> int:
        """How many clients are asked in a training round."""
        return self.count if self.newton else min(self.task.cohort or self.count, self.count)

    def least(self, asked: int) -> int:
        """The fewest clients of so many asked for whose sum anything is opened."""
        least = self.task.min_cohort or max(FEWEST, self.cohort // 2 + 1)
        return least if asked == self.cohort else max(least, asked // 2 + 1)

    @property
    def min_cohort(self) -> int:
        """The fewest clients whose sum is opened in any round."""
        return self.least(self.cohort)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The kinds of rounds of the study, in order."""
        first: tuple[Phase, ...] = ("scale",) if self.task.standardise and self.privacy is None else ()
        return (*first, "newton" if self.newton else "train", "evaluate")

    @property
    def training_rounds(self) -> int:
        """How many rounds of training there are at the most: one of a linear fit, which Newton's first step reaches.

        A second sum of it over other clients would tell the difference's own, so no client answers one.
        """
        return 1 if self.newton and self.task.model == "linear" else self.task.rounds

    @property
    def star_rounds(self) -> int:
        """All rounds, if none is left out."""
        return len(self.phases) - 1 + self.training_rounds

    @property
    def asks_each(self) -> bool:
        """Whether every client is asked in each of these rounds."""
        return self.task.early_stop is None and not self.newton and self.cohort == self.count

    @property
    def hosted_faults(self) -> dict[Kind, str]:
        """What hosted clients do on purpose, in words: others in each round."""
        spec = self.faults.clients if self.faults is not None else None
        if spec is None:
            return {}
        where = ", each in some stage" if spec.stage is None else f" in '{spec.stage}'"
        return {
            **({"leave": f"{100 * spec.vanish:g} % of the clients of a round leave it{where}"} if spec.vanish else {}),
            **(
                {"delay": f"{100 * spec.straggle:g} % of the clients of a round answer {spec.seconds:g} s late{where}"}
                if spec.straggle
                else {}
            ),
        }

    @property
    def stages_waited(self) -> int:
        """The stages of a round and one more: a client that is not asked hears only of the next round."""
        return len(self.stages) + 1

    def expects(self, phase: Phase, t: int) -> bool:
        """Whether a round of this phase may have this number."""
        first = len(self.phases) - 1  # the first round of training
        if phase == "scale":
            return "scale" in self.phases and t == 1
        if phase == "evaluate":
            return first < t <= first + self.training_rounds
        return phase in self.phases and first <= t < first + self.training_rounds

    @cached_property
    def classes(self) -> int:
        """Of the target; 1 stands for a number."""
        model = self.task.model
        return self.task.classes or (2 if model in ("logistic", "mlp", "multinomial", "own") else 1)

    @cached_property
    def model(self) -> Network:
        """What is learnt, unless the clients' own learners alone know.

        Raises:
            UsageError: the settings fit no model.
        """
        task = self.task
        assert task.model != "poisson"
        assert task.model != "own"
        return model_of(task.model, len(task.features), self.classes, task.hidden)

    @property
    def size(self) -> int:
        """How many weights the model has."""
        if self.own:
            return self.task.size or 0
        return len(self.task.features) + 1 if self.newton else self.model.size

    @property
    def local(self) -> Local:
        """How a client trains in a round."""
        task = self.task
        proximal = task.proximal if task.method == "fedprox" else 0.0
        return Local(task.epochs, task.batch_size, task.learning_rate, task.l2, proximal)

    @property
    def by_rows(self) -> bool:
        """Whether a client's update counts as many times as it has rows."""
        return self.task.weights == "rows"

    @cached_property
    def mechanisms(self) -> Mapping[Phase, Distributed]:
        """The noise of each phase's vectors, with [privacy]."""
        from parties.tasks.federated.private import mechanisms_of

        return {} if self.privacy is None else mechanisms_of(self)

    def signs(self, phase: Phase, t: int) -> bytes:
        """The public seed of the signs by which a round's noisy vectors are rotated."""
        return derive(self.public_seed, f"federated signs/{phase}/{t}")

    @property
    def server_rate(self) -> float:
        """The length of the server's step: by default 1, for FedAdam 0.1."""
        return self.task.server_learning_rate or (0.1 if self.task.method == "fedadam" else 1.0)

    @property
    def least_weight(self) -> float:
        """The least that a client's update may weigh: 1 where all weigh the same."""
        return self.task.least_rows / self.task.most_rows if self.by_rows else 1.0

    @property
    def read_columns(self) -> tuple[str, ...]:
        """The columns that are read of a client's data; the target last."""
        return (*self.task.features, self.task.target)

    def ranges(self) -> tuple[Array, Array]:
        """The smallest and the largest value of each feature (p,), where `range` says them."""
        given, features = self.task.range, self.task.features
        assert given is not None
        pairs = [given[name] for name in features] if isinstance(given, Mapping) else [given] * len(features)
        low, high = np.array(pairs, dtype=np.float64).T
        return low, high

    @cached_property
    def update_scale(self) -> float:
        """What a coordinate of a weighted update is multiplied with before it is rounded.

        Raises:
            UsageError: the sums would take too many bits.
        """
        return scale_for(self.task.precision, self.task.clip, self.cohort, self.least_weight)

    def layout(self, phase: Phase, weights: Array) -> Layout | NoisyLayout:
        """The parts of a client's vector; Newton's depend on the model at which they are taken."""
        if self.privacy is not None:
            return self._noisy_layout(phase)
        from parties.tasks.federated.figures import figure_parts, gain_parts

        task, p = self.task, len(self.task.features)
        if phase == "scale":
            most, unit = task.most_rows, 2.0**_MOMENT_BITS
            parts = (
                Part("rows", 1, 0, most),
                Part("values", p, -most, most, unit),
                Part("squares", p, 0, most, unit),
            )
            return Layout(parts, self.count)
        if phase == "newton":
            return self.newton_layout(weights)
        if phase == "train":
            most = task.most_rows if self.by_rows else 1
            update = Part("update", self.size, -task.clip, task.clip, self.update_scale)
            bits = max(_LOSS_BITS, update.coding(self.cohort).bits)
            figures = figure_parts(self, scores=False, bits=bits) if self.judges else ()
            return Layout((update, Part("weight", 1, 0, most), *figures), self.cohort)
        return Layout((*figure_parts(self, scores=True), *gain_parts(self)), self.count)

    def _noisy_layout(self, phase: Phase) -> Layout | NoisyLayout:
        """A vector with noise; without held-out rows the last round's is a 0, for nothing is told in it."""
        if phase not in self.mechanisms:
            return Layout((Part("nothing", 1, 0, 1),), self.count)
        return NoisyLayout("update" if phase == "train" else "figures", self.mechanisms[phase])

    def newton_layout(self, weights: Array) -> Layout:
        """The parts of Newton's sums at these coefficients, in the units of `ranges`."""
        from protocols.federated.newton.sums import glm_layout

        return glm_layout(
            self.family, weights, clients=self.count, most_rows=self.task.most_rows, most_target=self.most_target
        )

    @property
    def family(self) -> Family:
        """The family of models of Newton's method."""
        model = self.task.model
        assert model in ("linear", "logistic", "poisson")
        return model

    def newton_units(self, means: Array) -> Units:
        """The units of the features in Newton's method: around the pooled means (p,), where these are known."""
        low, high = self.ranges()
        return units_of(low, high, np.clip(means, low, high) if means.size else None)

    @cached_property
    def target_units(self) -> Units:
        """The units of a target that is a number: from -1 to 1 over `target_range`."""
        assert self.task.target_range is not None
        low, high = self.task.target_range
        return units_of(np.array([low]), np.array([high]))

    @property
    def target_unit(self) -> float:
        """What is 1 of the target's units."""
        return float(self.target_units.unit[0]) if self.classes == 1 and self.task.model != "poisson" else 1.0

    @property
    def most_target(self) -> float:
        """The largest absolute value of the target, as Newton's method takes it."""
        return max(1.0, self.task.target_range[1]) if self.task.model == "poisson" and self.task.target_range else 1.0

    def bounds(self, asked: int) -> Bounds:
        """Neighbours and threshold among so many clients.

        Raises:
            UsageError: no choice withstands the stated rates.
        """
        task = self.task
        return choose_bounds(
            asked,
            corrupt=task.corrupt,
            dropout=task.dropout,
            malicious=task.server == "malicious",
            neighbours=task.neighbours if asked == self.cohort else None,
            threshold=task.threshold if asked == self.cohort else None,
        )

    def round(self, phase: Phase, t: int, weights: Array) -> Round:
        """A logical round, from its number and the model that its message has."""
        task, p = self.task, len(self.task.features)
        members = self.members(phase, t)
        layout = self.layout(phase, weights)
        settings = settings_of(self.bounds(len(members)), layout.length, layout.bits, self.least(len(members)))
        scaling = p if task.standardise and phase != "scale" else 0
        longest = message_bytes(0 if phase == "scale" else self.size, scaling, self.word)
        return Round(phase, t, members, layout, settings, longest)

    def round_without_model(self, phase: Phase, t: int) -> Round:
        """The same as far as it does not depend on the model: all but the scales of Newton's parts."""
        return self.round(phase, t, np.zeros(self.size))

    def members(self, phase: Phase, t: int) -> tuple[int, ...]:
        """The clients that a round asks: of training, its cohort; else all."""
        if phase != "train" or self.cohort == self.count:
            return tuple(range(self.count))
        return cohort(self.public_seed, t, self.count, self.cohort)

    @property
    def word(self) -> int:
        """Bytes of a weight in a message."""
        return 8 if self.newton else 4

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages of a round."""
        return (MODEL, UPDATE) if self.plain else (MODEL, *stages(self.task.server == "malicious"))

    @property
    def judges(self) -> bool:
        """Whether models are judged by rows of the clients."""
        return self.task.validation_fraction > 0 and self.task.model != "poisson"

    @property
    def revealed(self) -> list[tuple[str, ...]]:
        """What a policy's `reveals` must list."""
        named = ["model"]
        named += ["standardisation"] if self.task.standardise else []
        named += ["coefficients"] if self.newton else []
        named += ["metrics"] if self.judges else []
        named += ["gains"] if self.task.personal else []
        named += ["updates"] if self.plain else []
        return [(name,) for name in named]

    def small_counts(self, least: int) -> list[str]:
        """Settings that may disclose a count of rows below `least` to the server, and what to do about them."""
        task, numbers = self.task, self.classes > 1 and self.judges
        untested = {
            f"it has min_cell = {task.min_cell}": task.min_cell < least,
            "its figures tell how many held-out rows were right and wrong, however few (validation_fraction)": numbers,
            "histograms of scores tell single rows to the server (auc = true)": numbers and task.auc,
            'aggregation = "plain" tells each client\'s own numbers': self.plain,
        }
        return [text for text, applies in untested.items() if applies]

    def agreement(self) -> dict[str, Any]:
        """All that server and clients must agree on; the seed too."""
        noisy = {} if self.privacy is None else {"privacy": self.privacy.model_dump(mode="json")}
        return {**super().agreement(), "seed": self.seed, **noisy}
