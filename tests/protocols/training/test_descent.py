"""Gradient descent on shares follows the plaintext reference, step by step.

The kit's four checks of it are in tests/testing; here is what they cannot express: rates, penalties and fits that
vary, and single weights in long trainings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.ring.fixed_point import decode, encode
from mpc.ring.rings import Z64
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.functions.sigmoid_fits import FITS, SigmoidFit
from protocols.linalg.held import Rows, hold
from protocols.plain.logistic import fit_reference
from protocols.rows.limits import X_SCALE
from protocols.training.bit_budget import LOW_SHIFT, bit_budget
from protocols.training.descent import Descent, descend
from tests.helpers import on_shares


def on_a_grid(x: np.ndarray) -> np.ndarray:
    """Values that fixed point holds exactly, so that what differs is the training alone."""
    return np.rint(x * 2**X_SCALE) / 2**X_SCALE


def both(
    x: np.ndarray, y: np.ndarray, steps: tuple[Rows, ...], rate: float, l2: float, fit: SigmoidFit, n: int, seed: int
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], Any]:
    """The weights from shares and in the clear, and each step's low copies."""
    smallest = min(rows.index.size for rows in steps)
    how = Descent(rate, l2, fit, bit_budget(fit, rate, smallest, x.shape[1] + 1, l2))
    ready = encode(np.concatenate((x, np.ones((len(x), 1))), axis=1), X_SCALE)

    async def body(p: Party, s: list[Share]) -> tuple[Share, ...]:
        w, seen = await descend(p, await hold(p, s[0]), s[1], steps, how)
        return (w, *seen())

    (w, *seen), outcome = on_shares(body, [(ready, X_SCALE, Z64), (y.astype(np.uint64), 0, Z64)], n, seed)
    reference = fit_reference(x, y, steps, rate, l2, standardise=False)
    assert reference.largest_score < fit.reach
    assert outcome.rounds["owner0"] == 1 + 3 * len(steps)
    assert outcome.reveals == ()
    return decode(w, how.bits.w), reference.weights, [decode(low, how.bits.w - LOW_SHIFT) for low in seen], outcome


@pytest.mark.parametrize("at_once", [1, 9, 1 << 13])
def test_the_low_copies_are_the_weights_before_each_step(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr("protocols.training.descent._LATELY", at_once)
    draw = np.random.default_rng(2)
    x, y = on_a_grid(draw.normal(size=(12, 3))), draw.integers(0, 2, 12).astype(float)
    steps = tuple(Rows.of(np.arange(k % 3, 12, 3)) for k in range(5))
    _, _, seen, _ = both(x, y, steps, 0.5, 0.0, FITS[0], 2, 0)
    assert len(seen) == 5
    for t, low in enumerate(seen):
        before = fit_reference(x, y, steps[:t], 0.5, 0.0, standardise=False).weights
        np.testing.assert_allclose(low, before, atol=1e-4 + 2.0**-14)
