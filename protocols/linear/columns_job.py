"""The job of linear regression where every owner has other columns of the same patients.

Each owner standardises its own columns, the target's owner the target too; nobody else learns how. With the columns
held (opened once under one mask), Z'Z follows without a further round: exactly the sums of the rounded products.
The coefficients leave the sharing in the columns' own units, as those of inference/columns_job.py do.

The target's owner subtracts the offset by itself; it also has the weights (weighted_columns.py). It standardises the
target by weighted moments, since the total sum of squares is about these, and its other columns as all owners do.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mpc.ring.array import Array
from mpc.ring.fixed_point import encode
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Public, Share
from protocols.core.wide import lift, wide_truncate
from protocols.disclosure.design_cells import checked_columns
from protocols.linalg.held import hold
from protocols.linalg.hessian import held_gram
from protocols.linalg.inverse import MATRIX_RING
from protocols.linalg.original_units import FACTOR_SCALE, UNITS_RING
from protocols.linear.least_squares import Opened, Solution, least_squares, reveal_fit
from protocols.linear.rows_job import fit_of
from protocols.linear.settings import LinearFit, LinearSettings
from protocols.linear.weighted_columns import entry_scale, largest_ratio, weighted_columns
from protocols.rows.own_rows import OwnColumns, joint_names
from protocols.scaling.cross_products import covariance_scale
from protocols.scaling.own_columns import entered, own_moments, own_numbers, own_scaling, side_by_side
from protocols.scaling.standardise import Moments

_ROW_SCALE = 20  # of the rows' entries, where sums over the rows fit
_RATIO_BITS = 96  # of 1 / N


async def vertical_linear_job(p: Party, own: OwnColumns | None, settings: LinearSettings) -> LinearFit | None:
    """Check that the rows are the same, multiply the columns and invert under sharing, reveal the fit in own units.

    Reveals whether all owners' ids are the same; whether a cell of the model is small (which ends the
    run); with weights their sum, and a power of two that none is above, of what
    they are on average; one bit, whether features are collinear; the target's standard
    deviation, which R2 and the residual standard error tell anyway; the coefficients, the diagonal of the inverse of
    X'X, the mean square of the residuals. Means, and the features' deviations, stay with the columns' owner.

    Raises:
        DataError: the owners' ids differ, a column is constant, features are collinear, or weights are too unequal.
    """
    (rows,), d = settings.train_rows, settings.features
    own = await checked_columns(p, own, settings)
    p.stage("standardisation")
    largest = await largest_ratio(p, own) if settings.weighted else 1.0
    features, target = own_scaling(p, own), _target_scaling(p, own, settings)
    p.stage("sharing")
    z = await _columns(p, own, features, target, largest, settings)
    p.stage("sums")
    held = await hold(p, z)
    sums = await lift(p, held_gram(p, held, held), MATRIX_RING)
    mean = sums * Public(np.array([round(2**_RATIO_BITS / rows)], dtype=object), _RATIO_BITS, MATRIX_RING)
    a = await wide_truncate(p, mean, mean.scale - covariance_scale(z.shape[1] - 1))
    p.stage("Gram matrix")
    solution = await least_squares(p, a)
    p.stage("model")
    opened, of_target = await _reveal(p, own, features, target, solution, settings)
    p.stage("done")
    if p.dry:
        return None
    unit, *summed = of_target
    weight = summed[0] if settings.weighted else float(rows)
    fit = fit_of(joint_names(own.names), opened, np.append(np.ones(d), unit), rows, weight * largest)
    return replace(fit, weight=weight if settings.weighted else None)


def _target_scaling(p: Party, own: OwnColumns, settings: LinearSettings) -> Moments | None:
    """The scaling of the target less the offset, at the target's owner; None at all others."""
    if own.target_owner != p.name:
        return None
    name = f"{settings.target} (the target)"
    left = p.compute(
        lambda: own.offset_weights_train.subtract_offset(own.y_train)[:, np.newaxis], shape=(*own.y_train.shape, 1)
    )
    return own_moments(p, left, (name,), own.offset_weights_train.counts)


async def _columns(
    p: Party, own: OwnColumns, features: Moments, target: Moments | None, largest: float, settings: LinearSettings
) -> Share:
    """The columns whose products are summed, the target last (m, d + 1); with weights, one of ones before it."""
    (rows,) = settings.train_rows
    if not settings.weighted:
        scale = min(_ROW_SCALE, (61 - math.ceil(math.log2(rows))) // 2)
        x = _features(p, own, features, rows, scale)
        left = (
            None
            if target is None or p.dry
            else target.apply(own.offset_weights_train.subtract_offset(own.y_train)[:, np.newaxis])
        )
        return Share(np.concatenate((x.value, entered(p, own, left, (rows, 1), scale).value), axis=1), scale)
    x = _features(p, own, features, rows, entry_scale(rows))
    return await weighted_columns(p, x, own, target, largest)


async def _reveal(
    p: Party, own: OwnColumns, features: Moments, target: Moments | None, solution: Solution, settings: LinearSettings
) -> tuple[Opened, list[float]]:
    """The fit in the features' own units, in which the target's deviation is 1; that deviation; of weights their sum.

    7 rounds.
    """
    width = features.mean.shape
    factors = own_numbers(p, p.compute(lambda: 1 / features.deviation, shape=width), own)
    squared = own_numbers(p, p.compute(lambda: 1 / features.deviation**2, shape=width), own)
    shifts = own_numbers(p, p.compute(lambda: features.mean / features.deviation, shape=width), own)
    middle = _of_target(p, own, None if target is None else target.mean / target.deviation)
    means = Share(np.concatenate((shifts.value, middle.value)), FACTOR_SCALE, UNITS_RING)
    numbers = [None if target is None else target.deviation]
    whats = ["target's deviation"]
    whys = ["the agreed result: the target's standard deviation, which R2 and the residual standard error tell anyway"]
    if settings.weighted:
        counts = own.offset_weights_train.counts
        numbers.append(None if counts is None else np.array([counts.sum()]))
        whats.append("sum of weights")
        whys.append("how much all rows count together, by their weights")
    opened, *others = await together(
        reveal_fit(p, solution, means, factors, squared),
        *(
            p.reveal(_of_target(p, own, number), what=what, why=why, label=what)
            for number, what, why in zip(numbers, whats, whys, strict=True)
        ),
    )
    return opened, [] if p.dry else [float(one[0].real()[0]) for one in others]


def _features(p: Party, own: OwnColumns, features: Moments, rows: int, scale: int) -> Share:
    """All owners' standardised columns side by side (m, d): as fine as their sums allow."""
    x = p.compute(lambda: encode(features.apply(own.x_train), scale), shape=own.x_train.shape)
    return side_by_side(p, x, own.names, rows, scale)


def _of_target(p: Party, own: OwnColumns, number: Array | None) -> Share:
    """A number (1,) of the target's owner, at FACTOR_SCALE in the ring for units."""
    words = None if number is None or p.dry else encode(number, FACTOR_SCALE, UNITS_RING)
    return p.input(own.target_owner, words, (1,), FACTOR_SCALE, UNITS_RING)
