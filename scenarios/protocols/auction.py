"""A sealed-bid auction of one or more lots: the highest bid wins and pays the second highest."""

import numpy as np

from beaverlodge.protocol import Party, Public, Share, as_numbers, concatenate, equal, ranks, select, together


async def auction(p: Party, bids: tuple[Share, ...]) -> tuple[Public, Public]:
    """Of each lot the number of the bidder who wins, and the price: the second highest bid (Vickrey 1961).

    winner = sum_i i [rank_i = n - 1], price = sum_i bid_i [rank_i = n - 2]; of equal bids, the last bidder's wins.

    17 rounds for any number of bidders and lots; reveals winners and prices alone.
    """
    n, (lots,) = len(bids), bids[0].shape
    bid = concatenate(bids)
    rank = (await ranks(p, bid.reshape(n, lots))).reshape(n * lots)
    highest, second = (p.public(p.constant(n - k, (n * lots,))) for k in (1, 2))
    wins, sets = await together(equal(p, rank, highest, label="winner"), equal(p, rank, second, label="price"))
    nothing = Share(np.zeros(n * lots, dtype=np.uint64), bid.scale)
    won, paid = await together(as_numbers(p, wins), select(p, sets, bid, nothing))
    number = Public(np.arange(n, dtype=np.uint64)[:, None])
    winner, price = (number * won.reshape(n, lots)).sum(axis=0), paid.reshape(n, lots).sum(axis=0)
    opened, cost = await p.reveal(winner, price, what="winners and prices", why="the agreed result", label="result")
    return opened, cost


def auction_reference(bids: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The same in the clear."""
    bid = np.stack(bids)
    return len(bids) - 1 - np.argmax(bid[::-1], axis=0), np.sort(bid, axis=0)[-2]
