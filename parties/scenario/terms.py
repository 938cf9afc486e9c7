"""Interactions in `features`: "age:male" is the product of two columns, or of more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from parties.scenario.categories import indicators

SIGN = ":"


def parts_of(term: str) -> tuple[str, ...]:
    """The columns that a feature is the product of: one, if it is a column."""
    parts = tuple(part.strip() for part in term.split(SIGN))
    return parts if len(parts) > 1 and all(parts) else (term,)


def columns_of(terms: Iterable[str]) -> tuple[str, ...]:
    """All columns that these features are made of, each once."""
    return tuple(dict.fromkeys(part for term in terms for part in parts_of(term)))


def names_of(term: str, categories: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The features that a term becomes: of a category one a level but the first, of a product one each of them."""
    each = [indicators(part, categories[part]) if part in categories else (part,) for part in parts_of(term)]
    return tuple(SIGN.join(names) for names in product(*each))
