"""The mean of many clients' rows, weighted by their rows: the server sees neither a client's sum nor its rows."""

from __future__ import annotations

import numpy as np

from beaverlodge.protocol import (
    INDEX_BYTES,
    KEY_BYTES,
    Z64,
    Client,
    KeyPair,
    Server,
    Stream,
    decode,
    derive,
    encode,
    listed,
    read_listed,
)

SCALE = 20


def mask_of(me: int, others: dict[int, bytes], own: KeyPair, session: bytes, length: int) -> np.ndarray:
    """sum_(j > i) PRG(s_ij) - sum_(j < i) PRG(s_ij): over all clients together it is 0."""
    total = np.zeros(length, dtype="<u8")
    for j, key in others.items():
        if j != me:
            mask = Stream(derive(own.shared(key), "mask", session)).uniform((length,), Z64)
            total = total + mask if j > me else total - mask
    return total


async def mean_client(me: Client, x: np.ndarray) -> None:
    """y_i = (sum of x_i's rows, their number) + mask_i mod 2^64.  2 stages."""
    own = KeyPair(me.secret("mask key"))
    keys = await me.send(own.public, label="keys", answer=me.clients * (INDEX_BYTES + KEY_BYTES))
    numbers = encode(np.append(x.sum(axis=0), len(x)), SCALE)
    await me.send(
        numbers + mask_of(me.number, read_listed(keys, KEY_BYTES), own, me.session, numbers.size), label="sums"
    )


async def mean_server(s: Server) -> np.ndarray:
    """The mean of all rows, and how many there are, which both the sum under masks gives."""
    _, columns = s.shapes[0]
    keys = await s.gather("keys", size=KEY_BYTES, sees="a public key")
    answers = dict.fromkeys(keys, listed(keys))
    sums = await s.gather("sums", answers, size=8 * (columns + 1), sees="sums of its rows under masks, uniform")
    total = decode(np.sum([np.frombuffer(y, "<u8") for y in sums.values()], axis=0), SCALE)
    rows = s.reveal(total[-1:], what="rows", why="the weight of the mean")
    return np.append(s.reveal(total[:-1] / rows, what="mean", why="the agreed result"), rows)


def mean_reference(x: tuple[np.ndarray, ...]) -> np.ndarray:
    rows = np.concatenate(x)
    return np.append(rows.mean(axis=0), len(rows))


async def leaky_client(me: Client, x: np.ndarray) -> None:
    """A planted leak: the number of rows is under the mask of the first sum, so their difference is in clear."""
    own = KeyPair(me.secret("mask key"))
    keys = await me.send(own.public, label="keys", answer=me.clients * (INDEX_BYTES + KEY_BYTES))
    numbers = encode(np.append(x.sum(axis=0), len(x)), SCALE)
    mask = mask_of(me.number, read_listed(keys, KEY_BYTES), own, me.session, numbers.size - 1)
    await me.send(numbers + np.append(mask, mask[:1]), label="sums")
