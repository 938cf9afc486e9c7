"""How large features may be as they enter fixed point, and how many fractional bits they have."""

from __future__ import annotations

X_SCALE = 14  # fewer bits for the features cost accuracy: 13 give 2.5e-4 in a weight, 14 below 1e-4
X_LIMIT = 1024.0  # the largest |x| of a feature as it enters the training
