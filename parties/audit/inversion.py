"""Gradient inversion: rows of clients from what the server of a federated training sees in a round.

The gradient of a row x by the weights into a unit of the first layer is x times the gradient by that unit's intercept.
So of a sum over rows, weights' part / intercept's part is a mean of the rows, each as heavy as its residual: of one row
it is the row itself, however many steps were taken (Geiping et al. 2020, "Inverting gradients", prop. 3.1). Of a few
rows, all are looked for together: those whose training gives the updates that were seen, in one round or several, by
least squares (Zhu et al. 2019, "Deep leakage from gradients"; there by gradient descent). Local training is public,
seed and all, so that it is repeated step by step.

Success is measured against chance: how near the best candidate is to a row of the sum, and how near to as many rows
that were not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from math import sqrt
from typing import Final

import numpy as np
from numpy.random import Generator

from mpc.ring.array import Array
from parties.audit.attack import ALL_ROWS, Attack, Audited, Figure, Finding
from parties.audit.rates import wilson_interval
from parties.tasks.audited.updates import Updates
from protocols.federated.models import Network, Rows

_LEAST: Final = 1e-3
"""A unit whose intercept changed by less than this part of the most is left out: rounding is all that its ratio has."""
_MOST_UNKNOWN: Final = 64
_STARTS: Final = 3
_FITS: Final = 1e-6
"""The part of an update's square that is left where rows are taken to be found."""
_TRIALS: Final = 200
_SEARCHES: Final = 10
"""Attempts where clients have few rows, which are looked for by least squares: that takes long."""
_FEW_ROWS: Final = 2
RECOVERED: Final = 0.1
"""A row is recovered if each feature is off by less than a tenth of its standard deviation, on average (root mean
square)."""

Retrain = Callable[[Rows], Array]
"""The update (size,) that rows give in the rounds that are attacked."""


def unit_means(model: Network, update: Array) -> Array:
    """Candidates (k, p): of each unit of the first layer, the mean of the rows that moved it, weighted as they did.

    Args:
        update: the change of all weights (size,), of however many clients.
    """
    by_weights, by_intercepts = model.layers(update)[0]
    sizes = np.abs(by_intercepts)
    moved = sizes > _LEAST * sizes.max(initial=0.0)
    found: Array = (by_weights[:, moved] / by_intercepts[moved]).T
    return found


def rows_that_give(
    update: Array, retrain: Retrain, rows: int, means: Array, labels: Sequence[float], rng: Generator
) -> Array:
    """Candidates (rows, p): the rows whose training comes nearest to an update; `means` where there are too many.

    Args:
        update: seen of a round (size,), or of several, one after the other: each has another model, and says more.
        rows: how many are in it.
        means: what is known without (k, p).
        labels: those that a row may have; of classifications.
    """
    p = means.shape[1]
    if rows < 2 or rows * p > min(_MOST_UNKNOWN, update.size):
        return means
    from scipy.optimize import least_squares

    best, found = np.inf, means
    enough = _FITS * float(update @ update)
    orders = [one for one in product(labels, repeat=rows) if list(one) == sorted(one)]  # rows have no order
    for given in orders * _STARTS:
        y = np.array(given)
        start = rng.standard_normal((rows, p))
        if len(means):
            start += means[rng.integers(len(means), size=rows)]
        fit = least_squares(
            lambda flat, y=y: retrain(Rows(flat.reshape(rows, p), y)) - update, start.reshape(-1), max_nfev=60
        )
        if fit.cost < best:
            best, found = fit.cost, fit.x.reshape(rows, p)
        if best < enough:
            break
    return np.concatenate((means, found))


@dataclass(frozen=True)
class Match:
    """How near an attack came.

    Args:
        inside: from the best candidate to the nearest row of the sum, root mean square over the features, in their
            standard deviations.
        outside: likewise to the nearest of as many rows that are not in it.
    """

    inside: float
    outside: float

    @property
    def won(self) -> float:
        """1 if a row of the sum is nearer, 0 if another one is, 1/2 for neither."""
        return (float(self.inside < self.outside) + float(self.inside <= self.outside)) / 2


def match(candidates: Array, inside: Array, outside: Array, rng: Generator) -> Match:
    """How near candidates (k, p) are to rows (n, p) of a sum, and to other rows (m, p): to equally many of each."""
    n = min(len(inside), len(outside))
    some, others = (rows[rng.permutation(len(rows))[:n]] for rows in (inside, outside))
    return Match(_nearest(candidates, some), _nearest(candidates, others))


def _nearest(candidates: Array, rows: Array) -> float:
    if not candidates.size or not rows.size:
        return float("inf")
    with np.errstate(over="ignore", invalid="ignore"):
        squares = ((candidates[:, None] - rows[None]) ** 2).mean(axis=2)
    return sqrt(float(np.nan_to_num(squares, nan=np.inf).min()))


@dataclass(frozen=True)
class Attempts:
    """Attempts at sums of so many clients.

    Args:
        rows: in a sum, at the median.
        searched: whether rows were looked for by least squares, too.
    """

    clients: int
    rows: int
    matches: tuple[Match, ...]
    searched: bool


def attempts_at(updates: Updates, clients: int, rng: Generator, trials: int = _TRIALS) -> Attempts:
    """Attack sums over clients that are drawn at random: as many as there may be."""
    found: list[Match] = []
    sizes, searched = [], clients == 1 and bool(updates.labels) and 1 < _usual(updates) <= _FEW_ROWS
    deviations = np.concatenate([one.x for one in updates.rows.values()]).std(axis=0)
    unit = np.where(deviations > 0, deviations, 1.0)
    for k in range(min(trials, _SEARCHES) if searched else trials):
        of = updates.rounds[k % len(updates.rounds)]
        members = rng.permutation(sorted(of.updates))
        inside, outside = members[:clients], members[clients:]
        own = np.concatenate([updates.rows[m].x for m in inside])
        if len(outside):
            others = np.concatenate([updates.rows[m].x for m in outside])
        else:
            others = np.concatenate([one.x for one in updates.held.values()])
        if not len(own) or not len(others):
            continue
        seen = updates.opened([of.updates[m] for m in inside], [of.shares[m] for m in inside], rng)
        candidates = unit_means(updates.model, seen)
        if searched and len(own) <= _FEW_ROWS:
            candidates = _of_all_rounds(updates, int(inside[0]), candidates, rng)
        sizes.append(len(own))
        found.append(match(candidates / unit, own / unit, others / unit, rng))
    return Attempts(clients, int(np.median(sizes)) if sizes else 0, tuple(found), searched)


def _usual(updates: Updates) -> float:
    return float(np.median([len(one.y) for one in updates.rows.values()]))


def _of_all_rounds(updates: Updates, client: int, means: Array, rng: Generator) -> Array:
    """Candidates from what one client sent in all rounds."""
    rounds = [one for one in updates.rounds if client in one.updates]
    seen = [updates.opened([one.updates[client]], [one.shares[client]], rng) for one in rounds]

    def retrain(rows: Rows) -> Array:
        return np.concatenate([updates.retrain(one.t, client, rows) for one in rounds])

    return rows_that_give(np.concatenate(seen), retrain, len(updates.rows[client].y), means, updates.labels, rng)


def _applies(audited: Audited) -> str:
    if audited.owner is not None:
        return ALL_ROWS
    if audited.audit.updates is None:
        return "no clients send updates of a model"
    return (
        "" if audited.updates is not None else "clients send sums of Newton's method, or updates of their own learners"
    )


def _run(audited: Audited) -> tuple[Finding, ...]:
    updates = audited.updates
    assert updates is not None
    audited.say("inversion: rows from the updates of the first rounds")
    rng = audited.rng("inversion")
    rounds = f"rounds {updates.rounds[0].t} to {updates.rounds[-1].t}"
    own = "" if updates.plain else ', if aggregation = "plain" showed it'
    found = [
        _found(attempts_at(updates, 1, rng), f"a client's own update in {rounds}", f"the server{own}"),
    ]
    if not updates.plain:
        noise = ", with the noise of [privacy]" if updates.noisy else ""
        what = f"the sum over {updates.fewest} clients, the fewest honest ones, in {rounds}{noise}"
        against = "the server with the clients that work together; everybody has the sum over all"
        found.append(_found(attempts_at(updates, updates.fewest, rng), what, against))
    return tuple(found)


def _found(attempts: Attempts, what: str, against: str) -> Finding:
    matches = attempts.matches
    won = wilson_interval(sum(one.won for one in matches), len(matches))
    rebuilt = wilson_interval(sum(one.inside < RECOVERED for one in matches), len(matches))
    by_chance = sum(one.outside < RECOVERED for one in matches) / max(1, len(matches))
    inside = float(np.median([one.inside for one in matches] or [0.0]))
    outside = float(np.median([one.outside for one in matches] or [0.0]))
    figures = [
        Figure("attacks that come nearer to a row of the sum than to others", *won, 0.5, share=True),
        Figure("attacks that rebuild a row", *rebuilt, by_chance, share=True),
        Figure("distance of the nearest row, in standard deviations", inside, guess=outside),
    ]
    return Finding(
        attack="inversion",
        what=f"{what}: {len(matches)} attacks on {count_of_rows(attempts)}",
        against=against,
        figures=tuple(one for one in figures if np.isfinite(one.value)),
        sentence=_meaning(won, rebuilt, by_chance),
    )


def count_of_rows(attempts: Attempts) -> str:
    """How many rows a sum is of, in words."""
    more = ", by least squares over these rounds together" if attempts.searched else ""
    return f"sums of {attempts.rows} rows at the median{more}"


def _meaning(won: tuple[float, float, float], rebuilt: tuple[float, float, float], by_chance: float) -> str:
    if rebuilt[1] > by_chance:
        return (
            f"{100 * rebuilt[0]:.2g} of 100 attacks rebuild a patient's row, each feature to a tenth of its standard "
            "deviation: what is added up there protects nobody."
        )
    if won[1] > 0.5:
        return (
            "No row is rebuilt. But what was found is nearer to rows of the sum than to others, more often than by "
            "chance: it is a mean of few rows, or one that is led by unusual ones."
        )
    return "No better than chance: what is found is as near to rows that are not in the sum."


INVERSION: Final = Attack(
    name="inversion",
    about=(
        "clients' rows from the updates that a server sees in a round (Zhu et al. 2019; Geiping et al. 2020), against "
        "the chance of coming as near to other rows"
    ),
    applies=_applies,
    run=_run,
)
