"""One of three parties of MPyC with the examples of docs/conformance.md. Runs in MPyC's environment.

Each is what MPyC offers for it: np_amax, statistics.stdev, np_sort (Batcher's merge exchange), np_argmax; the inverse
is that of a matrix of integers over a prime field, (R G)^-1 R for a random R of which R G is opened (Bar-Ilan and
Beaver, PODC 1989), times the determinant. MPyC counts no rounds: every message from the first shared value on is held
back for `delay` seconds, and how much a longer delay lengthens the run tells how many wait for each other.
"""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from common import Order, Report
from mpyc import asyncoro, statistics
from mpyc_party import FIXED, ORDER, mpc

FRACTION = 20
FIELD = mpc.SecInt(256)


def held_back(seconds: float) -> None:
    """Hand over what arrives after so many seconds, in the order in which it came."""
    take = asyncoro.MessageExchanger.data_received

    def later(self: Any, data: bytes) -> None:
        asyncio.get_running_loop().call_later(seconds, take, self, data)

    asyncoro.MessageExchanger.data_received = later


def inputs(order: Order, name: str, secret: Any, encode: Any) -> list[Any]:
    """The owners' arrays, shared: those of the first parties."""
    arrays = order.arrays()
    given = sorted(key for key in arrays if key.startswith(name))
    return [
        mpc.input(encode(arrays[key] if order.rank == owner else np.zeros(arrays[key].shape)), senders=owner)
        for owner, key in enumerate(given)
    ]


def fixed(order: Order) -> list[Any]:
    """The owners' arrays of real numbers."""
    return inputs(order, "x", FIXED, lambda value: FIXED.array(value.astype(float), integral=False))


async def largest(order: Order) -> list[Any]:
    """The largest number."""
    return [await mpc.output(mpc.np_amax(np.concatenate(fixed(order))))]


async def spread(order: Order) -> list[Any]:
    """Mean and deviation."""
    numbers = np.concatenate(fixed(order)).tolist()
    return await mpc.output([statistics.mean(numbers), statistics.stdev(numbers)])


async def sort(order: Order) -> Any:
    """All numbers in order."""
    return await mpc.output(mpc.np_sort(np.concatenate(fixed(order))))


async def inverse(order: Order) -> Any:
    """(X^T X + 1)^-1."""

    def encode(value: Any) -> Any:
        return FIELD.array(np.array([[int(v) for v in row] for row in np.rint(value * 2**FRACTION)], dtype=object))

    rows = np.concatenate(inputs(order, "x", FIELD, encode))
    d = rows.shape[1]
    gram = rows.T @ rows + np.eye(d, dtype=int).astype(object) * 2 ** (2 * FRACTION)
    mask = FIELD.array(mpc._np_randoms(FIELD.field, d * d).reshape(d, d))
    opened = await mpc.output(mask @ gram, raw=True)
    inverted = FIELD.array(np.linalg.inv(opened)) @ mask
    determinant = mpc.np_det(gram)
    top, bottom = await mpc.gather(mpc.output(inverted * determinant), mpc.output(determinant))
    return np.array([[int(v) / int(bottom) * 2.0 ** (2 * FRACTION) for v in row] for row in top])


async def auction(order: Order) -> Any:
    """Of each lot the winner and the price."""
    bids = np.stack(fixed(order))
    winner = mpc.np_argmax(bids, axis=0)
    price = mpc.np_sort(bids, axis=0)[-2]
    won, paid = await mpc.gather(mpc.output(winner), mpc.output(price))
    return np.concatenate((np.asarray(won, dtype=float), np.asarray(paid, dtype=float)))


EXAMPLES = {"largest": largest, "spread": spread, "sort": sort, "inverse": inverse, "auction": auction}


def sent() -> int:
    """Bytes that this party has sent, with the 12 of each message's head."""
    return sum(peer.protocol.nbytes_sent for peer in mpc.parties if peer.pid != mpc.pid)


async def main() -> None:
    """Follow the order."""
    await mpc.start()
    report = Report(ORDER)
    await mpc.barrier()
    held_back(ORDER.options["delay"])
    before = sent()
    report.mark("connected")
    result = await EXAMPLES[ORDER.task](ORDER)
    report.mark("done")
    report.counts["bytes"] = sent() - before
    report.write(np.asarray(result, dtype=float).ravel())
    await mpc.shutdown()


if __name__ == "__main__":
    mpc.run(main())
