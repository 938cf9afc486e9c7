"""Output perturbation: a logistic regression is trained under sharing to near its minimum, and told with noise.

    w + N(2 v),      w = argmin of the sum of all rows' losses + (Lambda / 2) |w|^2, on a grid

Chaudhuri, Monteleoni, Sarwate, "Differentially private empirical risk minimization", JMLR 2011, algorithm 1, with the
discrete Gaussian in place of their noise. How far a row moves w, and how far what is computed is from w, is in
bounds.py, with proof. The noise is made as in privacy/noisy_sum.py, where an owner's addend is its share of
the weights: the helper deals shares of N(v), each of n owners adds N(v / n), and nobody knows the sum. So this needs no
owner that could add noise to a gradient by itself: it works where columns are split, too.

With noise in the objective, too (objective.py), w is the argmin of that sum + c . w, c likewise N(2 v') that
nobody knows, which is added to the gradient of each step on shares; v is then far smaller.

**Rows.** The bound needs |x| <= N for each row, with the 1 of its intercept. Where rows are split, an owner scales
its rows by itself. Where columns are split, nobody sees a row whole; but each owner scales its own part of a row to a
length N_k of its own, and N_1^2 + ... + N_n^2 + 1 <= N^2, all agreed. So nothing of the kind is done under sharing.
"""

from __future__ import annotations

import numpy as np

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.stacked import Stacked
from protocols.core.truncation import truncate
from protocols.linalg.held import Rows, hold, take_rows
from protocols.privacy.noisy_sum import DiscreteGaussian, noisy_sum
from protocols.training.accelerated import Prepared, accelerate
from protocols.training.private.bounds import Linear, Perturbed

NOISY = "noisy model"


async def perturbed_weights(
    p: Party, x: Share | Stacked, y: Share, own_noise: Array, how: Perturbed, own_linear: Array | None = None
) -> Public:
    """The weights (d,) with noise, in units of 2^-grid, the intercept last.

    3 rounds a step, and 3 more; reveals the noisy weights, which are (epsilon, delta)-differentially private for a row
    that is added or removed (against the helper, or all owners but one: noisy_sum.py). All else that is opened is under
    uniform masks: no bit of a range check or of convergence.

    Args:
        x: all owners' rows (m, d) at scale how.x_scale, each of squared length how.squared_norm at most; its last
            column is 1 for a patient, and 0 in a row that only fills up, which is 0 throughout.
        y: labels 0 and 1 (m,) at scale 0.
        own_noise: (d,) of `how.noise.own`, drawn for this training alone.
        own_linear: (d,) of `how.linear.noise.own` likewise, if there is such.
    """
    held, course, linear = await hold(p, x), how.course, None
    if how.linear is not None:
        assert own_linear is not None
        linear = _linear_term(p, own_linear, how.linear, course.how.bits.w)
    every = take_rows(held, Rows.of(np.arange(how.rows, dtype=np.int64)))
    p.stage("training", 0, course.steps)
    v, _, _ = await accelerate(p, Prepared(every, every, None), y, course.steps, course.how, linear=linear)
    p.stage("model")
    low = await truncate(p, v, v.scale - how.grid)
    where, more = ("", "") if linear is None else (" in its objective", ", besides")
    why = (
        f"the agreed result, with noise{where}: epsilon = {how.epsilon:g}, delta = {how.delta:g}; each weight has "
        f"noise of standard deviation {how.deviation:.3g}{more}, half of its variance from the helper and half from "
        "the owners"
    )
    return await noisy_sum(p, low.value, own_noise, how.noise, what=NOISY, why=why, label="noisy model")


def _linear_term(p: Party, own: Array, linear: Linear, scale: int) -> Share:
    """The objective's noise (d,) as a step adds it, which nobody knows: the helper's and all owners', on shares."""
    _, dealt = p.correlation(DiscreteGaussian(own.shape[0], linear.noise.variance))
    unit = Public(np.array([1 << linear.shift], dtype=np.uint64), scale)
    term: Share = unit * (Share(own) + dealt)
    return term
