"""A sum of many clients' numbers under pairwise masks, which cancel in it: the server sees no single one."""

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


async def masked_sum_client(me: Client, x: np.ndarray) -> None:
    """y_i = x_i + sum_(j > i) PRG(s_ij) - sum_(j < i) PRG(s_ij) mod 2^64.  Bonawitz et al. 2017.  2 stages."""
    own = KeyPair(me.secret("mask key"))
    keys = await me.send(own.public, label="keys", answer=me.clients * (INDEX_BYTES + KEY_BYTES))
    y = encode(x, SCALE)
    for j, key in read_listed(keys, KEY_BYTES).items():
        if j != me.number:
            mask = Stream(derive(own.shared(key), "mask", me.session)).uniform(x.shape, Z64)
            y = y + mask if j > me.number else y - mask
    await me.send(y, label="masked")


async def masked_sum_server(s: Server) -> np.ndarray:
    """sum_i x_i = sum_i y_i mod 2^64, over all who sent keys. Whoever leaves after that ends the run."""
    (length,) = s.shapes[0]
    keys = await s.gather("keys", size=KEY_BYTES, sees="a public key", at_least=2)
    answers = dict.fromkeys(keys, listed(keys))
    masked = await s.gather("masked", answers, size=8 * length, sees="x_i under masks, uniform")
    total = np.sum([np.frombuffer(y, "<u8") for y in masked.values()], axis=0)
    return s.reveal(decode(total, SCALE), what="sum", why="the agreed result")


def masked_sum_reference(x: tuple[np.ndarray, ...]) -> np.ndarray:
    return np.sum(x, axis=0)
