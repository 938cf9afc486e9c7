"""`mpc new --protocol NAME --clients`: a small protocol between a server and clients, its reference, and its test."""

from __future__ import annotations

from typing import Final

PROTOCOL: Final = '''"""NAME: a protocol to make your own of. A server learns the sum of what its clients give."""

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

SCALE = 20  # fractional bits


def pair_mask(own: KeyPair, other: bytes, session: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """PRG(s_ij): what two clients can work out, each with the other's public key."""
    return Stream(derive(own.shared(other), "mask", session)).uniform(shape, Z64)


async def NAME_client(me: Client, x: np.ndarray) -> None:
    """y_i = x_i + sum_(j > i) PRG(s_ij) - sum_(j < i) PRG(s_ij) mod 2^64. 2 stages.

    Shows the server its public key, and y_i, which is uniform.

    Args:
        x: (m,) what this client gives.
    """
    own = KeyPair(me.secret("mask key"))
    keys = await me.send(own.public, label="keys", answer=me.clients * (INDEX_BYTES + KEY_BYTES))
    y = encode(x, SCALE)
    for j, key in read_listed(keys, KEY_BYTES).items():
        if j != me.number:
            mask = pair_mask(own, key, me.session, x.shape)
            y = y + mask if j > me.number else y - mask
    await me.send(y, label="masked")


async def NAME_server(s: Server) -> np.ndarray:
    """sum_i x_i = sum_i y_i mod 2^64: the masks cancel. Learns this sum alone. Who leaves after "keys" ends the run."""
    (length,) = s.shapes[0]
    keys = await s.gather("keys", size=KEY_BYTES, sees="a public key", at_least=2)
    answers = dict.fromkeys(keys, listed(keys))
    masked = await s.gather("masked", answers, size=8 * length, sees="x_i under masks, uniform")
    total = np.sum([np.frombuffer(y, "<u8") for y in masked.values()], axis=0)
    return s.reveal(decode(total, SCALE), what="sum", why="the agreed result")


def NAME_reference(x: tuple[np.ndarray, ...]) -> np.ndarray:
    """The same in the clear: `x` has what each client gives."""
    return np.sum(x, axis=0)
'''

TEST: Final = '''"""NAME gives what its reference gives, in its stages, and shows the server its result alone."""

import numpy as np
import pytest

from beaverlodge.protocol import KeyPair, run_clients
from mpc.testing import CheckFailed, Known, check_server
from NAME import NAME_client, NAME_reference, NAME_server, pair_mask

# Two inputs of five clients with the same sum, in which clients 2 and 3, who may work with the server, give the same.
ONE = [[np.full(3, value)] for value in (1.0, 2.0, 3.0, 4.0, 5.0)]
TWO = [[np.full(3, value)] for value in (9.0, 0.0, 3.0, 4.0, -1.0)]


@pytest.mark.parametrize("clients", [2, 3, 5])
def test_NAME_is_correct(clients: int) -> None:
    done = run_clients(NAME_client, NAME_server, ONE[:clients])
    assert done.result == pytest.approx(NAME_reference([x for (x,) in ONE[:clients]]))


def test_NAME_costs_what_it_says() -> None:
    done = run_clients(NAME_client, NAME_server, ONE)
    assert [(one.label, one.received) for one in done.stages] == [("keys", 5 * 32), ("masked", 5 * 3 * 8)]


def test_NAME_goes_on_without_who_sent_no_key() -> None:
    done = run_clients(NAME_client, NAME_server, ONE, vanish={1: "keys"})
    assert done.result == pytest.approx(np.full(3, 13.0))


def take_off(known: Known, i: int, stage: str, y: np.ndarray) -> np.ndarray:
    """y_i without the masks that the coalition shares with client i."""
    for j in known.coalition:
        own = KeyPair(known.secret(j, "mask key"))
        mask = pair_mask(own, known.messages["keys"][i], known.session, y.shape)
        y = y - mask if j > i else y + mask
    return y


@pytest.mark.parametrize("coalition", [(), (2, 3)])
def test_NAME_shows_the_server_the_sum_alone(coalition: tuple[int, ...]) -> None:
    pair = (ONE, TWO)
    print(check_server(NAME_client, NAME_server, pair, masked=["masked"], coalition=coalition, take_off=take_off))


def test_NAME_hides_nothing_from_all_others() -> None:
    """So `take_off` takes off all that it can."""
    everyone = {"masked": ["masked"], "coalition": (0, 1, 2, 3), "take_off": take_off}
    with pytest.raises(CheckFailed, match="masks taken off"):
        check_server(NAME_client, NAME_server, (ONE, ONE), **everyone)
'''
