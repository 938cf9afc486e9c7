"""What jobs give, and the types that they and their evaluation share: estimates, calibration, a trained model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from protocols.rows.kept_model import SharedModel


@dataclass(frozen=True)
class Statistic:
    """A test's statistic and its degrees of freedom."""

    value: float
    df: float


QUANTILE = 1.959963984540054  # of the normal distribution at 0.975
INTERCEPT = "(intercept)"


@dataclass(frozen=True)
class Estimate:
    """A row of the table, with the 95 % interval of the coefficient (`low`, `high`) and that of the odds ratio."""

    feature: str
    coefficient: float
    se: float
    z: float
    p: float
    odds_ratio: float
    low: float
    high: float
    odds_low: float
    odds_high: float


@dataclass(frozen=True)
class Inference:
    """What a fit says: its estimates, the intercept's last, and how much better than none it explains the classes.

    Args:
        weight: how often all rows count together, where a column says how often each does; else None.
        events: how many of the rows are of class 1, each as often as it counts; None where nobody knows.
        log_likelihood: of the training rows under the model; of the intercept alone (with the offset, if there is
            one): `null_log_likelihood`. None, as all that follows from it, if it was not asked for.
        mcfadden_r2: 1 - log_likelihood / null_log_likelihood (McFadden 1974); None if all rows are of one class.
        likelihood_ratio: twice the difference, chi-square with `df` degrees of freedom if no feature counts; `p`.
    """

    table: tuple[Estimate, ...]
    rows: int
    weight: float | None
    events: float | None
    log_likelihood: float | None
    null_log_likelihood: float | None
    mcfadden_r2: float | None
    likelihood_ratio: float | None
    df: int
    p: float | None

    def rows_as_dicts(self) -> list[dict[str, Any]]:
        """The table as `result.json` holds it."""
        return [asdict(one) for one in self.table]

    def fit_as_dict(self) -> dict[str, Any]:
        """The rest, as `result.json` holds it."""
        return {name: value for name, value in vars(self).items() if name != "table"}


@dataclass(frozen=True)
class Sums:
    """Minus the log-likelihoods of a fit and of the intercept alone, each row as often as it counts.

    `events` of the rows are of class 1; None where nobody knows.
    """

    loss: float
    null_loss: float | None
    events: float | None = None


@dataclass(frozen=True)
class Group:
    """Some tenths of the rows, by predicted risk: the first and the last of them, counted from 1; how many rows, how
    many of class 1, and how many were expected to be."""

    first: int
    last: int
    rows: int
    observed: int
    expected: float

    def as_dict(self) -> dict[str, Any]:
        """As `result.json` holds it."""
        return asdict(self)


Calibration = Mapping[str, tuple[Group, ...]]


@dataclass(frozen=True)
class DataSummary:
    """What all owners learnt of their data together: see data_summary.py. None: it was not asked for."""

    missing: tuple[int, ...] | None  # of each feature, and of the target at the end
    unlike_ranges: tuple[str, ...] | None


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
