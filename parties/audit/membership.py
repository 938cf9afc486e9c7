"""Membership inference: was a patient's row among those that a release was computed from? Carlini et al. 2022.

The attacker is a strong one: it has the candidates' rows and data like the owners', and computes what a run would
disclose of other draws of them (`likelihood_ratio.py`). True positives are told at few false ones, as the paper asks:
an attack that is sure of a few patients harms them, however poor it is on average (its section 2).

- Of a **study**: every training is the target once, and a shadow of all others. So targets are not independent, and
  drawing them anew alone would give intervals that are too narrow. Random halves of the trainings, each attacked by
  itself, vary as much as two sets of trainings do, or more (the delete-half jackknife: Shao, Tu 1995, section 2.3).
- Of a **run**: what it disclosed is the target; the rows that it held out are the non-members. The thresholds are
  those of the study's trainings, for so few non-members do not show a rate of 0.1 %.
- Of a **run by one owner's rows**: there is nothing to train shadows on, and scores are compared as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from mpc.ring.array import Array
from parties.audit.attack import Attack, Audited, Figure, Finding
from parties.audit.likelihood_ratio import Masks, laws, leave_one_out_laws
from parties.audit.rates import auc, auc_interval, clopper_pearson, threshold
from parties.tasks.audited.audit import Alone, Population, Random
from parties.tasks.audited.counts import Places

RATES: Final = (0.01, 0.001)
"""Of false positives at which true ones are told."""
_HALVES: Final = 50
_Z: Final = 1.96
_MOST_SCORE: Final = 1e6
_SOME: Final = 2  # of a rate: what lies below twice the guess is told as little more


@dataclass(frozen=True)
class Shadows:
    """Trainings on draws of the candidates: their members and everybody's scores (trainings, candidates)."""

    members: Masks
    scores: Array


def shadows_of(audited: Audited, population: Population) -> Shadows:
    """As many trainings as the audit's effort has."""
    rng = audited.rng("members of shadow trainings")
    members, scores = [], []
    for k in range(audited.effort.shadows):
        audited.say("membership: runs on other draws of the rows", k, audited.effort.shadows)
        mask = population.draw(rng)
        members.append(mask)
        with np.errstate(all="ignore"):  # a training on such a draw may diverge
            found = population.score(population.release(mask, rng))
        scores.append(np.clip(np.nan_to_num(found), -_MOST_SCORE, _MOST_SCORE))
    return Shadows(np.array(members), np.array(scores))


def _applies(audited: Audited) -> str:
    if audited.owner is not None and audited.alone is None:
        return "with one owner's rows alone, it takes a run that disclosed a model and held out rows of this owner"
    if audited.owner is None and audited.population is None:
        return "nothing is disclosed that depends on single rows and is modelled here"
    return ""


def _run(audited: Audited) -> tuple[Finding, ...]:
    if audited.alone is not None:
        return (_of_owner(audited.alone, str(audited.owner)),)
    population = audited.population
    assert population is not None
    shadows = shadows_of(audited, population)
    study = _of_study(audited, population, shadows)
    if population.members is None or population.seen is None:
        return (study,)
    online = leave_one_out_laws(shadows.scores, shadows.members).online(shadows.scores)
    ratios = laws(shadows.scores, shadows.members).online(population.score(population.seen))
    cuts = tuple(threshold(online[~shadows.members], rate) for rate in RATES)
    return _of_run(population, population.members, ratios, cuts), study


def _of_study(audited: Audited, population: Population, shadows: Shadows) -> Finding:
    count = len(shadows.scores)
    value, reach = gains_of(shadows, np.arange(count)), reach_of(shadows, audited.rng("halves"))
    low, high = np.maximum(value - reach, 0.0), np.minimum(value + reach, 1.0)
    figures = _figures(value[0], low[0], high[0])
    area, least, most = (float(one[1, 0]) for one in (value, low, high))
    figures = (*figures, Figure("AUC without runs that have the candidate", area, least, most, 0.5))
    return Finding(
        attack="membership",
        what=f"{population.what}, of {count} runs on other draws of the rows",
        against=population.seen_by,
        figures=figures,
        sentence=_meaning(population, figures),
    )


def gains_of(shadows: Shadows, chosen: Places) -> Array:
    """What attacks on these trainings alone gain (2, 3), with and without trainings that have the candidate: AUC, and
    true positives at each rate of false ones."""
    scores, members = shadows.scores[chosen], shadows.members[chosen]
    others = leave_one_out_laws(scores, members)
    return np.array([gains(members, ratios) for ratios in (others.online(scores), others.offline(scores))])


def reach_of(shadows: Shadows, rng: Random) -> Array:
    """How far `gains_of` all of them may be off, in 95 of 100 audits (2, 3): by random halves."""
    count = len(shadows.scores)
    halves = [gains_of(shadows, rng.permutation(count)[: count // 2]) for _ in range(_HALVES)]
    return np.asarray(_Z * np.std(halves, axis=0, ddof=1))


def gains(members: Masks, ratios: Array) -> Array:
    """AUC, and true positives at each rate of false ones, of ratios of any shape."""
    inside = members.reshape(-1)[np.argsort(-ratios, axis=None, kind="stable")]
    ours, others = np.cumsum(inside), np.cumsum(~inside)
    area = float(ours @ ~inside) / (float(ours[-1]) * float(others[-1]))
    places = [np.searchsorted(others, rate * others[-1], side="right") - 1 for rate in RATES]
    return np.array([area, *(ours[place] / ours[-1] if place >= 0 else 0.0 for place in places)])


def _of_run(population: Population, members: Masks, ratios: Array, cuts: tuple[float, ...]) -> Finding:
    ours, others = ratios[members], ratios[~members]
    low, high = auc_interval(ours, others)
    counts = [int(np.count_nonzero(ours > cut)) for cut in cuts]
    ends = [clopper_pearson(count, ours.size) for count in counts]
    value = np.array([auc(ours, others), *(count / ours.size for count in counts)])
    figures = _figures(value, np.array([low, *(a for a, _ in ends)]), np.array([high, *(b for _, b in ends)]))
    return Finding(
        attack="membership",
        what=f"{population.what} of this run: {ours.size} {population.unit}s in it, {others.size} held out",
        against=population.seen_by,
        figures=figures,
        sentence=_meaning(population, figures),
    )


def _of_owner(alone: Alone, owner: str) -> Finding:
    """The gap between an owner's own rows that were trained on and those that were held out: Yeom et al. 2018."""
    ours, others = alone.scores[alone.members], alone.scores[~alone.members]
    low, high = auc_interval(ours, others)
    area = Figure("AUC", auc(ours, others), low, high, 0.5)
    told = "The model fits the rows that it was trained on "
    better = "better than those that were held out: that tells something of who is in it."
    same = "no better than those that were held out, as far as so few rows can tell."
    return Finding(
        attack="membership",
        what=f"{alone.what}, by the rows of {owner} alone: {ours.size} in the run, {others.size} held out",
        against=f"who has a patient's row, and nothing like {owner}'s data to compare with",
        figures=(area,),
        sentence=f"{told}{better if low > 0.5 else same} With all owners' data an attack gains more.",
    )


def _figures(value: Array, low: Array, high: Array) -> tuple[Figure, ...]:
    names = ("AUC", *(f"true positives at {100 * rate:g} % false ones" for rate in RATES))
    return tuple(
        Figure(name, float(a), float(b), float(c), guess, share=k > 0)
        for k, (name, a, b, c, guess) in enumerate(zip(names, value, low, high, (0.5, *RATES), strict=True))
    )


def _meaning(population: Population, figures: tuple[Figure, ...]) -> str:
    """What the figures mean for a patient."""
    unit, often = population.unit, figures[1]
    low = [one.low or 0.0 for one in figures]
    if all(end <= (one.guess or 0.0) for end, one in zip(low, figures, strict=True)):
        return f"No better than guessing, as far as this can tell: it does not show whether a {unit} took part."
    known = "row" if unit == "patient" else "data"
    sure = (
        f"An attacker who knows a {unit}'s {known} and has data like the owners' recognises {100 * often.value:.2g} of "
        f"100 {unit}s of the study, if 1 of 100 others may be taken for one of them"
    )
    if low[1] > _SOME * RATES[0] or low[2] > _SOME * RATES[1]:
        return f"{sure}: that some {unit}s took part can be told."
    return f"{sure}: little more than by guessing, for any one {unit}."


MEMBERSHIP: Final = Attack(
    name="membership",
    about=(
        "whether a patient's row was among those that the release was computed from, by the likelihood ratio of "
        "trainings with it and without it (Carlini et al. 2022)"
    ),
    applies=_applies,
    run=_run,
)
