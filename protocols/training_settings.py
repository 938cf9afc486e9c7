"""What a training is given and what it gives: public settings, each owner's rows, the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np

from mpc.array import Array
from protocols.calibration import Calibration
from protocols.class_weights import Asked
from protocols.inference_table import Inference
from protocols.own_design import Made
from protocols.shared_model import SharedModel

SAME_ROWS = "all owners"
"""The one group of rows where every owner has the same ones; no owner's name has a space in it."""

LOCAL_ROUND_BYTES: Final = 12_500
"""On a local network: 0.1 ms at 1 Gbit/s."""


@dataclass(frozen=True)
class TrainingSettings:
    """All that is public about a training: the same at every party, the helper too.

    Args:
        train_rows: each owner's number of training rows; where columns are split, one number, that of all owners.
        test_rows: likewise of held-out rows.
        features: how many columns the model has, without the intercept.
        partition: "horizontal": every owner has rows of its own; "vertical": every owner has columns of its own.
    """

    owners: tuple[str, ...]
    helper: str
    train_rows: tuple[int, ...]
    test_rows: tuple[int, ...]
    features: int
    seed: int
    epochs: int
    batch_size: int
    learning_rate: float
    l2: float
    sigmoid_range: float | None  # None: chosen from the rate and the number of steps
    standardise: bool | Literal["private"]
    metrics: bool
    solver: Literal["sgd", "nesterov", "newton", "irls"] = "sgd"  # irls: with `inference`
    iterations: int = 0  # of the full-batch solvers, and Newton's of a maximum-likelihood fit
    momentum: float = 0.0  # of the full-batch solvers; a multiple of 2^-15
    choice: tuple[tuple[str, float], ...] = ()  # solver = "auto": each solver's seconds by its plan
    tolerance: float | None = None  # of the full-batch solvers: how little weights may move to end early
    class_weights: Asked | None = None  # of class 0 and 1
    form: Literal["auto", "primal", "dual"] = "auto"  # auto: see training_form.py
    round_bytes: int = LOCAL_ROUND_BYTES  # how many bytes more would take as long as a round does beside its bytes
    missing: bool = False  # whether to reveal how many values are missing: see data_summary.py
    compare_ranges: bool = False  # whether to reveal in which columns the owners' values differ much in size
    partition: Literal["horizontal", "vertical"] = "horizontal"
    inference: Literal["shared", "open-fisher"] | None = None  # the maximum-likelihood fit with its errors, and how
    weighted: bool = False  # with `inference`: whether each row counts as often as a column says
    offset: bool = False  # with `inference`: whether a column is added to each row's score
    calibration: int | None = None  # with `inference`: the smallest cell that is told; None: not asked for
    reveal_model: bool = True  # else each owner keeps its share: see shared_model.py
    min_cell: int = 1  # how many rows of a cell are not too few: see design_cells.py; 1: not tested

    @property
    def row_groups(self) -> tuple[str, ...]:
        """The names under which rows are split and ordered: each owner's own, or of all owners at once."""
        return self.owners if self.partition == "horizontal" else (SAME_ROWS,)

    @property
    def rows_by_owner(self) -> dict[str, tuple[int, int]]:
        """Each owner's numbers of training and held-out rows; where columns are split, all have the same rows."""
        counts = tuple(zip(self.train_rows, self.test_rows, strict=True))
        return dict(
            zip(self.owners, counts if self.partition == "horizontal" else counts * len(self.owners), strict=True)
        )

    @property
    def step_count(self) -> int:
        """How many steps are taken: mini-batches, or for the full-batch solvers iterations at most."""
        if self.solver != "sgd":
            return self.iterations
        return self.epochs * -(-sum(self.train_rows) // self.batch_size)


@dataclass(frozen=True)
class Beside:
    """What a fit takes of rows besides features and labels, float64 (m,) each; None where it was not asked for.

    Args:
        offset: what is added to each row's score, with coefficient 1.
        counts: how often each row counts: frequency weights, whole or not; of a linear regression how much it does.
    """

    offset: Array | None = None
    counts: Array | None = None

    def of(self, rows: Array) -> Beside:
        """The same of some of the rows."""
        return Beside(*(None if one is None else one[rows] for one in (self.offset, self.counts)))

    @staticmethod
    def joined(parts: Sequence[Beside]) -> Beside:
        """The same of all these rows, one part after the other; of every part, or of none."""
        offsets = [part.offset for part in parts if part.offset is not None]
        counts = [part.counts for part in parts if part.counts is not None]
        return Beside(np.concatenate(offsets) if offsets else None, np.concatenate(counts) if counts else None)

    def added(self, z: Array) -> Array:
        """Scores with the offset, if there is one."""
        return z if self.offset is None else z + self.offset

    def taken_off(self, y: Array) -> Array:
        """Targets less the offset, if there is one."""
        return y if self.offset is None else y - self.offset


NOTHING_BESIDE = Beside()


@dataclass(frozen=True)
class OwnRows:
    """One owner's own rows, float64: training and test features (m, d), labels 0/1 (m,).

    `missing` (d + 1,) says how many values each column lacked, the target's last, for a summary of the data. `made`
    says what the training rows' columns are made of; None: each is one.
    """

    names: tuple[str, ...]
    x_train: Array = field(repr=False)
    y_train: Array = field(repr=False)
    x_test: Array = field(repr=False)
    y_test: Array = field(repr=False)
    missing: Array = field(default_factory=lambda: np.zeros(0, dtype=np.uint64), repr=False)
    beside_train: Beside = field(default=NOTHING_BESIDE, repr=False)
    beside_test: Beside = field(default=NOTHING_BESIDE, repr=False)
    made: Made | None = field(default=None, repr=False)


@dataclass(frozen=True)
class DataSummary:
    """What all owners learnt of their data together: see data_summary.py. None: it was not asked for."""

    missing: tuple[int, ...] | None  # of each feature, and of the target at the end
    unlike_ranges: tuple[str, ...] | None


@dataclass(frozen=True)
class OwnColumns:
    """One owner's own columns of rows that all owners have, in the order that all agree on.

    Args:
        names: each owner's columns, by owner in the scenario's order.
        target_owner: who has the labels.
        x_train: training rows of this owner's columns, float64 (m, d_i); x_test: likewise, held out.
        y_train: labels 0/1 (m,), or of shape (0,) where another owner has them; y_test: likewise.
        ids: a keyed digest of the rows' ids in order, as bits (alignment.DIGEST_BITS,).
        beside_train: offsets and counts, which the owner of the labels has; beside_test: likewise, held out.
        made: what this owner's columns of the training rows are made of; None: each is one.
    """

    names: dict[str, tuple[str, ...]]
    target_owner: str
    x_train: Array = field(repr=False)
    y_train: Array = field(repr=False)
    x_test: Array = field(repr=False)
    y_test: Array = field(repr=False)
    ids: Array = field(repr=False)
    beside_train: Beside = field(default=NOTHING_BESIDE, repr=False)
    beside_test: Beside = field(default=NOTHING_BESIDE, repr=False)
    made: Made | None = field(default=None, repr=False)


def joint_names(names: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The model's features: the owners' columns in the owners' order; a name that two have gets its owner's before."""
    everyone = [name for own in names.values() for name in own]
    shared = {name for name in everyone if everyone.count(name) > 1} if len(set(everyone)) < len(everyone) else set()
    joint = [f"{owner}:{name}" if name in shared else name for owner, own in names.items() for name in own]
    if len(set(joint)) < len(joint):  # a column has another owner's name before it already
        joint = [f"{owner}:{name}" for owner, own in names.items() for name in own]
    return tuple(joint)


@dataclass(frozen=True)
class Trained:
    """What every owner learns: weights in the features' own units and in standardised ones, the intercept last.

    `standardised` is empty where those would tell how an owner's columns are distributed. Of a model that nobody sees,
    `weights` is empty too, and `kept` is this owner's share of it.
    """

    features: tuple[str, ...]
    weights: tuple[float, ...]
    intercept: float
    standardised: tuple[float, ...]
    metrics: dict[str, dict[str, Any]] | None
    data: DataSummary | None = None
    inference: Inference | None = None
    kept: SharedModel | None = field(default=None, repr=False, compare=False)
    calibration: Calibration | None = None
    converged: bool | None = None  # None: not tested
