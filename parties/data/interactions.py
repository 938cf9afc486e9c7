"""Products of an owner's columns, where `features` asks for interactions such as "age:male"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from parties.data.read import RawTable
from parties.scenario.models import ModelTask
from parties.scenario.terms import SIGN, parts_of

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Terms:
    """The features that a task lists, each with the columns that it is the product of."""

    parts: tuple[tuple[str, ...], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that have to be read, each once."""
        return tuple(dict.fromkeys(part for parts in self.parts for part in parts))

    @property
    def interact(self) -> bool:
        """Whether any of them is a product."""
        return any(len(parts) > 1 for parts in self.parts)


def terms_of(raw: RawTable, task: ModelTask) -> Terms | None:
    """The terms of the task's `features`; None if it lists none. A column whose own name has a colon is no product."""
    if task.features is None:
        return None
    there = {column.name for column in raw.columns}
    return Terms(tuple((term,) if term in there else parts_of(term) for term in task.features))


def combine_terms(terms: Terms, places: Mapping[str, Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """The columns that each feature is the product of; `places` as in `multiply_terms`."""
    return tuple(chosen for parts in terms.parts for chosen in product(*(places[part] for part in parts)))


def multiply_terms(
    terms: Terms, places: Mapping[str, Sequence[int]], names: Sequence[str], values: Values, gaps: NDArray[np.bool_]
) -> tuple[tuple[str, ...], Values, tuple[int, ...]]:
    """The products' names and values, and how many values each lacked in the source.

    Args:
        places: which of the columns of `values` each column of the data became.
        names: of these columns.
        values: without gaps.
        gaps: where a value was missing, over all rows that were read.
    """
    made: list[tuple[str, Values, int]] = []
    for some in map(list, combine_terms(terms, places)):
        name = SIGN.join(names[place] for place in some)
        made.append((name, values[:, some].prod(axis=1), int(gaps[:, some].any(axis=1).sum())))
    return tuple(m[0] for m in made), np.column_stack([m[1] for m in made]), tuple(m[2] for m in made)
