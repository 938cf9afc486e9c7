"""Protocols that the project does not ship, held by the kit as their authors would."""

from __future__ import annotations

import pytest

from mpc.testing import check_correct, check_cost, check_view, each, integers, reals
from tests.parties.tasks.program.own.auction import auction, auction_reference
from tests.parties.tasks.program.own.median import median, median_reference
from tests.parties.tasks.program.own.similarity import similarity, similarity_reference

ONE = [each(integers((1,), -50, 50))]
BIDS = [each(reals((2,), scale=10, largest=1000))]
VECTORS = [each(reals(("m",), scale=16, largest=100))]


def test_median() -> None:
    check_correct(median, median_reference, ONE, error=0, owners=(2, 3, 5), examples=20, sockets=(3,))
    check_cost(median, ONE, rounds=18, bytes=253, owners=(3,))


@pytest.mark.soak
def test_the_medians_view() -> None:
    check_view(median, ONE, secrets=[([[[1], [2], [3]]], [[[1], [2], [9]]])], structure="by round")


def test_auction() -> None:
    check_correct(auction, auction_reference, BIDS, error=0, owners=(2, 3), examples=12, sockets=(2,))
    for n in (2, 3):
        check_cost(auction, BIDS, rounds=16 * n - 14, bytes={2: 344, 3: 690}[n], owners=(n,))


def test_similarity() -> None:
    check_correct(similarity, similarity_reference, VECTORS, error=1e-9, examples=30, sockets=(3,))
    check_cost(similarity, VECTORS, rounds=2, bytes=2 * 8 * 4 + 8, owners=(2,), sizes={"m": 4})
    zeros = [[0, 0, 0], [0, 0, 0], [0, 0, 0]]
    check_view(
        similarity,
        VECTORS,
        secrets=[([zeros], [[[5, 6, 7], *zeros[1:]]])],
        sizes={"m": 3},
        coalitions=[(1,), (2,), (1, 2)],
    )


def test_each_owner_gives_its_own() -> None:
    """Shares in the owners' order, and each array at its owner."""

    async def ordered(p, x, y):  # type: ignore[no-untyped-def]
        return tuple(one.at_scale(4) for one in x) + y

    given = [each(reals((2,), scale=4, largest=9)), each(integers((3,), 0, 5))]
    check_correct(ordered, lambda x, y: (*x, *y), given, error=0, owners=(2, 4), examples=10)
