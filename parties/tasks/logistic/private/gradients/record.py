"""From a training by noisy gradients to the `training`, the `metrics` and the `privacy` of plan and record."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.scenario.file import Scenario
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.privacy.guarantee import NoisyRelease, noise_facts, outside, privacy_facts
from protocols.evaluation.noisy_metrics import BINS, PROBABILITIES, auc_of, right_and_wrong
from protocols.privacy.estimates import NoisySums, margin, mean_of
from protocols.training.private.clipped_gradients import FINE
from protocols.training.private.noisy_descent import NoisySettings, NoisyTrained


def noisy_training_facts(how: NoisySettings, trained: NoisyTrained | None = None) -> dict[str, Any]:
    """The training's public numbers; of a run, the noisy number of rows that it was trained on."""
    return {
        "solver": "noisy-gradients",
        "steps": how.steps,
        "batch_size": None,
        "rate": how.rate,
        "norm": how.clipping.norm,
        "learning_rate": how.step_size,
        "momentum": how.momentum,
        "l2": how.l2,
        "converged": None,
        "rows": None if trained is None else trained.rows,
    }


def metrics_facts(counts: NDArray[np.float64], deviation: float) -> dict[str, Any]:
    """Metrics from noisy counts (2, B) of held-out rows, each with its interval for the noise."""
    right, wrong = right_and_wrong(counts)
    of_sums = deviation * float(np.sqrt(2 * BINS))
    accuracy = mean_of(NoisySums(right + wrong, right - wrong, None, of_sums, 0.0), 0.5, 0.5)
    auc = auc_of(counts, deviation)
    return {
        "rows": right + wrong,
        "positives": float(counts[1].sum()),
        "accuracy": accuracy.value,
        "auc": auc.value,
        "intervals": {"accuracy": [accuracy.low, accuracy.high], "auc": [auc.low, auc.high]},
        "counts": {"edges": list(PROBABILITIES), "class_0": counts[0].tolist(), "class_1": counts[1].tolist()},
        "count_error": margin(deviation),
    }


def releases_of(how: NoisySettings) -> list[NoisyRelease]:
    """What is released with noise, and its share of the budget."""
    found = [NoisyRelease("gradients", f"{how.steps} times", how.size, 1.0, margin(how.deviation))]
    if how.held_out:
        found.append(NoisyRelease("counts", "by class and score", 2 * BINS, 1.0, margin(how.counts_deviation)))
    return found


def guarantee(how: NoisySettings, scenario: Scenario) -> dict[str, Any]:
    """The guarantee and all releases, for plan and record."""
    privacy = scenario.privacy
    assert privacy is not None
    noise = noise_facts(how.noise, how.clipping.squared**0.5, 2.0**-FINE)
    more = {"method": "gradients", "norm": how.clipping.norm, "rate": how.rate, "counts": how.counts_deviation}
    told = outside(scenario.task_as(LogisticTask).min_rows)
    return privacy_facts(privacy, {**noise, **more}, releases_of(how), told)
