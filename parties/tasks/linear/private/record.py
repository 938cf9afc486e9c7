"""From the noisy sums of products of a linear regression with [privacy] to its part of `result.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parties.tasks.linear.settings import LinearTask
from parties.tasks.privacy.guarantee import NoisyRelease, noise_facts, outside, privacy_facts
from protocols.linear.noisy_fit import CLEAR, NoisyFit, fit_moments
from protocols.linear.noisy_moments import REACH, Floats, NoisyLinear
from protocols.privacy.estimates import margin
from protocols.rows.results import INTERCEPT

if TYPE_CHECKING:
    from parties.scenario.file import Scenario


def private_record(scenario: Scenario, settings: NoisyLinear, moments: Floats) -> dict[str, Any]:
    """The fit, and the guarantee; nothing of it is exact."""
    fit = fit_moments(moments, settings.names, settings.scaling, settings.deviation)
    return {
        "model": {
            "features": list(fit.features),
            "weights": list(fit.coefficients[:-1]),
            "intercept": fit.coefficients[-1],
            "standardised_weights": None,
            "standardised_intercept": None,
        },
        "metrics": None,
        "inference": _rows(fit),
        "fit": _facts(fit, scenario.task_as(LinearTask)),
        "data": None,
        "privacy": guarantee(scenario, settings),
    }


def _rows(fit: NoisyFit) -> list[dict[str, Any]]:
    """The table of coefficients, the intercept last: without t and p, and without errors where noise is too large."""
    none = (None,) * len(fit.coefficients)
    return [
        {
            "feature": name,
            "coefficient": b,
            "se": error,
            "noise_se": of_noise,
            "t": None,
            "p": None,
            "low": low,
            "high": high,
        }
        for name, b, error, of_noise, low, high in zip(
            (*fit.features, INTERCEPT),
            fit.coefficients,
            fit.errors or none,
            fit.noise_errors or none,
            fit.low or none,
            fit.high or none,
            strict=True,
        )
    ]


def _facts(fit: NoisyFit, task: LinearTask) -> dict[str, Any]:
    explained = fit.explained
    return {
        "rows": None,
        "counted": fit.weight,
        "r2": None if explained is None else explained.value,
        "r2_interval": None if explained is None else [explained.low, explained.high],
        "residual_se": fit.residual_se,
        "clear": fit.clear,
        "clear_enough": CLEAR,
        "ridge": fit.ridge,
        "offset": task.offset,
        "weights": None,
    }


def releases_of(settings: NoisyLinear) -> list[NoisyRelease]:
    """The one release."""
    name = f"{', '.join((*settings.names, settings.target))} and 1"
    return [NoisyRelease("products", name, settings.size, 1.0, margin(settings.deviation))]


def guarantee(scenario: Scenario, settings: NoisyLinear) -> dict[str, Any]:
    """The guarantee and what is released under it, for plan and record."""
    assert scenario.privacy is not None
    noise = noise_facts(settings.noise, REACH, settings.unit)
    return privacy_facts(scenario.privacy, noise, releases_of(settings), outside(scenario.task_as(LinearTask).min_rows))
