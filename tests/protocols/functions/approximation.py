"""A fit's values in plaintext."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protocols.functions.sigmoid_fits import SigmoidFit


def approximate(fit: SigmoidFit, z: NDArray[np.float64]) -> NDArray[np.float64]:
    """The fit's value at z; not the same bits on every machine."""
    angle = z * (2 * np.pi / fit.period)
    # Clenshaw's recurrence: far fewer sines than one a harmonic.
    step = 2 * np.cos(2 * angle)
    later = np.zeros_like(angle)
    last = np.zeros_like(angle)
    for coefficient in reversed(fit.coefficients):
        last, later = coefficient + step * last - later, last
    return 0.5 + np.sin(angle) * (last + later)
