"""A model's figures on held-out rows, and the personal models' gains: from sums over the clients to a record's entries.

A count of 1 to `min_cell` - 1 clients is withheld from the record, together with enough of its neighbours that totals
do not give it back (protocols/disclosure/suppression.py). The server itself sees these sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from protocols.aggregation.parts.quantise import MOST_BITS
from protocols.disclosure.suppression import Halving
from protocols.federated.coding import Part
from protocols.federated.evaluate import Auc, Evaluation, evaluation_parts, figures, within
from protocols.federated.personal import Comparison, Kind, personal_figures, personal_parts
from protocols.rows.results import INTERCEPT

if TYPE_CHECKING:
    from mpc.ring.array import Array
    from parties.tasks.federated.settings import FederatedScenario, Round

_KINDS: Final[Mapping[str, Kind]] = {"fine_tune": "fine-tuned", "ditto": "ditto"}
_ACCURACY_EDGES: Final = (-0.2, -0.1, -0.05, -0.01, 0.01, 0.05, 0.1, 0.2)
_LOSS_EDGES: Final = (-1.0, -0.3, -0.1, -0.01, 0.01, 0.1, 0.3, 1.0)
_FEW_EDGES: Final = (-0.01, 0.01)
_MANY: Final = 200  # clients; of fewer, fine bins would be small, and be withheld


def evaluation_of(scenario: FederatedScenario, *, scores: bool) -> Evaluation:
    """What is evaluated; `scores`: with histograms of scores."""
    return Evaluation(scenario.classes, scenario.task.most_rows, bins=128 if scores and scenario.task.auc else 0)


def figure_parts(scenario: FederatedScenario, *, scores: bool, bits: int = MOST_BITS - 1) -> tuple[Part, ...]:
    """The parts of a client's vector that give a model's figures.

    Args:
        bits: of the modulus that losses may fill: they are as fine as that allows.
    """
    if not scenario.judges:
        return (Part("rows", 1, 0, scenario.task.most_rows),)
    return evaluation_parts(within(evaluation_of(scenario, scores=scores), scenario.count, bits))


def comparison_of(scenario: FederatedScenario) -> Comparison | None:
    """The models that each client compares, if personal ones are made."""
    task = scenario.task
    if not task.personal:
        return None
    kinds: tuple[Kind, ...] = ("alone", "global", *(_KINDS[one] for one in dict.fromkeys(task.personal)))
    classes = scenario.classes > 1
    edges = _ACCURACY_EDGES if classes else _LOSS_EDGES
    return Comparison(kinds, edges if scenario.count >= _MANY else _FEW_EDGES, classes, task.most_rows)


def gain_parts(scenario: FederatedScenario) -> tuple[Part, ...]:
    """The parts of a client's vector that compare personal models."""
    how = comparison_of(scenario)
    return personal_parts(how) if how is not None else ()


def round_figures(scenario: FederatedScenario, agreed: Round, sums: Mapping[str, Array], summed: int) -> dict[str, Any]:
    """What a record says of the figures in a round's sums over so many clients: of the model that the round began
    with."""
    if scenario.privacy is not None:
        from parties.tasks.federated.private import noisy_figures

        return noisy_figures(scenario, sums, summed)
    if agreed.phase == "scale":
        return {"rows": round(float(sums["rows"][0]))}
    if agreed.phase == "newton":
        return {"rows": round(float(sums["rows"][0])), "deviance": float(sums["deviance"][0])}
    found: dict[str, Any] = {}
    if agreed.phase == "train":
        found["weight"] = float(sums["weight"][0])
        if not scenario.judges:
            return found
    elif not scenario.judges:
        return {"rows": round(float(sums["rows"][0]))}
    one = figures(sums, evaluation_of(scenario, scores=agreed.phase == "evaluate"))
    found["rows"] = one.rows
    found["loss"], found["accuracy"] = one.loss, one.accuracy
    if one.root_mean_square is not None:
        found["root_mean_square"] = one.root_mean_square * scenario.target_unit
    if agreed.phase == "evaluate":
        found["auc"] = {str(c): _auc(auc) for c, auc in one.auc.items()}
        found.update(_gains(scenario, sums))
    return found


def own_units(scenario: FederatedScenario, w: Array, means: Array, deviations: Array) -> dict[str, float] | None:
    """A regression's coefficients per unit of each column, the intercept last; None of models that are none.

    Args:
        w: as it was trained, on features standardised by these (none, if they were not); Newton's, in its units.
    """
    task, w = scenario.task, w.copy()
    if task.model not in ("linear", "logistic", "poisson"):
        return None
    if scenario.newton:
        w = scenario.newton_units(means).change() @ w
    elif means.size:
        w[:-1] /= deviations
        w[-1] -= float(np.dot(w[:-1], means))
    if task.model == "linear":
        w *= scenario.target_unit
        w[-1] += float(scenario.target_units.centre[0])
    return dict(zip((*task.features, INTERCEPT), w.tolist(), strict=True))


def withheld(counts: Sequence[int], least: int) -> list[int | None]:
    """The counts, those of 1 to `least` - 1 left out with what else must be so that totals do not tell them."""
    halving = Halving(len(counts))
    hidden = [any(0 < sum(counts[start:end]) < least for start, end in around) for around in halving.questions.values()]
    found: list[int | None] = list(counts)
    for start, end in halving.blocks(hidden):
        found[start:end] = [None] * (end - start)
    return found


def _auc(one: Auc | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"auc": one.auc, "least": one.least, "most": one.most, "se": one.se, "low": one.low, "high": one.high}


def _gains(scenario: FederatedScenario, sums: Mapping[str, Array]) -> dict[str, Any]:
    how = comparison_of(scenario)
    if how is None:
        return {}
    m, one = scenario.task.min_cell, personal_figures(sums, how)
    best = withheld([one.best[kind] for kind in how.kinds], m)
    return {
        "personal": {
            "clients": one.clients,
            "gain_in": "accuracy" if how.classes else "loss",
            "edges": list(how.edges),
            "gains": {kind: withheld(counts, m) for kind, counts in one.gains.items()},
            "best": dict(zip(how.kinds, best, strict=True)),
            "loss": dict(one.loss),
            "accuracy": dict(one.accuracy) if one.accuracy is not None else None,
            "min_cell": m,
        }
    }
