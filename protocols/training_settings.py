"""What a training is given and what it gives: public settings, each owner's rows, the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from mpc.ghost import Array


@dataclass(frozen=True)
class TrainingSettings:
    """All that is public about a training: the same at every party, the helper too."""

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
    standardise: bool
    metrics: bool
    form: Literal["auto", "primal", "dual"] = "auto"  # auto: see training_form.py
    missing: bool = False  # whether to reveal how many values are missing: see data_summary.py
    compare_ranges: bool = False  # whether to reveal in which columns the owners' values differ much in size

    @property
    def step_count(self) -> int:
        """How many mini-batches are trained on."""
        return self.epochs * -(-sum(self.train_rows) // self.batch_size)


@dataclass(frozen=True)
class OwnRows:
    """One owner's own rows, float64: training and test features (m, d), labels 0/1 (m,).

    `missing` (d + 1,) says how many values each column lacked, the target's last, for a summary of the data.
    """

    names: tuple[str, ...]
    x_train: Array = field(repr=False)
    y_train: Array = field(repr=False)
    x_test: Array = field(repr=False)
    y_test: Array = field(repr=False)
    missing: Array = field(default_factory=lambda: np.zeros(0, dtype=np.uint64), repr=False)


@dataclass(frozen=True)
class DataSummary:
    """What all owners learnt of their data together: see data_summary.py. None: it was not asked for."""

    missing: tuple[int, ...] | None  # of each feature, and of the target at the end
    unlike_ranges: tuple[str, ...] | None


@dataclass(frozen=True)
class Trained:
    """What every owner learns: weights in the features' own units and in standardised ones, the intercept last."""

    features: tuple[str, ...]
    weights: tuple[float, ...]
    intercept: float
    standardised: tuple[float, ...]
    metrics: dict[str, dict[str, Any]] | None
    data: DataSummary | None = None
