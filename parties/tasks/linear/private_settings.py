"""kind = "linear_regression" with [privacy]: which settings go with it, and the protocol's settings that follow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from parties.scenario.problems import Problem, Reading, quote
from parties.scenario.terms import columns_of, names_of, parts_of
from parties.tasks.private import check_clips

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parties.scenario.file import Scenario
    from parties.scenario.privacy import PrivacySpec
    from parties.tasks.linear.settings import LinearTask
    from protocols.linear.noisy_moments import NoisyLinear, Scaling

_NARROWEST: Final = 2.0**-30
"""Half of a range, in parts of its numbers: below it scaled values would lack some of their 22 binary digits."""
_WITH: Final = "does not go with [privacy]"
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
    "min_cell": (None, "leave it out: noise protects small cells, and a test of them would tell exact bits"),
    "min_rows_per_feature": (None, "leave it out: noise protects rows, however many features there are"),
}
"""Settings that would tell something exact: the one value that does not, and what to do."""


def make_linear_private(task: LinearTask, privacy: PrivacySpec) -> Reading[LinearTask]:
    """The task under [privacy], with its features listed."""
    for key, (harmless, hint) in _EXACT.items():
        if key in task.model_fields_set and dict(task)[key] != harmless:
            yield Problem(f"[task] {key} {_WITH}", hint)
    if task.missing == "mean":
        hint = 'set missing = "drop", which looks at each row by itself: a mean depends on all of them'
        yield Problem(f'[task] missing = "mean" {_WITH}', hint)
    for what in task.reveal:
        if what != "inference":
            hint = f'take "{what}" out of reveal; R2 comes with the coefficients'
            yield Problem(f'[task] reveal = ["{what}"] {_WITH}, for it would be exact', hint)
    if task.partition == "vertical":
        return task
    numbers = [column for column in privacy.clip if column not in (task.target, *task.categories)]
    listed = task.features or (*numbers, *task.categories)
    yield from _check_features(task, listed, privacy)
    return task.model_copy(update={"features": tuple(listed)}) if listed else task


def _check_features(task: LinearTask, listed: tuple[str, ...], privacy: PrivacySpec) -> Iterator[Problem]:
    from protocols.linear.noisy_moments import MOST_FEATURES

    mixed = [term for term in listed if len(parts_of(term)) > 1 and not set(parts_of(term)) <= set(task.categories)]
    if mixed:
        hint = "put the product into the data as a column of its own, and give it a range"
        yield Problem(f"[task] features lists {quote(mixed)}, a product with a column of numbers, which {_WITH}", hint)
        return
    numbers = [column for column in columns_of(listed) if column not in task.categories]
    if not listed:
        hint = "add [privacy.clip] and below it a line for the target and for each feature, such as age = [18, 100]"
        yield Problem("[privacy.clip] has no range of a feature", hint)
        return
    yield from check_clips(privacy, [*numbers, task.target], "which are in the fit")
    for column, (low, high) in privacy.clip.items():
        if low < high and (high - low) / 2 <= _NARROWEST * max(abs(low), abs(high)):
            hint = "subtract a constant from the column in the data, or give a wider range"
            yield Problem(f"[privacy.clip] {column}: so narrow a range has too few of its numbers' digits", hint)
    width = sum(len(names_of(term, task.categories)) for term in listed)
    if width > MOST_FEATURES:
        yield Problem(f"[task] {width} features with [privacy], and {MOST_FEATURES} are the most", "name fewer")


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
    from parties.tasks.linear.settings import LinearTask
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
