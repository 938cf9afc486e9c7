"""What an owner counts of its own rows for survival curves: the lost so many at a time; and where curves are told.

An owner that says at each time how many of its patients were lost would often say one or two. So it defers them: it
counts on, and when it has at least m it says so many there, and begins again. At every time it says 0 or at least m,
and so do all others of any owner together. Those it has left over at the end are still waited for, as far as it says;
where it would then say 1 to m - 1 of these, it takes as many of its last lot back as it needs to say m, or all of it if
fewer than m would be left of the lot.

So at no time are more than m - 1 of an owner's patients lost and not counted as such; or, from its last lot on, 2m - 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]

MOST_DISCLOSED = 64
"""So many points of time a curve is told at, at most."""


def deferred(counts: Counts, m: int) -> Counts:
    """One owner's counts (..., T + 1, 2), without and with the event at each time and beyond, as it tells them.

    The events are as they were, but for those beyond the last time, who are still waited for there.
    """
    out = counts.copy()
    out[..., -1, 0] += out[..., -1, 1]
    out[..., -1, 1] = 0
    lost = out[..., 0].reshape(-1, out.shape[-2])
    out[..., 0] = np.array([_deferred(row, m) for row in lost]).reshape(out.shape[:-1])
    return out


def _deferred(lost: Counts, m: int) -> Counts:
    """Of a list of those lost at each time, and at the end those who are still waited for."""
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
    """How many may have been lost by each time and are counted later, at most, of what all owners tell (T + 1, 2).

    Of an owner whose last lot is over 2m - 1, else m - 1; after the last lot of all that may be every owner, before it
    every one but one. And never more than are counted later.
    """
    lost = disclosed[:, 0]
    later = lost.sum() - lost[:-1].cumsum()
    in_lots = later - lost[-1]
    most = owners * (m - 1) + m * np.where(in_lots > 0, owners - 1, owners) * (lost[-1] > 0)
    return np.asarray(np.minimum(most, later)) if m else np.zeros(len(later), dtype=np.int64)


def disclosed_times(count: int) -> Counts:
    """At which of so many points of a grid a curve may be told: all of them, or one in so many, and the last."""
    step = -(-count // MOST_DISCLOSED)
    return np.unique([*range(step - 1, count, step), count - 1]).astype(np.int64)
