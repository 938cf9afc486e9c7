"""Settings of a model with [privacy]: what would tell something exact is refused, and features have agreed ranges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from parties.scenario.models import ModelTask
from parties.scenario.problems import Problem, Reading, quote
from parties.scenario.terms import columns_of, parts_of
from parties.tasks.private import check_clips

if TYPE_CHECKING:
    from parties.scenario.privacy import PrivacySpec

AnyModel = TypeVar("AnyModel", bound=ModelTask)

WITH: Final = "does not go with [privacy]"
EXACT: Final[Mapping[str, tuple[Any, str]]] = {
    "min_cell": (None, "leave it out: noise protects small cells, and a test of them would tell exact bits"),
    "min_rows_per_feature": (None, "leave it out: noise protects rows, however many features there are"),
}
"""Settings of all models that would tell something exact: the one value that does not, and what to do."""


def check_exact(task: ModelTask, exact: Mapping[str, tuple[Any, str]]) -> Iterator[Problem]:
    """Problems of settings that would tell something exact: of `EXACT`, and of a kind's own."""
    for key, (harmless, hint) in {**exact, **EXACT}.items():
        if key in task.model_fields_set and dict(task)[key] != harmless:
            yield Problem(f"[task] {key} {WITH}", hint)
    if task.missing == "mean":
        hint = 'set missing = "drop", which looks at each row by itself: a mean depends on all of them'
        yield Problem(f'[task] missing = "mean" {WITH}', hint)


def with_ranges(task: AnyModel, privacy: PrivacySpec, *beside: str) -> Reading[AnyModel]:
    """The task with its features listed, each of which has an agreed range or is a category's indicator.

    Args:
        beside: columns that need a range, too, such as a target of numbers.
    """
    if task.partition == "vertical":
        return task
    numbers = [column for column in privacy.clip if column not in (*beside, *task.categories)]
    listed = task.features or (*numbers, *task.categories)
    if not listed:
        hint = "add [privacy.clip] and below it a line for each feature, such as age = [18, 100]"
        yield Problem("[privacy.clip] has no range of a feature", hint)
        return task
    if mixed := [
        term for term in listed if len(parts_of(term)) > 1 and not set(parts_of(term)) <= set(task.categories)
    ]:
        hint = "put the product into the data as a column of its own, and give it a range"
        yield Problem(f"[task] features lists {quote(mixed)}, a product with a column of numbers, which {WITH}", hint)
    else:
        needed = [column for column in columns_of(listed) if column not in task.categories]
        yield from check_clips(privacy, [*needed, *beside], "which are in the model")
    return task.model_copy(update={"features": tuple(listed)})
