"""A sealed-bid second-price auction: Vickrey, "Counterspeculation, auctions, and competitive sealed tenders", 1961."""

from typing import Any

import numpy as np

from beaverlodge.protocol import Party, Public, Share, as_numbers, equal, maximum, minimum, together


async def auction(p: Party, bids: tuple[Share, ...]) -> dict[str, Public]:
    """Who bids the most for each item, and the second highest bid, which is the price. 16 n - 14 rounds for n bids."""
    first, second = await together(maximum(p, bids[0], bids[1]), minimum(p, bids[0], bids[1]))
    for bid in bids[2:]:
        loser = await minimum(p, first, bid)
        first, second = await together(maximum(p, first, bid), maximum(p, second, loser))
    wins = await together(*(equal(p, first, bid) for bid in bids))
    wins = await together(*(as_numbers(p, one) for one in wins))
    (price,) = await p.reveal(second, what="price", why="what the winner pays", label="price")
    won = await p.reveal(*wins, what="winner", why="who wins", label="winner")
    return {"price": price} | {f"owner{k}": one for k, one in enumerate(won)}


def auction_reference(bids: tuple[np.ndarray, ...]) -> dict[str, Any]:
    """The same in the clear."""
    ranked = np.sort(np.stack(bids), axis=0)
    return {"price": ranked[-2]} | {f"owner{k}": one == ranked[-1] for k, one in enumerate(bids)}
