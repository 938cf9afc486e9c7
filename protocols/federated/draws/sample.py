"""Which clients take part in a round: agreed, so that every client checks that it was rightly asked."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from mpc.errors import UsageError
from mpc.randomness.streams import Stream, derive
from protocols.federated.draws.numbers import below


def cohort(seed: bytes, t: int, clients: int, size: int) -> tuple[int, ...]:
    """The clients of round `t`, rising: `size` of `clients` without replacement, each set as likely as any other.

    Floyd's method (Bentley and Floyd 1987) draws `size` numbers, however many clients there are. The draw depends on
    the public `seed` and on `t` alone: the server cannot choose whom it asks.

    Raises:
        UsageError: there are fewer clients than that, or nobody is to be drawn.
    """
    if not 1 <= size <= clients:
        raise UsageError(f"a cohort of {size} cannot be drawn from {clients} clients", "set cohort to at most clients")
    stream = Stream(derive(seed, f"federated cohort/{t}"))
    chosen: set[int] = set()
    for last in range(clients - size, clients):
        drawn = below(stream, last + 1)
        chosen.add(last if drawn in chosen else drawn)
    return tuple(sorted(chosen))


@lru_cache(maxsize=8)
def most_drawn(seed: bytes, rounds: int, clients: int, size: int) -> int:
    """In how many of the rounds 1, 2, ..., `rounds` the client is that is drawn most often."""
    drawn: Counter[int] = Counter()
    for t in range(1, rounds + 1):
        drawn.update(cohort(seed, t, clients, size))
    return max(drawn.values())
