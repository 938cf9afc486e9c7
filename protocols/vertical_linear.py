"""The job of linear regression where every owner has other columns of the same patients.

Each owner standardises its own columns, the target's owner the target too; nobody else learns how. With the columns
held (opened once under one mask), Z'Z follows without a further round: exactly the sums of the rounded products.
The coefficients leave the sharing in the columns' own units, as those of vertical_inference.py do.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mpc.fixed import encode
from mpc.ghost import Array, ghost, is_ghost
from mpc.party import Party
from mpc.round import together
from mpc.share import Public, Share
from protocols.alignment import DIGEST_BITS, check_aligned
from protocols.held import hold
from protocols.hessian import held_gram
from protocols.least_squares import Opened, Solved, covariance_scale, least_squares, reveal_fit
from protocols.linear_job import fit_of
from protocols.linear_settings import LinearFit, LinearSettings
from protocols.own_units import FACTOR_SCALE, UNITS_RING
from protocols.standardise import Moments
from protocols.training_settings import OwnColumns
from protocols.vertical_job import joint_names, misaligned, own_numbers, own_scaling
from protocols.wide import lift, wide_truncate
from protocols.wide_inverse import MATRIX_RING

_ROW_SCALE = 20  # of the rows' entries, where sums over the rows fit
_RATIO_BITS = 96  # of 1 / N


async def vertical_linear_job(p: Party, own: OwnColumns | None, settings: LinearSettings) -> LinearFit | None:
    """Check that the rows are the same, multiply the columns and invert under sharing, reveal the fit in own units.

    Reveals whether all owners' ids are the same; one bit, whether features are collinear; the target's standard
    deviation, which R2 and the residual standard error tell anyway; the coefficients, the diagonal of the inverse of
    X'X, the mean square of the residuals. Means, and the features' deviations, stay with the columns' owner.

    Raises:
        DataError: the owners' ids differ, a column is constant, or features are collinear.
    """
    own = own or _blank(p, settings)
    (rows,), d = settings.train_rows, settings.features
    p.stage("alignment")
    await check_aligned(p, own.ids, misaligned())
    p.stage("standardisation")
    has_target = own.target_owner == p.name
    scaling = own_scaling(p, _with_target(own, settings.target) if has_target else own)
    features, target = _parted(scaling) if has_target else (scaling, None)
    p.stage("sharing")
    z = _input(p, own, features, target, rows)
    p.stage("sums")
    held = await hold(p, z)
    sums = await lift(p, held_gram(p, held, held), MATRIX_RING)
    mean = sums * Public(np.array([round(2**_RATIO_BITS / rows)], dtype=object), _RATIO_BITS, MATRIX_RING)
    a = await wide_truncate(p, mean, mean.scale - covariance_scale(d))
    p.stage("Gram matrix")
    solved = await least_squares(p, a)
    p.stage("model")
    opened, unit = await _reveal(p, own, features, target, solved)
    p.stage("done")
    return None if p.dry else fit_of(joint_names(own.names), opened, np.append(np.ones(d), unit.real()), rows)


async def _reveal(
    p: Party, own: OwnColumns, features: Moments, target: Moments | None, solved: Solved
) -> tuple[Opened, Public]:
    """The fit in the features' own units, in which the target's deviation is 1; and that deviation. 7 rounds."""
    width = features.mean.shape
    factors = own_numbers(p, p.compute(lambda: 1 / features.deviation, shape=width), own)
    squared = own_numbers(p, p.compute(lambda: 1 / features.deviation**2, shape=width), own)
    shifts = own_numbers(p, p.compute(lambda: features.mean / features.deviation, shape=width), own)
    middle = _of_target(p, own, None if target is None else target.mean / target.deviation)
    means = Share(np.concatenate((shifts.value, middle.value)), FACTOR_SCALE, UNITS_RING)
    why = "the agreed result: the target's standard deviation, which R2 and the residual standard error tell anyway"
    opened, (unit,) = await together(
        reveal_fit(p, solved, means, factors, squared),
        p.reveal(
            _of_target(p, own, None if target is None else target.deviation),
            what="target's deviation",
            why=why,
            label="target's deviation",
        ),
    )
    return opened, unit


def _with_target(own: OwnColumns, target: str) -> OwnColumns:
    """The columns of the target's owner with the target as the last of them."""
    name = own.target_owner
    names = {**own.names, name: (*own.names[name], f"{target} (the target)")}
    if is_ghost(own.y_train):
        return replace(own, names=names, x_train=ghost((own.x_train.shape[0], own.x_train.shape[1] + 1)))
    return replace(own, names=names, x_train=np.column_stack((own.x_train, own.y_train)))


def _parted(scaling: Moments) -> tuple[Moments, Moments]:
    """Those of the features, and of the target."""
    return Moments(scaling.mean[:-1], scaling.deviation[:-1]), Moments(scaling.mean[-1:], scaling.deviation[-1:])


def _input(p: Party, own: OwnColumns, features: Moments, target: Moments | None, rows: int) -> Share:
    """All owners' standardised columns side by side, the target last (m, d + 1): as fine as their sums allow."""
    scale = min(_ROW_SCALE, (61 - math.ceil(math.log2(rows))) // 2)
    x = p.compute(lambda: encode(features.apply(own.x_train), scale), shape=own.x_train.shape)
    y = None if target is None or p.dry else encode(target.apply(own.y_train[:, np.newaxis]), scale)
    parts = [
        p.input(owner, x if owner == p.name else None, (rows, len(names)), scale).value
        for owner, names in own.names.items()
    ]
    labels = p.input(own.target_owner, y, (rows, 1), scale)
    return Share(np.concatenate([*parts, labels.value], axis=1), scale)


def _of_target(p: Party, own: OwnColumns, number: Array | None) -> Share:
    """A number (1,) of the target's owner, at FACTOR_SCALE in the ring for units."""
    words = None if number is None or p.dry else encode(number, FACTOR_SCALE, UNITS_RING)
    return p.input(own.target_owner, words, (1,), FACTOR_SCALE, UNITS_RING)


def _blank(p: Party, settings: LinearSettings) -> OwnColumns:
    """For a dry run all columns are the first owner's: whose they are changes nothing in what is sent."""
    (rows,), d = settings.train_rows, settings.features
    names = {p.name: tuple(f"x{k}" for k in range(d))}
    return OwnColumns(
        names, p.name, ghost((rows, d)), ghost((rows,)), ghost((0, d)), ghost((0,)), ghost((DIGEST_BITS,))
    )
