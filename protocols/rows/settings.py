"""The public settings of fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

from protocols.rows.own_rows import SAME_ROWS

ClassWeighting = Literal["balanced"] | tuple[float, float]
"""Weights by the classes' numbers of rows ("balanced"), or the weights of class 0 and 1."""

LOCAL_ROUND_BYTES: Final = 12_500
"""The bytes that take as long as a round on a local network: 0.1 ms at 1 Gbit/s."""


class FitSettings(Protocol):
    """The settings that every fit has, for the protocols that more than one kind of fit uses."""

    @property
    def train_rows(self) -> tuple[int, ...]:
        """Each owner's number of rows in the fit; where columns are split, one number, that of all owners."""

    @property
    def test_rows(self) -> tuple[int, ...]:
        """Each owner's number of held-out rows, likewise."""

    @property
    def features(self) -> int:
        """How many columns the fit has, without the intercept."""

    @property
    def weighted(self) -> bool:
        """Whether a column has the rows' weights."""

    @property
    def min_cell(self) -> int:
        """The least number of rows of a cell; 1: cells are not tested."""

    @property
    def classes(self) -> bool:
        """Whether the target has classes 0 and 1, rather than being a number."""

    @property
    def opens_matrices(self) -> bool:
        """Whether sums of products of any two columns are opened."""


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
    class_weights: ClassWeighting | None = None  # of class 0 and 1
    form: Literal["auto", "primal", "dual"] = "auto"  # auto: see training/form.py
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
    def classes(self) -> bool:
        """A logistic regression's target has classes."""
        return True

    @property
    def opens_matrices(self) -> bool:
        """Whether Newton's steps open the pooled Fisher matrix."""
        return self.inference == "open-fisher"

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
