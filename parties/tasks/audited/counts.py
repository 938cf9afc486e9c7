"""What a run of counts and sums disclosed, as an audit takes it: linear facts about how many patients are of each kind.

A column has cells, of which each patient is in one: a level, a bin of a histogram, a value, or none of these. A count,
the sum of a column of few values, or of its squares or products, is a sum over patients of a product of weights, one
for each column's cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Places = NDArray[np.int64]
Weights = Mapping[str, Values]
"""For some columns a weight of each of its cells; in the others all cells count."""


@dataclass(frozen=True)
class Fact:
    """What is known of one sum over patients: it is from `low` to `high`.

    Args:
        of: the column of numbers that is summed up, of many values; None: patients are counted, each with its weight.
    """

    weights: Weights = field(repr=False)
    low: float
    high: float
    of: str | None = None


@dataclass(frozen=True)
class Query:
    """A count of patients, or a column's sum over them, that was disclosed or withheld.

    Args:
        text: which patients, in words.
        disclosed: what stands in the record, where that is the exact count; None: it was withheld, or is noisy.
    """

    text: str
    weights: Weights = field(repr=False)
    disclosed: float | None = None
    of: str | None = None


@dataclass(frozen=True)
class Moments:
    """Patients whose number is disclosed together with the mean of a column, and maybe its deviation.

    Args:
        text: which patients, and the column.
        count, total, squares: how many, and the sums of their values and of the squares (None: not disclosed).
        rows: by owner whose rows are here, the column's values of these patients.
    """

    text: str
    count: int
    total: float
    squares: float | None
    rows: Mapping[str, Values] = field(repr=False)


@dataclass(frozen=True)
class Counted:
    """What was disclosed of all owners' rows, what was withheld, and the rows of those whose data are here.

    Args:
        sizes: the number of each column's cells.
        facts: all that was disclosed.
        queries: the counts and sums.
        moments: what was disclosed of the values of few patients, if they are few.
        cells: by owner, the cell of each of its rows in each column.
        values: by owner, each row's value of columns of numbers of many values, 0 where there is none.
        ranges: of these columns, the least and the largest value in each cell.
        small: a count below it is small.
        noisy: whether the facts have noise, and so a slack.
        complete: whether all owners' rows are here.
    """

    sizes: Mapping[str, int]
    facts: tuple[Fact, ...]
    queries: tuple[Query, ...]
    moments: tuple[Moments, ...]
    cells: Mapping[str, Mapping[str, Places]] = field(repr=False)
    values: Mapping[str, Mapping[str, Values]] = field(repr=False)
    ranges: Mapping[str, tuple[Values, Values]] = field(repr=False)
    small: int
    noisy: bool = False
    complete: bool = True
