"""A thousand steps and more beside the reference: all numbers of owners, both partitions, all solvers and forms; hot
settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, Literal

import numpy as np
import pytest

from mpc.errors import BeaverlodgeError, DataError, ProtocolError, UsageError
from parties.tasks.logistic.settings.solver import MOMENTUM
from protocols.plain.logistic import ReferenceModel, pooled, weight_difference
from protocols.rows.results import Trained
from protocols.training.accelerated_budget import dyadic
from protocols.training.form import automatic_rate
from tests.helpers import demo_tables, example_tables, job, owner_names, train
from tests.protocols.training.test_columns_job import divided
from tests.protocols.training.test_columns_job import train as train_columns
from tests.tiers import SWEEP, Tell

pytestmark = pytest.mark.sweep

Form = Literal["primal", "dual"]
Tables = Mapping[str, tuple[np.ndarray, np.ndarray]]

SEEDS = range(20)
OWNERS = (2, 3, 4, 5)
FORMS: tuple[Form, ...] = ("primal", "dual")
STEPS = 1000
LARGEST = 1e-3
"""The largest difference of a weight or the intercept, in standardised units, that is let pass."""

PENALTIES = (0.0, 0.001, 0.01, 0.1)
SETTINGS = ("sigmoid_range", "l2", "learning_rate", "standardise", "epochs", "batch_size")
"""What an error may tell the user to change."""

SERIES = f"weights after {STEPS:,} steps beside the reference's"
HOT = "hot settings"


def demo_of(owners: int) -> Tables:
    """The demo's patients, dealt out to so many owners in turn."""
    x, y = (np.concatenate(parts) for parts in zip(*demo_tables().values(), strict=True))
    return {name: (x[k::owners], y[k::owners]) for k, name in enumerate(owner_names(owners))}


def by_rows(seed: int, owners: int, **changes: Any) -> tuple[Trained, ReferenceModel]:
    """Owners of other patients; every other seed the demo's, else made up ones."""
    tables = (
        demo_of(owners) if seed % 2 else example_tables([30 + 9 * k for k in range(owners)], 5, 100 * owners + seed)
    )
    own, how = job(tables, seed, **{**settings(seed, sum(len(y) for _, y in tables.values())), **changes})
    assert how.step_count >= STEPS
    models = list(train(own, how, seed).results.values())
    assert all(model == models[0] for model in models)
    return models[0], pooled(list(own.values()), how)


def by_columns(seed: int, owners: int, **changes: Any) -> tuple[Trained, ReferenceModel]:
    """Owners of other columns of the same patients."""
    tables = demo_of(1) if seed % 2 else example_tables([90], 6, 100 * owners + seed)
    ((x, y),) = tables.values()
    widths = [x.shape[1] // owners + (k < x.shape[1] % owners) for k in range(owners)]
    own, how = divided(x, y, widths, seed % owners, seed, **{**settings(seed, len(y)), **changes})
    assert how.step_count >= STEPS
    model, reference, _ = train_columns(own, how, seed)
    return model, reference


SPLITS = {"rows": by_rows, "columns": by_columns}


def settings(seed: int, rows: int) -> dict[str, Any]:
    """Batches and penalties of all sizes, for just over a thousand steps."""
    size = 128 if seed % 2 else 16
    least = -(-int(rows * 0.75) // size)  # steps of an epoch: a fifth of the rows, and a few by rounding, are held out
    return {
        "batch_size": size,
        "epochs": -(-STEPS // least),
        "l2": PENALTIES[seed // 2 % len(PENALTIES)],
        "metrics": False,
    }


@pytest.mark.parametrize(
    ("seed", "owners", "form", "split"),
    SWEEP.chosen(
        "exactness", [(s, n, form, split) for s in SEEDS for n in OWNERS for form in FORMS for split in SPLITS]
    ),
)
def test_a_thousand_steps(seed: int, owners: int, form: Form, split: str, tell: Tell) -> None:
    model, reference = SPLITS[split](seed, owners, form=form)
    worst = weight_difference(model, reference)
    tell(f"{SERIES}: {split} split over {owners} owners, {form} form", trainings=1, worst_difference=worst)
    assert worst <= LARGEST


SOLVERS = ("nesterov", "newton")
EIGHT = SEEDS[:8]
"""Each penalty, for the demo's patients and for made-up ones: a training of all rows takes five seconds."""


def full_batch(solver: str, seed: int) -> dict[str, Any]:
    """A thousand steps of all rows; on the demo's patients, who can be told apart, never without a penalty."""
    l2 = max(PENALTIES[seed // 2 % len(PENALTIES)], 0.001 * (seed % 2))
    return {
        "solver": solver,
        "epochs": 1,
        "iterations": STEPS,
        "momentum": dyadic(MOMENTUM[solver]),
        "learning_rate": automatic_rate(solver, 30 if seed % 2 else 6, l2),
        "l2": l2,
    }


@pytest.mark.parametrize(
    ("seed", "owners", "solver", "split"),
    SWEEP.chosen(
        "solvers", [(s, n, solver, split) for s in EIGHT for n in OWNERS for solver in SOLVERS for split in SPLITS]
    ),
)
def test_a_thousand_steps_of_all_rows(seed: int, owners: int, solver: str, split: str, tell: Tell) -> None:
    model, reference = SPLITS[split](seed, owners, **full_batch(solver, seed))
    # Without a penalty, made-up rows that can nearly be told apart have weights of 20: three digits are held of those.
    worst, relative = weight_difference(model, reference), relative_difference(model, reference)
    tell(
        f"{SERIES}: {split} split over {owners} owners, {solver}",
        trainings=1,
        worst_difference=worst,
        worst_difference_to_the_largest_weight=relative,
    )
    assert relative <= LARGEST


def relative_difference(model: Trained, reference: ReferenceModel) -> float:
    """The largest difference beside the largest weight, where that is above 1."""
    return weight_difference(model, reference) / max(1.0, float(np.abs(reference.weights).max()))


# -- hot settings: they end as the reference does, or in an error that says why and what to change


def separable(size: float = 1.0) -> Tables:
    """Two owners whose labels are the sign of the first feature: without a penalty the weights grow for ever."""
    tables = {}
    for name, (x, _) in example_tables([60, 50], 3, 5).items():
        label = (x[:, 0] > np.median(x[:, 0])).astype(float)
        tables[name] = (x * size, label)
    return tables


def scaled(size: float) -> Tables:
    """The demo's patients with every feature in other units."""
    return {name: (x * size, y) for name, (x, y) in demo_tables().items()}


HOTS: dict[str, tuple[Tables, dict[str, Any]]] = {
    "separable, no l2, 10,000 steps": (separable(), {"batch_size": 16, "epochs": 1667}),
    "separable, no l2, rate 10": (separable(), {"batch_size": 16, "epochs": 170, "learning_rate": 10.0}),
    "separable, rate 10, l2": (
        separable(),
        {"batch_size": 16, "epochs": 170, "learning_rate": 10.0, "l2": 0.01},
    ),
    "rate 10": (demo_tables(), {"epochs": 10, "learning_rate": 10.0}),
    "rate 10, 1,000 steps": (demo_tables(), {"epochs": 250, "learning_rate": 10.0}),
    "rate 10, strong l2": (demo_tables(), {"epochs": 50, "learning_rate": 10.0, "l2": 1.0}),
    "10,000 steps": (demo_tables(), {"epochs": 2500}),
    "10,000 steps, l2": (demo_tables(), {"epochs": 2500, "l2": 0.01}),
    "features of 1e6 as they are": (scaled(1e6), {"standardise": False}),
    "features of 1e-6 as they are": (scaled(1e-6), {"standardise": False}),
    "features of 1e6, standardised": (scaled(1e6), {}),
    "features of 1e-6, standardised": (scaled(1e-6), {}),
    "as the data are, rate 0.5": (demo_tables(), {"standardise": False}),
    "as the data are, rate 10": (demo_tables(), {"standardise": False, "learning_rate": 10.0}),
    "range far too narrow": (demo_tables(), {"epochs": 250, "sigmoid_range": 10.0}),
}


@pytest.mark.parametrize(("name", "form"), SWEEP.chosen("hot", product(HOTS, (*FORMS, "auto"))), ids=str)
def test_hot(name: str, form: Any, tell: Tell) -> None:
    tables, changes = HOTS[name]
    own, how = job(tables, 7, form=form, **{"metrics": False, **changes})
    reference = pooled(list(own.values()), how)
    outcome: dict[str, float] = {}
    try:
        model = next(iter(train(own, how, 1).results.values()))
    except (DataError, ProtocolError, UsageError) as error:
        check_words(error)
        outcome[f"refused_({error.code})"] = 1
    else:
        # Rates like these carry the rounding of the features further, and the weights with it: three digits are held.
        worst, relative = weight_difference(model, reference), relative_difference(model, reference)
        outcome |= {
            "as_the_reference": 1,
            "worst_difference_to_the_largest_weight": relative,
            "worst_difference": worst,
        }
        assert relative <= LARGEST
    tell(HOT, tried=1, **outcome)


def check_words(error: BeaverlodgeError) -> None:
    """An error names the cause, and the setting to change."""
    said = f"{error.message} {error.hint}"
    assert any(setting in said for setting in SETTINGS), said
    assert not isinstance(error, DataError) or error.party is None or error.party in said
