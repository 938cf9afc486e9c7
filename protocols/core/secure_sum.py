"""What each owner computed from its own rows, shared, and sums over the owners."""

from __future__ import annotations

from collections.abc import Sequence

from mpc.ring.array import Array
from mpc.ring.rings import Z64, Ring
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share

TWO_OWNERS = " (with two owners each can subtract its own part and learns the other's)"


def total_of(shares: Sequence[Share]) -> Share:
    """The sum of shares of one shape and scale. 0 rounds; local."""
    total, *others = shares
    for one in others:
        total = total + one
    return total


def inputs(p: Party, own: Array | None, shape: tuple[int, ...], scale: int, ring: Ring = Z64) -> list[Share]:
    """What each owner enters, shared, in the owners' order. 0 rounds.

    Args:
        own: this owner's ring elements at `scale`, of `shape`; None in a dry run.
    """
    return [p.input(owner, own if owner == p.name else None, shape, scale, ring) for owner in p.owners]


async def secure_sum(
    p: Party, own: Array, scale: int, ring: Ring = Z64, *, what: str, why: str, label: str = "sum"
) -> Public:
    """Reveal the sum over all owners of `own`, ring elements at `scale`: each owner's vector is its share of the sum.

    1 round; reveals the sum: with two owners each learns the other's addend, which `why` says where it applies.
    """
    note = TWO_OWNERS if len(p.owners) == 2 else ""
    (total,) = await p.reveal(Share(own, scale, ring), what=what, why=why + note, label=label)
    return total
