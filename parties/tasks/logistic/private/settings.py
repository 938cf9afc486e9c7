"""kind = "logistic_regression" with [privacy]: which settings go with it, and by which method it is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from parties.scenario.problems import Problem, Reading, quote
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.privacy.settings import WITH, check_exact, with_ranges

if TYPE_CHECKING:
    from parties.scenario.file import Scenario
    from parties.scenario.privacy import PrivacySpec

Method = Literal["gradients", "output", "objective"]

_EXACT: Final[Mapping[str, tuple[Any, str]]] = {
    "standardise": (True, "leave it out: features are scaled by the agreed ranges of [privacy.clip]"),
    "compare_ranges": (False, "remove it: each bit would tell something exact of an owner's rows"),
    "tolerance": (None, "set `iterations`: each stop test would tell an exact bit"),
}
"""Settings that would tell something exact: the one value that does not, and what to do."""
_NOT_NOISY: Final[Mapping[str, str]] = {
    "missing": "counts of missing values would be exact",
    "inference": "standard errors would say nothing of the noise",
    "calibration": "its cells would be exact",
}
_NO_PART: Final = ("solver", "epochs", "batch_size", "sigmoid_range")
"""Settings of trainings on shares, which noisy gradients have no use for."""
_NOT_CHOSEN: Final = (*_NO_PART, "iterations", "momentum", "learning_rate", "class_weights")
"""Settings that follow from epsilon and the agreed sizes, in a training whose model alone has noise."""

ITERATIONS: Final = 100
"""The default number of noisy sums of gradients."""
_COLUMNS_ITERATIONS: Final = (20, 100)
_ROWS_A_STEP: Final = 85.0
"""The same where columns are split, whose steps are longer: the fewer the noisier the sums are, from 20 to 100."""
MOST_ROWS: Final = 1_000
"""The default of the most rows that an owner may have; where columns are split, of all owners' rows."""
MOMENTUM: Final = 0.9
NORM: Final = 1.0
"""The default of the L2 norm to which a row's gradient is clipped."""


def columns_iterations(privacy: PrivacySpec) -> int:
    """The default number of noisy sums where columns are split."""
    fewest, most = _COLUMNS_ITERATIONS
    return min(most, max(fewest, round(privacy.epsilon * (privacy.most_rows or MOST_ROWS) / _ROWS_A_STEP)))


def private_method(scenario: Scenario) -> Method:
    """The method of a scenario that has [privacy]."""
    assert scenario.privacy is not None
    return _method_of(scenario.privacy)


def _method_of(privacy: PrivacySpec) -> Method:
    return privacy.method or "gradients"


def make_logistic_private(task: LogisticTask, privacy: PrivacySpec) -> Reading[LogisticTask]:
    """The task under [privacy], before its own settings are checked against each other."""
    yield from check_exact(task, _EXACT)
    if task.class_weights == "balanced":
        hint = "give the two weights as numbers: balanced ones tell how many rows are of a class"
        yield Problem(f'[task] class_weights = "balanced" {WITH}', hint)
    yield from _check_reveal(task)
    if isinstance(task.learning_rate, float) and task.learning_rate * task.l2 > 1:
        hint = "set a lower learning_rate, or leave it out"
        yield Problem("[task] learning_rate times l2 is above 1: each step would go further wrong than the last", hint)
    if _method_of(privacy) != "gradients":
        task = yield from _on_shares(task, privacy, _NOT_CHOSEN)
    elif task.partition == "vertical":
        task = yield from _on_shares(task, privacy, (*_NO_PART, "class_weights"))
        task = task.model_copy(update={"iterations": task.iterations or columns_iterations(privacy)})
    else:
        task = yield from _with_gradients(task)
        if privacy.most_rows is not None:
            message = '[privacy] most_rows is for method = "output" and "objective", and for split columns'
            yield Problem(message, "remove most_rows")
    return (yield from with_ranges(task, privacy))


def _check_reveal(task: LogisticTask) -> Iterator[Problem]:
    for what in task.reveal:
        if what in _NOT_NOISY:
            yield Problem(f'[task] reveal = ["{what}"] {WITH}: {_NOT_NOISY[what]}', f'take "{what}" out of reveal')
    if "model" not in task.reveal and not set(task.reveal) & set(_NOT_NOISY):
        hint = 'add "model" to reveal, or remove [privacy]: a model that nobody sees tells nothing'
        yield Problem(f'[task] reveal without "model" {WITH}', hint)
    if "metrics" in task.reveal and not task.test_fraction:
        hint = 'set test_fraction = 0.2, or take "metrics" out of reveal: they are of held-out rows alone'
        yield Problem(f"[task] test_fraction = 0 {WITH} and metrics", hint)


def _with_gradients(task: LogisticTask) -> Reading[LogisticTask]:
    if given := [key for key in _NO_PART if key in task.model_fields_set]:
        message = f"[task] {quote(given)} {'has' if len(given) == 1 else 'have'} no part in noisy gradients"
        hint = "remove what is named; `iterations` says how many sums there are, and [privacy] rate how many rows each"
        yield Problem(message, hint)
    left_out = task.model_fields_set - set(_NO_PART)
    kept = task.model_construct(left_out, **{key: value for key, value in task if key in left_out})
    return kept.model_copy(update={"solver": "nesterov", "iterations": task.iterations or ITERATIONS})


def _on_shares(task: LogisticTask, privacy: PrivacySpec, no_part: tuple[str, ...]) -> Reading[LogisticTask]:
    """The task of a training on shares, of which nothing is told but gradients or the model, with noise."""
    if privacy.rate is not None:
        hint = "remove rate"
        yield Problem('[privacy] rate is for method = "gradients", of owners with rows of their own', hint)
    if privacy.norm is not None and privacy.norm <= 1:
        message = f"[privacy] norm = {privacy.norm:g} leaves no room for a row's features beside its 1"
        yield Problem(message, "set norm above 1, such as 2, or leave it out")
    if given := [key for key in no_part if key in task.model_fields_set]:
        message = f"[task] {quote(given)} {'has' if len(given) == 1 else 'have'} no part in this [privacy] method"
        yield Problem(message, "remove what is named")
    if "metrics" in task.reveal and "reveal" in task.model_fields_set:
        hint = 'set reveal = ["model"]'
        yield Problem('[task] reveal = ["metrics"] is not there with this [privacy] method', hint)
    if task.test_fraction and "test_fraction" in task.model_fields_set and task.partition == "horizontal":
        hint = "remove it: nothing is told of held-out rows"
        yield Problem("[task] test_fraction has no part in this method for owners with rows of their own", hint)
    fraction = task.test_fraction if "test_fraction" in task.model_fields_set else 0.0
    left_out = task.model_fields_set - set(no_part)
    kept = task.model_construct(left_out, **{key: value for key, value in task if key in left_out})
    return kept.model_copy(update={"solver": "nesterov", "reveal": ("model",), "test_fraction": fraction})
