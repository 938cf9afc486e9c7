"""The five protocols of `scenarios/protocols` that other frameworks' examples have too, and what they are run on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from mpc.runtime.inputs import Input, each, reals
from scenarios.protocols.auction import auction, auction_reference
from scenarios.protocols.inverse import LARGEST, ridge_inverse, ridge_inverse_reference
from scenarios.protocols.largest import largest, largest_reference
from scenarios.protocols.sort import sort, sort_reference
from scenarios.protocols.spread import spread, spread_reference

SCALE: Final = 20


@dataclass(frozen=True)
class Example:
    """A protocol, its plaintext reference and its input.

    Args:
        title: on the page.
        file: in `scenarios/protocols`.
        size: of the input's named size, where it is compared with others.
        owners: there.
        error: the largest difference from the reference.
    """

    title: str
    file: str
    protocol: Callable[..., Awaitable[Any]]
    reference: Callable[..., Any]
    given: Input
    size: int
    error: float
    owners: int = 2

    @property
    def key(self) -> str:
        """Its name in orders to others' programs, and in what they found."""
        return self.file.removesuffix(".py")


EXAMPLES: Final = (
    Example(
        "the largest of 32",
        "largest.py",
        largest,
        largest_reference,
        each(reals(("m",), scale=SCALE, largest=100)),
        16,
        1e-12,
    ),
    Example(
        "mean and standard deviation of 32",
        "spread.py",
        spread,
        spread_reference,
        each(reals(("m",), scale=SCALE, largest=100)),
        16,
        1e-6,
    ),
    Example("sort of 32", "sort.py", sort, sort_reference, each(reals(("m",), scale=SCALE, largest=100)), 16, 1e-12),
    Example(
        "inverse of a 4 x 4 matrix",
        "inverse.py",
        ridge_inverse,
        ridge_inverse_reference,
        each(reals(("m", 4), scale=SCALE, largest=LARGEST)),
        4,
        1e-9,
    ),
    Example(
        "sealed-bid auction of 16 lots",
        "auction.py",
        auction,
        auction_reference,
        each(reals(("m",), scale=SCALE, largest=100)),
        16,
        1e-12,
        3,
    ),
)
