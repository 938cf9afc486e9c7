"""A summary of all owners' data before a training, where they agreed to it: pooled counts of missing values, and the
columns in which the owners' values differ so much in size that their units may differ."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from mpc.ring.array import Array
from mpc.ring.rings import B8
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Public, Share
from protocols.core.beaver import multiply
from protocols.core.comparison import any_each, outside
from protocols.core.secure_sum import secure_sum
from protocols.rows.own_rows import OwnRows
from protocols.rows.results import DataSummary
from protocols.rows.settings import TrainingSettings

TIMES = 10
"""The ratio of typical sizes above which units may differ."""
SIZE_SCALE = 20
_LIMIT = int(math.log2(TIMES) * 2**SIZE_SCALE)  # rounded down: two logarithms rounded apart come no closer than that
_TWO_OWNERS = " (with two owners each so learns whether the other's is that far from its own)"


async def summarise(p: Party, own: OwnRows, settings: TrainingSettings) -> DataSummary | None:
    """The part of the summary that the settings ask for; None if there is none, or in a dry run."""
    if not settings.missing and not settings.compare_ranges:
        return None
    p.stage("data summary")
    counts = words = None
    if settings.missing:
        counts = await missing_counts(p, own.missing)
    if settings.compare_ranges:
        rows = p.compute(np.concatenate, (own.x_train, own.x_test), shape=(1, settings.features))
        words = await unlike_ranges(p, rows)
    if p.dry:
        return None
    found = DataSummary(
        None if counts is None else tuple(int(count) for count in counts.value),
        None if words is None else tuple(name for name, word in zip(own.names, words.value, strict=True) if word),
    )
    for name in found.unlike_ranges or ():
        p.hint(
            f"column {name}: its typical values differ {TIMES} times or more between owners; is it in the same unit "
            "at all of them?"
        )
    return found


async def missing_counts(p: Party, own: Array) -> Public:
    """The missing values of each column over all owners, from each owner's own counts (d + 1,), the target's last.

    1 round; reveals the sums: with two owners each learns the other's counts.
    """
    why = "how many values each column lacks over all owners, the target last"
    return await secure_sum(p, own, 0, what="missing values", why=why, label="missing values")


async def unlike_ranges(p: Party, rows: Array) -> Public:
    """Zero for each column whose typical sizes t_i are all within 10 times of each other, else a uniform word (d,).

        |log t_i - log t_j| >= log 10 for a pair of owners i < j        t_i: the median of |x| > 0 over i's rows (m, d)

    The median is used since a few outliers do not mean another unit; zeros are left out since their number says nothing
    about the unit. An owner with only zeros in a column is not compared there; that it has only zeros stays hidden.
    10 rounds; reveals masked values and bits (uniform), and the one declared word a column, which tells nothing but
    whether it is zero.
    """
    columns = rows.shape[1]
    sizes, known = [], []
    for owner in p.owners:
        mine = owner == p.name and not p.dry
        size, has = typical_sizes(rows) if mine else (None, None)
        sizes.append(p.input(owner, size, (columns,), SIZE_SCALE))
        known.append(p.input(owner, has, (columns,), 0, B8))
    pairs = list(combinations(range(len(p.owners)), 2))
    apart = Share(np.concatenate([(sizes[i] - sizes[j]).value for i, j in pairs]), SIZE_SCALE)
    first, second = (Share(np.concatenate([known[pair[k]].value for pair in pairs]), 0, B8) for k in range(2))
    limit = np.full(apart.shape, _LIMIT - 1, dtype=np.int64)
    far, both = await together(
        outside(p, apart, -limit, limit, label="ranges/mask"), multiply(p, first, second, label="ranges/known")
    )
    bits = await multiply(p, far, both, label="ranges/far")
    note = _TWO_OWNERS if len(p.owners) == 2 else ""
    why = f"one bit a column: zero if all owners' typical values are within {TIMES} times of each other{note}"
    return await any_each(p, bits, columns, what="range comparison", why=why)


def typical_sizes(rows: Array) -> tuple[Array, Array]:
    """log2 of the median of |x| > 0 in each column of rows (m, d), at `SIZE_SCALE`; and whether there is one, 0 or 1.

    Each owner computes this by itself: a difference in rounding between processors reaches no public number.
    """
    sizes, known = np.zeros(rows.shape[1], dtype=np.int64), np.zeros(rows.shape[1], dtype=np.uint8)
    for k, column in enumerate(np.abs(rows.T)):
        values = column[column > 0]
        if values.size:
            sizes[k] = round(math.log2(float(np.median(values))) * 2**SIZE_SCALE)
            known[k] = 1
    return sizes.view(np.uint64), known
