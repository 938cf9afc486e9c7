"""The results of jobs, and the types that jobs and their evaluation share: estimates, calibration, a trained model."""

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
    """The inference of a fit: estimates, the intercept's last, and the fit against the intercept alone.

    Args:
        weight: the sum of the rows' weights, where they have any; else None.
        events: the weighted number of rows of class 1; None where nobody knows it.
        log_likelihood: of the training rows under the model; of the intercept alone (with the offset, if there is
            one): `null_log_likelihood`. None, as all that follows from it, if it was not asked for.
        mcfadden_r2: 1 - log_likelihood / null_log_likelihood (McFadden 1974); None if all rows are of one class.
        likelihood_ratio: twice the difference, chi-square with `df` degrees of freedom if all coefficients are 0; `p`.
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
        """The table as in `result.json`."""
        return [asdict(one) for one in self.table]

    def fit_as_dict(self) -> dict[str, Any]:
        """The rest as in `result.json`."""
        return {name: value for name, value in vars(self).items() if name != "table"}


@dataclass(frozen=True)
class FitLosses:
    """Minus the weighted log-likelihoods of a fit and of the intercept alone.

    `events` is the number of rows of class 1; None where nobody knows it.
    """

    loss: float
    null_loss: float | None
    events: float | None = None


@dataclass(frozen=True)
class Group:
    """A group of tenths of the rows, by predicted risk: the first and the last tenth, from 1; the number of rows, those
    of class 1, and those expected to be."""

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
    """The summary of all owners' data: see data_summary.py. None: the settings do not ask for it."""

    missing: tuple[int, ...] | None  # of each feature, and of the target at the end
    unlike_ranges: tuple[str, ...] | None


@dataclass(frozen=True)
class Trained:
    """What every owner learns: weights in the features' own units and in standardised ones, the intercept last.

    `standardised` is empty where it would disclose how an owner's columns are distributed. For a model that nobody
    sees, `weights` is empty too, and `kept` is this owner's share of it.
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
