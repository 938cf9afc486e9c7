"""Trials of noisy sums (`protocols/privacy/noisy_sum.py`, `distributed.py`): what is left for each onlooker, with and
without a row, or a client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mpc.errors import InternalError
from mpc.randomness.streams import Stream, derive
from mpc.ring.array import Array
from mpc.runtime.lockstep import Message, run_lockstep
from mpc.runtime.party import Party
from parties.tasks.audited.audit import Opened, Trial, Worlds
from protocols.privacy.accounting import NoiseMechanism
from protocols.privacy.concentrated import epsilon_at
from protocols.privacy.distributed import Distributed, encoded, rotated
from protocols.privacy.noisy_sum import DiscreteGaussian, Noise

Whole = NDArray[np.int64]

_KEY: Final = 32  # bytes of the helper's key
HELPER: Final = "the helper, should it see the results"
OWNERS: Final = "all owners but one, together"
READER: Final = "who reads the results"


def promised_shift(mechanisms: Iterable[NoiseMechanism]) -> float:
    """The most that a row shifts the mean of Gaussian noise, in deviations: sqrt(sum of D^2 / v)."""
    return sqrt(sum(one.times * one.squared / one.variance for one in mechanisms))


def noisy_sum_trial(
    what: str,
    claim: tuple[float, float],
    noise: Noise,
    mechanisms: Sequence[NoiseMechanism],
    without: Whole,
    with_row: Whole,
    opened: Opened | None = None,
    longer: Whole | None = None,
) -> Trial:
    """The trial of one opening of `noisy_sum`.

    Every draw calls for the noise as a run does: each owner's own once, and the helper's once, from a key of its own.
    Only the numbers that some row changes are drawn.

    Args:
        claim: epsilon and delta.
        mechanisms: what is charged for it.
        without: what an owner enters without the row (numbers,).
        with_row: likewise with each of the rows that are tried (rows, numbers): as the protocol would enter it.
        opened: the protocol itself (`opened_by_runs`).
        longer: as `with_row`, of rows of which no draws are made: how far they change the sums is compared alone.
    """
    shift = (with_row - without).astype(np.float64)
    touched = np.flatnonzero(shift.any(axis=0))
    shift, nil, count = shift[:, touched], without[touched].astype(np.float64), len(touched)

    def draw(draws: int, stream: Stream) -> Mapping[str, Worlds]:
        left = noise_left(noise, draws, count, stream), noise_left(noise, draws, count, stream)
        return {
            who: Worlds(nil + left[0][who], tuple(nil + row + left[1][who] for row in shift), shift) for who in left[0]
        }

    promised, least = promised_shift(mechanisms), min(one.variance for one in mechanisms)
    changes = [with_row - without, *([] if longer is None else [longer - without])]
    lengths = [sqrt(sum(int(one) ** 2 for one in row)) for row in np.concatenate(changes)]
    reach = max(lengths) / sqrt(least) / promised
    numbers = count * (noise.owners + 1)
    return Trial(what, *claim, draw, numbers, promised, float(least), opened=opened, reach=reach)


def opened_by_runs(
    owners: Sequence[str],
    helper: str,
    job: Callable[[Party, Stream | None], Awaitable[Any]],
    label: str,
    summed: Whole,
    noise: Noise,
) -> Opened:
    """The noise in what a protocol opens by `noisy_sum`: all owners' messages of a round, added up, are what is opened.

    Args:
        job: the protocol of an owner, given its own randomness (None of a dry party).
        label: of the openings.
        summed: what all owners together enter in each of them (numbers,).
        noise: what it promises.
    """

    def noise_of(openings: int, stream: Stream) -> Array:
        found: list[Array] = []
        while len(found) < openings:
            opened = _opened(owners, helper, job, label, stream)
            if not opened:
                raise InternalError(f"the protocol opens nothing with the label '{label}'", "report this as a bug")
            found += opened
        return np.array([(total - summed.view(np.uint64)).view(np.int64) for total in found], dtype=np.float64)

    return Opened(noise_of, float(noise.opened_variance), summed.size * (noise.owners + 1))


def _opened(
    owners: Sequence[str],
    helper: str,
    job: Callable[[Party, Stream | None], Awaitable[Any]],
    label: str,
    stream: Stream,
) -> list[Array]:
    """All openings of one run, each as elements of Z_2^64."""
    keys = {name: stream.take(_KEY).tobytes() for name in (*owners, helper)}
    sent: dict[str, list[Array]] = {name: [] for name in owners}

    def tap(message: Message) -> bytes:
        peer = owners[1] if message.sender == owners[0] else owners[0]
        if message.label == label and message.receiver == peer:
            sent[message.sender].append(np.frombuffer(message.body, dtype="<u8"))
        return message.body

    def program(p: Party) -> Any:
        return job(p, None if p.dry else Stream(derive(keys[p.name], "own noise")))

    entropy = {name: partial(derive, key) for name, key in keys.items()}
    run_lockstep(dict.fromkeys(owners, program), entropy=entropy, helper=helper, tap=tap)
    return [np.array(shares).sum(axis=0) for shares in zip(*sent.values(), strict=True)]


def noise_left(noise: Noise, draws: int, count: int, stream: Stream) -> dict[str, Array]:
    """The noise (draws, count) that is left to each onlooker; to a mere reader, all of it."""
    own = np.array([[noise.own(stream, count) for _ in range(noise.owners)] for _ in range(draws)])
    own = own.view(np.int64).astype(np.float64)
    dealt = np.array([_dealt(noise, count, stream) for _ in range(draws)]).view(np.int64).astype(np.float64)
    return {HELPER: own.sum(axis=1), OWNERS: dealt + own[:, -1], READER: dealt + own.sum(axis=1)}


def _dealt(noise: Noise, count: int, stream: Stream) -> Array:
    kind = DiscreteGaussian(count, noise.variance)
    key = stream.take(_KEY).copy().view(np.uint64)
    (dealt,) = kind.deal((key,), {})
    return dealt


WORK_TOGETHER: Final = "the server with the clients that work together"


def distributed_trial(what: str, delta: float, how: Distributed, signs: bytes, vectors: Array) -> Trial:
    """The trial of one sum of many clients' noisy vectors, with the noise of the honest ones alone.

    Args:
        signs: the public seed of the sum's signs.
        vectors: of clients that have data (clients, m), as their own code makes them; without, a vector is 0.
    """
    shift = np.array([rotated(one, signs, how.length) * how.scale for one in vectors])

    def draw(draws: int, stream: Stream) -> Mapping[str, Worlds]:
        without = _of_clients(how, draws, np.zeros(how.size), signs, stream)
        with_row = tuple(_of_clients(how, draws, one, signs, stream) for one in vectors)
        return {WORK_TOGETHER: Worlds(without, with_row, shift)}

    least = float(how.fewest * how.variance)
    lengths = [sqrt(float(one @ one)) for one in shift]
    numbers = how.length * how.fewest * (1 + len(vectors)) // 2
    return Trial(
        what,
        epsilon_at(how.rho, delta, how.slack),
        delta,
        draw,
        numbers,
        sqrt(2 * how.rho),
        least,
        "client",
        reach=max(lengths) / sqrt(how.squared_norm),
    )


def _of_clients(how: Distributed, draws: int, vector: Array, signs: bytes, stream: Stream) -> Array:
    """Sums of one client's vector and the noise of the honest others, whose vectors are 0 (draws, numbers)."""
    found = np.array([encoded(vector, how, signs, stream) for _ in range(draws)], dtype=np.float64)
    for _ in range(how.fewest - 1):
        many = replace(how, size=draws * how.length)  # the same noise on each number of one long vector
        found += encoded(np.zeros(many.size), many, signs, stream)[: many.size].reshape(found.shape)
    return found
