"""The public settings of a linear regression, and its fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class LinearSettings:
    """All that is public about a linear regression: the same at every party, the helper too.

    Args:
        train_rows: each owner's number of rows in the fit; where columns are split, one number, that of all owners.
        test_rows: likewise of held-out rows.
        features: how many columns the fit has, without the intercept.
        target: the target's name, for messages.
        metrics: whether held-out rows judge the fit.
        missing: whether to reveal how many values are missing.
        weighted: whether each row counts as much as a column says; offset: whether a column is taken off the target.
        min_cell: how many rows of a cell are not too few: see design_cells.py; 1: not tested.
    """

    owners: tuple[str, ...]
    helper: str
    train_rows: tuple[int, ...]
    test_rows: tuple[int, ...]
    features: int
    target: str
    partition: Literal["horizontal", "vertical"] = "horizontal"
    inference: Literal["shared", "open-gram"] = "shared"
    metrics: bool = False
    missing: bool = False
    weighted: bool = False
    offset: bool = False
    min_cell: int = 1

    @property
    def classes(self) -> bool:
        """A linear regression's target is a number."""
        return False

    @property
    def opens_matrices(self) -> bool:
        """Whether the pooled sums of products of columns are opened."""
        return self.inference == "open-gram"

    @property
    def rows_by_owner(self) -> dict[str, tuple[int, int]]:
        """Each owner's numbers of rows in the fit and held out; where columns are split, all have the same rows."""
        counts = tuple(zip(self.train_rows, self.test_rows, strict=True))
        return dict(
            zip(self.owners, counts if self.partition == "horizontal" else counts * len(self.owners), strict=True)
        )


@dataclass(frozen=True)
class LinearFit:
    """What every owner learns, in the columns' own units, the intercept last.

    Args:
        coefficients: b; variances: of each of them, s^2 (X'X)^-1_jj.
        rows: how many are in the fit.
        residual: the sum of the squared residuals; total: of the target's squared distances from its mean; of
            weighted rows each square counts as much as its row.
        metrics: of the held-out rows, where asked for.
        missing: how many values each feature lacked, and the target, where asked for.
        weight: the sum of the rows' weights, where they have any.
    """

    features: tuple[str, ...]
    coefficients: tuple[float, ...] = field(repr=False)
    variances: tuple[float, ...] = field(repr=False)
    rows: int
    residual: float = field(repr=False)
    total: float = field(repr=False)
    metrics: Mapping[str, Mapping[str, Any]] | None = None
    missing: tuple[int, ...] | None = None
    weight: float | None = None
