"""Trials of noisy sums (`protocols/privacy/noisy_sum.py`): what is left for each onlooker, with and without a row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from math import sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mpc.randomness.streams import Stream, derive
from mpc.ring.array import Array
from mpc.runtime.lockstep import run_lockstep
from mpc.runtime.party import Party
from parties.tasks.audited import Opened, Trial, Worlds
from protocols.privacy.accounting import AnyMechanism, Mechanism
from protocols.privacy.noisy_sum import DiscreteGaussian, Noise

Whole = NDArray[np.int64]

_KEY: Final = 32  # bytes of the helper's key
HELPER: Final = "the helper, should it see the results"
OWNERS: Final = "all owners but one, together"
READER: Final = "who reads the results"


def promised_shift(mechanisms: Iterable[AnyMechanism]) -> float:
    """The most that a row shifts the mean of Gaussian noise, in deviations: sqrt(sum of D^2 / v)."""
    return sqrt(sum(one.times * _squared(one) / one.variance for one in mechanisms))


def noisy_sum_trial(
    what: str,
    claim: tuple[float, float],
    noise: Noise,
    mechanisms: Iterable[AnyMechanism],
    without: Whole,
    with_row: Whole,
    opened: Opened | None = None,
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
    """
    shift = (with_row - without).astype(np.float64)
    touched = np.flatnonzero(shift.any(axis=0))
    shift, nil, count = shift[:, touched], without[touched].astype(np.float64), len(touched)

    def draw(draws: int, stream: Stream) -> Mapping[str, Worlds]:
        left = _left(noise, draws, count, stream), _left(noise, draws, count, stream)
        return {
            who: Worlds(nil + left[0][who], tuple(nil + row + left[1][who] for row in shift), shift) for who in left[0]
        }

    numbers, shift_promised = count * (noise.owners + 1), promised_shift(mechanisms)
    return Trial(what, *claim, draw, numbers, shift_promised, opened=opened)


def opened_by_runs(
    owners: Sequence[str],
    helper: str,
    one: Callable[[Party, Stream | None], Awaitable[Array | None]],
    summed: Array,
    noise: Noise,
) -> Opened:
    """The noise in what a protocol opens.

    Args:
        one: the protocol of an owner, given its own randomness; None, as its result, of a dry party.
        summed: what all owners together enter (numbers,), in the unit of the result.
        noise: what it promises, in that unit.
    """

    def runs_of(runs: int, stream: Stream) -> Array:
        keys = {name: stream.take(_KEY).tobytes() for name in (*owners, helper)}

        def program(p: Party) -> Any:
            own = None if p.dry else Stream(derive(keys[p.name], "own noise"))

            async def again() -> list[Array | None]:
                return [await one(p, own) for _ in range(runs)]

            return again()

        entropy = {name: partial(derive, key) for name, key in keys.items()}
        outcome = run_lockstep(dict.fromkeys(owners, program), entropy=entropy, helper=helper)
        found: Array = np.array(outcome.results[owners[0]]) - summed
        return found

    return Opened(runs_of, float(noise.opened_variance), summed.size * (noise.owners + 1))


def _left(noise: Noise, draws: int, count: int, stream: Stream) -> dict[str, Array]:
    """The noise (draws, count) that is left to each onlooker."""
    own = np.array([[noise.own(stream, count) for _ in range(noise.owners)] for _ in range(draws)])
    own = own.view(np.int64).astype(np.float64)
    dealt = np.array([_dealt(noise, count, stream) for _ in range(draws)]).view(np.int64).astype(np.float64)
    return {HELPER: own.sum(axis=1), OWNERS: dealt + own[:, -1], READER: dealt + own.sum(axis=1)}


def _dealt(noise: Noise, count: int, stream: Stream) -> Array:
    kind = DiscreteGaussian(count, noise.variance)
    key = stream.take(_KEY).copy().view(np.uint64)
    (dealt,) = kind.deal((key,), {})
    return dealt


def _squared(one: AnyMechanism) -> int:
    return one.sensitivity**2 if isinstance(one, Mechanism) else one.squared
