"""check_server: what a server sees of clients, alone and with some of them; each way to tell more is caught."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.randomness.key_agreement import KEY_BYTES, KeyPair
from mpc.ring.array import Array
from mpc.star.members import INDEX_BYTES, Client, Server, read_listed
from mpc.testing import CheckFailed, Known, check_server
from tests.parties.tasks.program.clients.private_mean import leaky_client, mask_of, mean_client, mean_server

COALITION = (2, 3)


def tables(*rows: tuple[int, float]) -> list[list[Array]]:
    """A table of each client: its rows, and the number that is in all its cells."""
    return [[np.full((count, 3), value)] for count, value in rows]


def take_off(known: Known, i: int, stage: str, y: Array) -> Array:
    """y_i without the masks that the coalition shares with client i."""
    for j in known.coalition:
        own = KeyPair(known.secret(j, "mask key"))
        y = y + mask_of(j, {i: known.messages["keys"][i]}, own, known.session, y.size)
    return y


def same_sums() -> tuple[list[list[Array]], list[list[Array]]]:
    """Two inputs with one mean, one number of rows, and the coalition's tables the same."""
    one = tables((4, 1.0), (6, 3.0), (3, 2.0), (5, 2.0), (6, 2.0))
    two = tables((6, 2.0), (5, 2.0), (3, 2.0), (5, 2.0), (5, 0.0))
    total = sum(table[0].sum(axis=0) for table in one) - sum(table[0].sum(axis=0) for table in two)
    two[4][0][0] += total
    return one, two


@pytest.mark.parametrize("coalition", [(), COALITION])
def test_the_mean_alone_is_seen(coalition: tuple[int, ...]) -> None:
    found = check_server(
        mean_client, mean_server, same_sums(), masked=["sums"], coalition=coalition, take_off=take_off, runs=60
    )
    assert found.runs == 120 and found.tests > 300


def test_a_mask_that_covers_two_words_of_a_message_is_seen() -> None:
    with pytest.raises(CheckFailed, match="words 3 apart in 'sums' of client 0"):
        check_server(leaky_client, mean_server, same_sums(), masked=["sums"], runs=20)


def test_a_coalition_of_all_others_sees_the_last() -> None:
    """So `take_off` takes off what it is meant to."""
    one, _ = same_sums()
    with pytest.raises(CheckFailed, match="'sums' of client 4, masks taken off"):
        check_server(
            mean_client, mean_server, (one, one), masked=["sums"], coalition=(0, 1, 2, 3), take_off=take_off, runs=20
        )


async def tells_rows(me: Client, x: Array) -> None:
    """A planted leak: the number of rows in the stage of the keys."""
    own = KeyPair(me.secret("mask key"))
    await me.send(own.public[:-1] + bytes([len(x)]), label="keys", answer=me.clients * (INDEX_BYTES + KEY_BYTES))
    await me.send(np.zeros(4, dtype="<u8"), label="sums")


async def tells_by_size(me: Client, x: Array) -> None:
    """A planted leak: a message for every row."""
    await me.send(bytes(len(x)), label="keys", answer=me.clients * (INDEX_BYTES + KEY_BYTES))


async def counts(s: Server) -> int:
    got = await s.gather("keys", most=100, sees="keys")
    return int(s.reveal(len(got), what="clients", why="agreed"))


async def counts_twice(s: Server) -> int:
    got = await s.gather("keys", most=100, sees="keys")
    await s.gather("sums", dict.fromkeys(got, b""), size=32, sees="sums")
    return int(s.reveal(len(got), what="clients", why="agreed"))


async def uniform(me: Client, x: Array) -> None:
    """Its number of rows beside a mask that hides nothing."""
    await me.send(me.secret("a") + bytes([len(x)]), label="keys")


def test_numbers_in_clear_sizes_and_other_results_are_seen() -> None:
    for client, server, masked, message in (
        (tells_by_size, counts, (), "'keys' of client 0 has 4 bytes in one run, 6 in another"),
        (uniform, counts, (), "'keys' of client 0 differs between the inputs"),
        (tells_rows, counts_twice, ("sums",), "'sums' of client 0 is not uniform"),
    ):
        with pytest.raises(CheckFailed, match=message):
            check_server(client, server, same_sums(), masked=masked, runs=30)
    one, two = same_sums()
    two[0][0][0] += 1
    with pytest.raises(CheckFailed, match="the two inputs give other results"):
        check_server(mean_client, mean_server, (one, two), masked=["sums"], runs=2)


def test_masks_that_recur_in_every_run_are_seen() -> None:
    async def same_key(me: Client, x: Array) -> None:
        own = KeyPair(bytes([me.number + 1] * KEY_BYTES))
        keys = await me.send(own.public, label="keys", answer=me.clients * (INDEX_BYTES + KEY_BYTES))
        mask = mask_of(me.number, read_listed(keys, KEY_BYTES), own, b"no session", 4)
        await me.send(mask + np.append(x.sum(axis=0), len(x)).astype("<u8"), label="sums")

    async def sums(s: Server) -> Array:
        keys = await s.gather("keys", size=KEY_BYTES, sees="a public key")
        answers = dict.fromkeys(keys, b"".join(i.to_bytes(4, "little") + key for i, key in keys.items()))
        got = await s.gather("sums", answers, size=32, sees="sums under masks")
        total: Array = np.sum([np.frombuffer(y, "<u8") for y in got.values()], axis=0)
        return np.asarray(s.reveal(total.astype(float), what="sums", why="agreed"))

    with pytest.raises(CheckFailed, match="'sums' of client 0"):
        check_server(same_key, sums, same_sums(), masked=["sums"], runs=30)
