"""Products of shared values from multiplication triples. Beaver, "Efficient multiparty protocols using circuit
randomization", CRYPTO 1991.

With d = x - a and e = y - b opened, x y = a b + d y + a e: two products of a public and a shared value at every owner.
"""

from __future__ import annotations

from mpc.randomness.correlation import MatmulTriple, MultiplyTriple
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.sharing.pieces import in_pieces
from mpc.sharing.share import Share
from protocols.core.halved import halved_matmul, is_worth_halving


async def multiply(p: Party, x: Share, y: Share, *, label: str = "multiply") -> Share:
    """[z] = [x] * [y] elementwise (numpy's broadcasting), at scale x.scale + y.scale; over bits, [x] & [y].

    1 round; reveals x - a and y - b, both uniform over the ring.
    """
    a, b, c = p.correlation(MultiplyTriple(_spec(x), _spec(y)))
    d, e = await p.open(x - a, y - b, label=label)
    z: Share = in_pieces(lambda c, d, y, e, a: c + d * y + e * a, c, d, y, e, a[:])
    return z


async def matmul(p: Party, x: Share, y: Share, *, label: str = "matmul") -> Share:
    """[z] = [x] @ [y] over Z_2^64, at scale x.scale + y.scale; shapes (m, k) @ (k, n), (k,) @ (k,) -> (1,), ...

    Or over a wide ring, if x and y are thin.

    1 round; reveals x - a and y - b, both uniform.
    """
    if is_worth_halving(p, x, y):
        return await halved_matmul(p, x, y, label=label)
    a, b, c = p.correlation(MatmulTriple(_spec(x), _spec(y)))
    d, e = await p.open(x - a, y - b, label=label)
    z: Share = c + (d @ y + a[:] @ e).reshape(*c.shape)
    return z


def _spec(x: Share) -> Spec:
    return Spec(x.shape, x.scale, x.ring)
