"""Sums over the owners with noise that nobody knows: the discrete Gaussian mechanism, inside a secure sum.

With q_i the whole numbers (m,) of owner i, N(v) the discrete Gaussian of parameter v (discrete_gaussian.py), and n
owners, what is opened is

    sum_i q_i + z + sum_i z_i,      z ~ N(v) dealt by the helper as shares,  z_i ~ N(v / n) drawn by owner i

**Who can take noise off.** The helper knows z, and receives nothing; should it learn the opened sum, the owners' noise
is left: sum_i z_i. Any owners but one know their own z_i, of z a share that is uniform; z and the last z_i are left:
N(v) and more. A party alone knows no more than one of these coalitions. So under both kinds of collusion at least the
noise of N(v) is left, and the claim of epsilon and delta is that of N(v) (accounting.py). The price is a variance of
2 v where a trusted party would add v. The helper and an owner together are outside the model, as everywhere.

**The law of what is left.** N(v) and independent noise: adding noise is post-processing, so the claim of N(v) holds.
The sum of n draws of N(v/n) is no discrete Gaussian, but the chances of the two are within a factor exp(+-tau) of each
other, tau = 10 sum_{k<n} exp(-2 pi^2 (v/n) k / (k+1)) (Kairouz, Liu, Steinke 2021, "The Distributed Discrete Gaussian
Mechanism for Federated Learning with Secure Aggregation", ICML). With v/n >= `LEAST` and 64 owners tau is below 1e-65,
which no sum of doubles sees; tests convolve the laws.

**Whose randomness.** The helper's noise is a function of a key that is uniform and that the owners share among them:
each adds what the helper's seed gives it, so all owners but one know nothing of the key. An owner's own noise comes
from its caller, from a stream that nobody else has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mpc.randomness.correlation import Book
from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.privacy.discrete_gaussian import samples

LEAST: Final = 16
"""The least parameter of an owner's noise: of so wide ones the sum is a discrete Gaussian but for a factor of 1e-65."""
_KEY_WORDS: Final = 4


@dataclass(frozen=True)
class Noise:
    """The noise of a release, in the unit of the whole numbers that are summed up.

    Args:
        variance: v, what is left to whoever takes off as much as it can; a multiple of the owners' number.
        owners: how many add noise of their own.

    Raises:
        ValueError: an owner's part is no whole number, or below `LEAST`.
    """

    variance: int
    owners: int

    def __post_init__(self) -> None:
        if self.variance % self.owners or self.own_variance < LEAST:
            raise ValueError(f"a variance of {self.variance} has no parts of {LEAST} or more for {self.owners} owners")

    @property
    def own_variance(self) -> int:
        """The parameter of each owner's own noise."""
        return self.variance // self.owners

    @property
    def opened_variance(self) -> int:
        """The variance of the noise in what is opened: the helper's, and all owners'."""
        return 2 * self.variance

    def own(self, stream: Stream, count: int) -> Array:
        """An owner's own noise (count,), as elements of Z_2^64, from a stream that nobody else has."""
        return samples(stream, self.own_variance, count).view(np.uint64)


@dataclass(frozen=True)
class DiscreteGaussian:
    """A key of 256 bits, and noise (count,) over Z_2^64 that it gives: the discrete Gaussian of this parameter."""

    count: int
    variance: int
    kept: bool = False

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return (Spec((_KEY_WORDS,)),)

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec((self.count,)),)

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        key = drawn[0].astype("<u8").tobytes()
        return (samples(Stream(key), self.variance, self.count).view(np.uint64),)


def own_noise(p: Party, noise: Noise, stream: Stream | None, size: int) -> Array:
    """An owner's own noise (size,), drawn from its randomness now; of a dry party, which has none, of no meaning."""

    def drawn() -> Array:
        assert stream is not None
        return noise.own(stream, size)

    return p.compute(drawn, shape=(size,))


async def noisy_sum(
    p: Party, own: Array, added: Array, noise: Noise, *, what: str, why: str, label: str = "noisy sum"
) -> Public:
    """The sum over all owners of `own` (m,), elements of Z_2^64, with noise of variance 2 v.

    1 round; reveals the noisy sum, which is (epsilon, delta)-differentially private by accounting.py.

    Args:
        added: (m,) of `own_noise`, drawn for this sum alone.
    """
    _, dealt = p.correlation(DiscreteGaussian(own.shape[0], noise.variance))
    (total,) = await p.reveal(Share(own) + Share(added) + dealt, what=what, why=why, label=label)
    return total


async def noisy_sum_of(
    p: Party,
    numbers: Callable[[], Array],
    size: int,
    noise: Noise,
    stream: Stream | None,
    *,
    what: str,
    why: str,
    label: str,
) -> NDArray[np.int64]:
    """The noisy sum (size,) of vectors that each owner computes from its own rows; of a dry party, of no meaning.

    1 round; reveals what `noisy_sum` does.

    Args:
        numbers: this owner's vector (size,), elements of Z_2^64; a dry party does not compute it.
        stream: this owner's own randomness, which nobody else has; None of a dry party.
    """
    mine, added = p.compute(numbers, shape=(size,)), own_noise(p, noise, stream, size)
    total = await noisy_sum(p, mine, added, noise, what=what, why=why, label=label)
    return total.value if p.dry else total.value.view(np.int64)


def claim_text(epsilon: float, delta: float, deviation: float) -> str:
    """The reason why a noisy sum may be revealed: its claim, and whose noise is in it.

    Args:
        deviation: of all noise in a number, in patients.
    """
    return (
        f"epsilon = {epsilon:g}, delta = {delta:g}: each number has noise of standard deviation "
        f"{deviation:.3g} patients, half of its variance from the helper and half from the owners"
    )
