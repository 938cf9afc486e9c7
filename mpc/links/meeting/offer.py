"""Who meets, and what a party brings to the handshake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """The players: all owners in order, and the helper."""

    owners: tuple[str, ...]
    helper: str

    @property
    def everyone(self) -> tuple[str, ...]:
        return (*self.owners, self.helper)


@dataclass(frozen=True)
class Common:
    """A fact that all owners must have in common, compared as a keyed digest; and its name for messages."""

    value: str
    what: str
    hint: str


@dataclass(frozen=True)
class Offer:
    """This party's offer.

    Args:
        version: of the software.
        facts: the scenario's public facts, as JSON values by dotted key.
        rows: an owner's numbers of training and test rows; None for the helper.
        columns: an owner's column names in order; None for the helper.
        has_target: where every owner has columns of its own: whether this one has the target; None elsewhere.
        common: a further fact that all owners must have in common; None where there is none.
    """

    version: str
    facts: Mapping[str, Any]
    rows: tuple[int, int] | None
    columns: tuple[str, ...] | None
    has_target: bool | None = None
    common: Common | None = None
