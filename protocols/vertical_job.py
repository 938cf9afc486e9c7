"""The job where every owner has other columns of the same patients: one logistic regression on all of them.

Nothing is told to make the rows fit each other but whether the owners' lists of ids are equal, and nothing to make
the columns comparable: each owner standardises its own. The model leaves the sharing in the columns' own units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mpc.array import Array
from mpc.errors import DataError
from mpc.fixed import encode
from mpc.ghost import ghost
from mpc.party import Party
from mpc.share import Public, Share
from protocols.alignment import DIGEST_BITS, check_aligned
from protocols.bit_budget import X_SCALE
from protocols.column_fit import check_fit
from protocols.design_cells import check_split_design
from protocols.own_units import FACTOR_SCALE, LARGEST_FACTOR, UNITS_RING, in_own_units
from protocols.shared_model import SharedModel, Units, check_rows, check_wide_rows, evaluate_kept, keep
from protocols.shared_scores import SCORE_BITS, SCORE_SCALE, SharedScores, evaluate_shared
from protocols.solve import Solved, solve
from protocols.standardise import Moments
from protocols.training_form import descent_for
from protocols.training_settings import Beside, OwnColumns, Trained, TrainingSettings, joint_names

_CONSTANT = 2.0**-40  # a spread below this part of the mean is the rounding of its sum


async def vertical_job(p: Party, own: OwnColumns | None, settings: TrainingSettings) -> Trained | None:
    """Check that the rows are the same, standardise, train, check the range, reveal the model and its metrics.

    A dry party has no rows. Reveals whether all owners' ids are the same, whether a cell of the model is small (which
    ends the run), whether the range held, whether a full-batch solver converged, the model in the columns' own units
    (the weights would be the same numbers had the owners put their columns into one table), and where asked for the
    metrics' sums, as with rows that are split. Means and deviations stay with the columns' owner, and so does what its
    columns add to a row's score. All else that is opened is under uniform masks. Of a model that is kept instead,
    nothing is opened but the metrics' sums: see shared_model.py.

    Raises:
        DataError: the owners' ids differ; a column of this owner is constant, too large or too small for fixed point;
            with the metrics, a row's values are so far off that its score does not fit (the model is open by then).
        ProtocolError: a score or a weight left its range; then nothing about the model was opened.
    """
    own = own or blank_columns(p, settings)
    how = descent_for(settings)
    p.stage("alignment")
    await check_aligned(p, own.ids, misaligned())
    await check_split_design(p, own, settings)
    own = replace(own, made=None)

    p.stage("standardisation")
    scaling = own_scaling(p, own, standardise=bool(settings.standardise))
    train = scaling.apply(own.x_train)
    p.insist(
        lambda: check_fit(train, own.names[p.name], p.name, standardised=bool(settings.standardise)),
        lambda: DataError("a feature does not fit"),
    )

    p.stage("sharing")
    words = p.compute(encode, train, X_SCALE, shape=train.shape)
    if not settings.reveal_model:
        p.insist(
            lambda: check_wide_rows(p.name, train, own.names[p.name], len(p.owners)),
            lambda: DataError("a row does not fit"),
        )
        x, y = _input_columns(p, words, own.y_train, own, settings.train_rows[0])
        return await _kept(p, own, await solve(p, x, y, train, how, settings), scaling, (x, y), settings)
    solved = await solve(p, *_input_columns(p, words, own.y_train, own, settings.train_rows[0]), train, how, settings)

    p.stage("model")
    opened = await _reveal_model(p, solved.weights, scaling, own, settings)
    metrics = None
    if settings.metrics:
        p.stage("evaluation")
        metrics = await evaluate_shared(p, input_scores(p, opened, own, settings))
    p.stage("done")
    return None if p.dry else _trained(own, opened.real(), settings, metrics, solved.converged)


def misaligned() -> DataError:
    """Of owners whose ids are not the same."""
    return DataError(
        "the owners' lists of ids differ, though they are equally long",
        "every owner needs the same patients, each once, with ids written the same way (letter case aside); nothing "
        "more was told of the lists, so compare them by a way that you agreed on",
    )


def own_scaling(p: Party, own: OwnColumns, *, standardise: bool = True) -> Moments:
    """This owner's own means and deviations over the training rows; nobody else gets them."""
    width = own.x_train.shape[1:]
    if not standardise:
        return Moments(p.compute(np.zeros, width, shape=width), p.compute(np.ones, width, shape=width))
    return own_moments(p, own.x_train, own.names[p.name])


def own_moments(p: Party, x: Array, names: tuple[str, ...], counts: Array | None = None) -> Moments:
    """Means and deviations of columns x (m, d) that this owner has, each row as much as it counts."""
    width = x.shape[1:]

    def averaged(values: Array) -> Array:
        means: Array = values.mean(axis=0) if counts is None else counts @ values / counts.sum()
        return means

    mean = p.compute(lambda: averaged(x), shape=width)
    spread = p.compute(lambda: np.sqrt(averaged((x - mean) ** 2)), shape=width)
    p.insist(lambda: _check_spread(p.name, names, mean, spread), lambda: DataError("a constant column"))
    return Moments(mean, spread)


def _check_spread(owner: str, names: tuple[str, ...], mean: Array, spread: Array) -> bool:
    constant = [n for n, m, s in zip(names, mean, spread, strict=True) if not s > abs(m) * _CONSTANT]
    if constant:
        raise DataError(
            f"{owner}: column {', '.join(constant)} has the same value in all training rows",
            "leave it out of `features`: a constant column tells the model nothing",
            party=owner,
        )
    narrow = [n for n, m, s in zip(names, mean, spread, strict=True) if max(1.0, abs(m)) >= s * LARGEST_FACTOR]
    if narrow:
        raise DataError(
            f"{owner}: column {', '.join(narrow)} has values too close to each other",
            "give it in smaller units",
            party=owner,
        )
    return True


async def _kept(
    p: Party, own: OwnColumns, solved: Solved, scaling: Moments, train: tuple[Share, Share], settings: TrainingSettings
) -> Trained | None:
    """The rest of the job where nobody sees the model: as with rows that are split (training_job.py)."""
    p.stage("model")
    kept, units = await keep(p, solved.weights), Units.known(scaling.mean, scaling.deviation)
    metrics = None
    if settings.metrics:
        p.stage("evaluation")
        sets = {"train": train}
        (held_out,) = settings.test_rows
        if held_out:
            p.insist(
                lambda: check_rows(p.name, own.x_test, units, own.names[p.name], "the held-out rows", len(p.owners)),
                lambda: DataError("a row does not fit"),
            )
            x_test = p.compute(lambda: encode(units.apply(own.x_test), X_SCALE), shape=own.x_test.shape)
            sets["test"] = _input_columns(p, x_test, own.y_test, own, held_out)
        metrics = await evaluate_kept(p, kept, sets)
    p.stage("done")
    if p.dry:
        return None
    shared = SharedModel(kept, units)
    return Trained(joint_names(own.names), (), 0.0, (), metrics, kept=shared, converged=solved.converged)


def _input_columns(p: Party, words: Array, labels: Array, own: OwnColumns, rows: int) -> tuple[Share, Share]:
    """All owners' columns of one set of rows side by side, and the labels, from this owner's own."""
    x = side_by_side(p, words, own.names, rows)
    if p.dry:
        return x, Share(ghost((rows,)))
    y = labels.astype(np.uint64) if own.target_owner == p.name else None
    return x, p.input(own.target_owner, y, (rows,), 0)


def side_by_side(p: Party, words: Array, names: Mapping[str, tuple[str, ...]], rows: int) -> Share:
    """All owners' columns of rows x (rows, d) at X_SCALE, in the order of `names`, from this owner's own as words."""
    if p.dry:
        return Share(words, X_SCALE)
    parts = [
        p.input(owner, words if owner == p.name else None, (rows, len(columns)), X_SCALE).value
        for owner, columns in names.items()
    ]
    return Share(np.concatenate(parts, axis=1), X_SCALE)


async def _reveal_model(p: Party, w: Share, scaling: Moments, own: OwnColumns, settings: TrainingSettings) -> Public:
    """The model in the columns' own units (d + 1,), the intercept last. 1 round, or 4 with standardised columns."""
    why = "the agreed result: the weights and the intercept"
    if settings.standardise:
        factors = own_numbers(p, 1 / scaling.deviation, own)
        shifts = own_numbers(p, scaling.mean / scaling.deviation, own)
        w = await in_own_units(p, w, factors, shifts)
        why += ", in the columns' own units; means and deviations stay with their owner"
    (opened,) = await p.reveal(w, what="model", why=why, label="model")
    return opened


def input_scores(p: Party, model: Public, own: OwnColumns, settings: TrainingSettings) -> dict[str, SharedScores]:
    """The sets' scores, each row's the sum of what the owners' columns make of it, and their labels."""
    weights = p.compute(model.real, shape=model.shape)
    train = p.compute(_part_of_scores, p.name, own, own.x_train, own.beside_train, weights, shape=own.x_train.shape[:1])
    sets = {"train": (train, own.y_train, settings.train_rows[0])}
    if settings.test_rows[0]:
        test = p.compute(_part_of_scores, p.name, own, own.x_test, own.beside_test, weights, shape=own.x_test.shape[:1])
        sets["test"] = (test, own.y_test, settings.test_rows[0])
    shared = {}
    for name, (part, labels, rows) in sets.items():
        p.insist(
            lambda part=part, rows=rows: check_reach(p.name, part, train, rows, len(p.owners)),  # type: ignore[misc]
            lambda: DataError("a score does not fit"),
        )
        z = Share(p.compute(encode, part, SCORE_SCALE, shape=(rows,)), SCORE_SCALE)
        # The parts' means add up to the scores' mean: so each owner takes its own off, and nobody learns a mean.
        centred = p.compute(lambda part=part: encode(part - part.mean(), SCORE_SCALE), shape=(rows,))
        y = labels.astype(np.uint64) if own.target_owner == p.name else None
        shared[name] = SharedScores(z, Share(centred, SCORE_SCALE), p.input(own.target_owner, y, (rows,), 0))
    return shared


def _part_of_scores(owner: str, own: OwnColumns, x: Array, beside: Beside, weights: Array) -> Array:
    """What one owner's columns add to each row's score, and its offsets; the first owner adds the intercept."""
    owners = list(own.names)
    start = sum(len(own.names[name]) for name in owners[: owners.index(owner)])
    part = beside.added(x @ weights[start : start + len(own.names[owner])])
    return part + weights[-1] if owner == owners[0] else part


def check_reach(owner: str, part: Array, train: Array, rows: int, owners: int) -> bool:
    """Whether a set's scores stay in the ring: how far an owner's parts may be from their mean in training.

    All owners' means add up to the mean score of the training, which its range check bounds.

    Raises:
        DataError: one is further off, naming the owner and how many rows.
    """
    largest = 2.0 ** (SCORE_BITS - 1) / (rows * owners)
    outlying = int(np.sum(~(np.abs(part - train.mean()) <= largest)))
    if outlying:
        raise DataError(
            f"{owner}: {outlying} of the rows that the model is tried on have values too far from the others'",
            "look for wrong values in this owner's columns (a wrong unit, a placeholder such as 1e30), or leave "
            '"metrics" out of `reveal`',
            party=owner,
        )
    return True


def own_numbers(p: Party, numbers: Array, own: OwnColumns) -> Share:
    """One number a column, from each owner for its own columns, at FACTOR_SCALE in the ring for units."""
    if p.dry:
        return Share(numbers, FACTOR_SCALE, UNITS_RING)
    words = encode(numbers, FACTOR_SCALE, UNITS_RING)
    parts = [
        p.input(owner, words if owner == p.name else None, (len(names),), FACTOR_SCALE, UNITS_RING).value
        for owner, names in own.names.items()
    ]
    return Share(np.concatenate(parts), FACTOR_SCALE, UNITS_RING)


def _trained(
    own: OwnColumns,
    w: Array,
    settings: TrainingSettings,
    metrics: dict[str, dict[str, Any]] | None,
    converged: bool | None,
) -> Trained:
    weights, intercept = tuple(map(float, w[:-1])), float(w[-1])
    standardised = () if settings.standardise else (*weights, intercept)
    return Trained(joint_names(own.names), weights, intercept, standardised, metrics, converged=converged)


def blank_columns(p: Party, settings: TrainingSettings) -> OwnColumns:
    """For a dry run all columns are the first owner's: whose they are changes nothing in what is sent."""
    (rows,), (held_out,), d = settings.train_rows, settings.test_rows, settings.features
    names = {p.name: tuple(f"x{k}" for k in range(d))}
    return OwnColumns(
        names, p.name, ghost((rows, d)), ghost((rows,)), ghost((held_out, d)), ghost((held_out,)), ghost((DIGEST_BITS,))
    )
