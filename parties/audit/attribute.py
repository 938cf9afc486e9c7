"""Attribute inference: a column of a patient whose other columns, and outcome, the attacker knows.

The attacker tries every value v of the column, and believes in it as p(v) p(y | x with v) says, by the released model
(Fredrikson et al. 2014, "Privacy in pharmacogenetics"; Yeom et al. 2018, "Privacy risk in machine learning", section
4). A model that says something about all patients lets it guess anybody's column, be they in the data or not: that is
no leak of a patient's row. So the same attacker guesses from a model that was made without the patient, and only what
it gains beyond that counts: the advantage is how likely it takes the truth to be, less how likely it would without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mpc.ring.array import Array
from parties.audit.attack import ALL_ROWS, Attack, Audited, Figure, Finding
from parties.tasks.audited.audit import Losses, Population

_FEW: Final = 5
"""A column of so many different values or fewer is guessed by its values; another one by the third they are in."""
_POINTS: Final = 15
_THIRDS: Final = 3
_MOST_PATIENTS: Final = 100
_MOST_COLUMNS: Final = 40
_SOME: Final = 0.5


@dataclass(frozen=True)
class GuessedColumn:
    """A column that is guessed.

    Args:
        column: its number.
        points: values that are tried (P,), each as likely as `prior` (P,) says.
        classes: which of the values that are told apart each point is (P,).
        truth: which one each patient has (n,).
    """

    column: int
    points: Array
    prior: Array
    classes: NDArray[np.int64]
    truth: NDArray[np.int64]


def guessed_column(x: Array, patients: Array, column: int) -> GuessedColumn | None:
    """What of a column is guessed; None where all have the same.

    Args:
        x: rows (m, d) that show what values there are.
        patients: those whose column is guessed (n, d), of the same rows.
    """
    values, own = x[:, column], patients[:, column]
    different, counts = np.unique(values, return_counts=True)
    if len(different) < 2:
        return None
    if len(different) <= _FEW:
        places = np.searchsorted(different, own)
        return GuessedColumn(column, different, counts / len(values), np.arange(len(different)), places)
    points = np.quantile(values, (np.arange(_POINTS) + 0.5) / _POINTS)
    cuts = np.quantile(values, (1 / _THIRDS, 2 / _THIRDS))
    return GuessedColumn(
        column,
        points,
        np.full(_POINTS, 1 / _POINTS),
        np.searchsorted(cuts, points, side="right"),
        np.searchsorted(cuts, own, side="right"),
    )


def beliefs(losses: Losses, x: Array, y: Array, guessed: GuessedColumn) -> Array:
    """How likely the attacker takes each value of each patient's column to be (n, values that are told apart).

    Args:
        losses: by the model that was disclosed.
        x, y: the patients (n, d), (n,); what they have in the column is not looked at.
    """
    likely = np.empty((len(x), len(guessed.points)))
    tried = x.copy()
    for k, value in enumerate(guessed.points):
        tried[:, guessed.column] = value
        likely[:, k] = -losses(tried, y)
    likely = np.exp(likely - likely.max(axis=1, keepdims=True)) * guessed.prior
    of_class = np.stack([likely[:, guessed.classes == c].sum(axis=1) for c in range(guessed.classes.max() + 1)], axis=1)
    found: Array = of_class / of_class.sum(axis=1, keepdims=True)
    return found


def advantage(gains: Array, error: float = 0.05) -> tuple[float, float, float]:
    """The mean of what patients (n,) gain, and its interval, which misses with this chance (Student's t)."""
    from scipy.stats import t

    n = len(gains)
    mean = float(gains.mean())
    reach = float(t.ppf(1 - error / 2, n - 1) * gains.std(ddof=1) / sqrt(n)) if n > 1 else 1.0
    return mean, mean - reach, mean + reach


@dataclass(frozen=True)
class Guesses:
    """An attacker's guesses of some columns.

    Args:
        right: whether the likeliest value is the true one (columns, patients).
        truth: how likely the true one is taken to be (columns, patients).
    """

    right: Array
    truth: Array


def guesses_of(columns: Sequence[GuessedColumn], of: Sequence[Array]) -> Guesses:
    """The guesses, from what is believed of each column (patients, values)."""
    right = [np.argmax(one, axis=1) == column.truth for one, column in zip(of, columns, strict=True)]
    truth = [one[np.arange(len(one)), column.truth] for one, column in zip(of, columns, strict=True)]
    return Guesses(np.array(right, dtype=np.float64), np.array(truth))


def _applies(audited: Audited) -> str:
    if audited.owner is not None:
        return ALL_ROWS
    if audited.audit.counted is not None:
        return ""
    if audited.population is None or audited.population.losses is None:
        return "no model is disclosed that gives a patient's outcome from its columns alone"
    return ""


def _run(audited: Audited) -> tuple[Finding, ...]:
    if audited.audit.counted is not None:
        from parties.audit.counts.linkage import linkage

        return linkage(audited)
    population = audited.population
    assert population is not None
    return (_of_model(audited, population),)


def _of_model(audited: Audited, population: Population) -> Finding:
    x, y, losses = population.x, population.y, population.losses
    assert x is not None
    assert y is not None
    assert losses is not None
    rng = audited.rng("attribute")
    released, members = population.seen, population.members
    if released is None:
        members = population.draw(rng)
        released = population.release(members, rng)
    elif members is None:
        members = np.ones(population.size, dtype=bool)
    again = population.release(members, rng)
    noisy = not np.array_equal(again, population.release(members, rng))
    patients = rng.permutation(np.flatnonzero(members))[:_MOST_PATIENTS]
    columns = [one for k in range(x.shape[1]) if (one := guessed_column(x[members], x[patients], k)) is not None]
    columns = columns[:_MOST_COLUMNS]
    shapes = [(len(patients), one.classes.max() + 1) for one in columns]
    seen, without = ([np.zeros(shape) for shape in shapes] for _ in range(2))
    for k, patient in enumerate(patients):
        audited.say("attribute: models without one patient", k, len(patients))
        others = members.copy()
        others[patient] = False
        if noisy:  # or all patients would have one noise in common, and it would look like theirs
            released = population.release(members, rng)
        for into, model in ((seen, released), (without, population.release(others, rng))):
            of = losses(model, others)
            for j, one in enumerate(columns):
                into[j][k] = beliefs(of, x[patient : patient + 1], y[patient : patient + 1], one)[0]
    names = [population.names[one.column] for one in columns]
    what = f"{population.what}{', of runs with noise of their own' * noisy}"
    return _found(population, what, names, guesses_of(columns, seen), guesses_of(columns, without))


def _found(population: Population, what: str, names: Sequence[str], seen: Guesses, without: Guesses) -> Finding:
    gains = seen.truth - without.truth
    mean, low, high = advantage(gains.mean(axis=0))
    each = [advantage(one, 0.05 / len(names)) for one in gains]
    most = max(range(len(names)), key=lambda j: each[j][1])
    right, right_without = float(seen.right.mean()), float(without.right.mean())
    truth, truth_without = float(seen.truth.mean()), float(without.truth.mean())
    return Finding(
        attack="attribute",
        what=f"{what}: each of {len(names)} columns of {gains.shape[1]} patients, from all others",
        against=population.seen_by,
        figures=(
            Figure("right guesses; guessing: without the patient", right, guess=right_without, share=True),
            Figure("how likely the truth is taken to be; likewise", truth, guess=truth_without, share=True),
            Figure("advantage: what that is more than without", mean, low, high, 0.0, share=True),
            Figure(f"advantage, largest: {names[most]}", *each[most], 0.0, share=True),
        ),
        sentence=_meaning(low, each[most][1], right - right_without, names[most]),
    )


def _meaning(low: float, largest: float, right: float, name: str) -> str:
    """In words.

    Args:
        low, largest: the least advantage that is plausible, of all columns and of the one that is named.
        right: how many guesses more are right.
    """
    if low <= 0 and largest <= 0:
        return (
            "No better than from a model that was made without the patient: what the model says about a column, it "
            "says about anybody's."
        )
    more = (
        f"{100 * right:.2g} of 100 guesses more are right"
        if 100 * right >= _SOME
        else "but hardly any guess more is right"
    )
    most = f", and most is learnt about {name!r}" if largest > 0 else ""
    return (
        "An attacker who knows a patient's outcome and all columns but one learns more about that one than from a "
        f"model that was made without the patient: {more}{most}."
    )


ATTRIBUTE: Final = Attack(
    name="attribute",
    about=(
        "a column of a patient whose other columns are known, beyond what a release without the patient tells of it "
        "(Fredrikson et al. 2014; Yeom et al. 2018)"
    ),
    applies=_applies,
    run=_run,
)
