"""Gradient descent on shares follows the plaintext reference, step by step.

The kit's four checks of it are in tests/testing; here is what they cannot express: rates, penalties and fits that
vary, and single weights in long trainings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from tests.examples import steady
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


@steady(40)
@given(
    st.integers(1, 12),
    st.integers(1, 5),
    st.integers(1, 12),
    st.floats(0.01, 1.0),
    st.sampled_from([0.0, 0.001, 0.1, 1.0]),
    st.sampled_from(FITS),
    st.integers(2, 5),
    st.integers(0, 2**32),
)
def test_as_the_reference(
    m: int, d: int, batch: int, rate: float, l2: float, fit: SigmoidFit, n: int, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    x, y = on_a_grid(draw.normal(size=(m, d))), draw.integers(0, 2, m).astype(float)
    steps = tuple(Rows.of(draw.integers(0, m, size=int(draw.integers(1, batch + 1)))) for _ in range(6))
    got, wanted, _, _ = both(x, y, steps, rate, l2, fit, n, seed % 1000)
    # What the sigmoid's fit is off can add up over the steps. The l2 term is computed from the low copy of w, whose
    # last place is 2^-11 in the widest range.
    fitted = len(steps) * rate * fit.error * max(1.0, float(np.abs(x).max()))
    assert np.abs(got - wanted).max() < 1e-4 + fitted + 2.0**-10 * rate * l2


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


def test_the_intercept_is_not_penalised() -> None:
    x, y = np.zeros((4, 1)), np.ones(4)
    steps = (Rows.of(np.arange(4)),) * 30
    got, wanted, _, _ = both(x, y, steps, 0.5, 1.0, FITS[0], 2, 0)
    assert got[0] == pytest.approx(0.0, abs=1e-3)
    assert got[1] == pytest.approx(wanted[1], abs=1e-3)
    assert got[1] > 1.0


def test_no_steps_no_weights() -> None:
    how = Descent(0.5, 0.0, FITS[0], bit_budget(FITS[0], 0.5, 2, 3))

    async def body(p: Party, s: list[Share]) -> Share:
        w, seen = await descend(p, await hold(p, s[0]), s[1], (), how)
        assert seen() == []
        return w

    (w,), _ = on_shares(body, [(np.ones((2, 3)), X_SCALE, Z64), (np.ones(2), 0, Z64)])
    assert w.tolist() == [0, 0, 0]
