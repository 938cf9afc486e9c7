"""An owner's counts for survival curves, censored patients in lots; and the times at which curves are disclosed.

The number of an owner's patients who were censored at one time is often one or two. So the owner defers them: it counts
on until it has a lot of at least m, enters the lot at that time, and begins again. At every time its count is 0 or at
least m, and so is the sum over all others of any owner. Patients left over at the end count as still at risk. Where
these would be 1 to m - 1, the owner takes back as many of its last lot as make them m, or the whole lot if fewer than m
would be left of it.

So at no time are more than m - 1 of an owner's patients censored and not counted; or, from its last lot on, 2m - 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]

MOST_DISCLOSED = 64
"""The largest number of times at which a curve is disclosed."""


def deferred(counts: Counts, m: int) -> Counts:
    """One owner's counts (..., T + 1, 2), without and with the event at each time and beyond, with lots deferred.

    Events stay where they are; patients with an event beyond the last time count as still at risk there.
    """
    out = counts.copy()
    out[..., -1, 0] += out[..., -1, 1]
    out[..., -1, 1] = 0
    lost = out[..., 0].reshape(-1, out.shape[-2])
    out[..., 0] = np.array([_deferred(row, m) for row in lost]).reshape(out.shape[:-1])
    return out


def _deferred(lost: Counts, m: int) -> Counts:
    """Defer one list: the censored patients at each time, and at the end those still at risk."""
    disclosed = np.zeros_like(lost)
    left, last = 0, None
    for k, count in enumerate(lost[:-1].tolist()):
        left += count
        if left >= m:
            disclosed[k], left, last = left, 0, k
    disclosed[-1] = lost[-1] + left
    if 0 < disclosed[-1] < m and last is not None:
        both = disclosed[-1] + disclosed[last]
        disclosed[-1] = m if both >= 2 * m else both
        disclosed[last] = both - disclosed[-1]
    return disclosed


def uncounted(disclosed: Counts, owners: int, m: int) -> Counts:
    """The most patients who may have been censored by each time and count later, from all owners' counts (T + 1, 2).

    For an owner after its last lot 2m - 1, before it m - 1. After the last lot of all, every owner may be after its
    last lot; before it, all but one. The number is never above that of patients counted later.
    """
    lost = disclosed[:, 0]
    later = lost.sum() - lost[:-1].cumsum()
    in_lots = later - lost[-1]
    most = owners * (m - 1) + m * np.where(in_lots > 0, owners - 1, owners) * (lost[-1] > 0)
    return np.asarray(np.minimum(most, later)) if m else np.zeros(len(later), dtype=np.int64)


def disclosed_times(count: int) -> Counts:
    """The points of a grid of `count` points at which a curve may be disclosed: all, or every k-th and the last."""
    step = -(-count // MOST_DISCLOSED)
    return np.unique([*range(step - 1, count, step), count - 1]).astype(np.int64)
