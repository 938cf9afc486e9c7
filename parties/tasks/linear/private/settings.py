"""kind = "linear_regression" with [privacy]: which settings go with it, and the protocol's settings that follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parties.scenario.problems import Problem, Reading
from parties.scenario.terms import names_of, parts_of
from parties.tasks.linear.settings import LinearTask
from parties.tasks.privacy.settings import WITH, check_exact, with_ranges

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parties.scenario.file import Scenario
    from parties.scenario.privacy import PrivacySpec
    from protocols.linear.noisy_moments import NoisyLinear, Scaling

_EXACT: Final[Mapping[str, tuple[Any, str]]] = {
    "partition": (
        "horizontal",
        "remove [privacy], or bring each patient's columns to one owner: noisy sums of products need whole rows",
    ),
    "inference": ("shared", "leave it out: with [privacy] the sums of products are opened, with noise"),
    "test_fraction": (
        0.0,
        "leave it out: with [privacy] every row is in the fit, and nothing is told of held-out rows",
    ),
    "weights": (None, "leave it out: a row with a large weight would need as much more noise"),
}
"""Settings that would tell something exact: the one value that does not, and what to do."""


def make_linear_private(task: LinearTask, privacy: PrivacySpec) -> Reading[LinearTask]:
    """The task under [privacy], with its features listed."""
    from protocols.linear.noisy_moments import MOST_FEATURES

    yield from check_exact(task, _EXACT)
    for what in task.reveal:
        if what != "inference":
            hint = f'take "{what}" out of reveal; R2 comes with the coefficients'
            yield Problem(f'[task] reveal = ["{what}"] {WITH}, for it would be exact', hint)
    task = yield from with_ranges(task, privacy, task.target)
    if task.partition == "horizontal" and len(task.feature_names or ()) > MOST_FEATURES:
        message = f"[task] {len(task.feature_names or ())} features with [privacy], and {MOST_FEATURES} are the most"
        yield Problem(message, "name fewer")
    return task


def scaling_of(task: LinearTask, privacy: PrivacySpec) -> Scaling:
    """How columns are scaled by the agreed ranges."""
    from protocols.linear.noisy_moments import Levels, Number, Scaling

    assert task.features is not None
    terms = (
        Levels(len(names_of(term, task.categories)))
        if set(parts_of(term)) <= set(task.categories)
        else Number(*privacy.clip[term])
        for term in task.features
    )
    return Scaling(tuple(terms), Number(*privacy.clip[task.target]))


def with_noise(scenario: Scenario) -> NoisyLinear:
    """The protocol's settings, with the noise that epsilon and delta take.

    Raises:
        UsageError: such noise is too wide to be drawn.
    """
    from protocols.linear.noisy_moments import NoisyLinear, enough_variance

    task, privacy = scenario.task_as(LinearTask), scenario.privacy
    assert privacy is not None
    names = task.feature_names
    assert names is not None
    scaling = scaling_of(task, privacy)
    variance = enough_variance(privacy.epsilon, privacy.delta, len(scenario.owners))
    target = task.target if task.offset is None else f"{task.target} less {task.offset}"
    return NoisyLinear(
        scenario.owners, scenario.helper, names, target, scaling, privacy.epsilon, privacy.delta, variance
    )
