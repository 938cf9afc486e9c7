"""Settings with [privacy]: what would tell something exact is refused, and columns have agreed ranges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from parties.scenario.models import ModelTask, Task
from parties.scenario.problems import Problem, Reading, quote
from parties.scenario.terms import columns_of, parts_of

if TYPE_CHECKING:
    from parties.scenario.privacy import PrivacySpec

AnyModel = TypeVar("AnyModel", bound=ModelTask)

WITH: Final = "does not go with [privacy]"
EXACT: Final[Mapping[str, tuple[Any, str]]] = {
    "min_cell": (None, "leave it out: noise protects small cells, and a test of them would tell exact bits"),
    "min_rows_per_feature": (None, "leave it out: noise protects rows, however many features there are"),
}
"""Settings of all models that would tell something exact: the one value that does not, and what to do."""

_NARROWEST: Final = 2.0**-20
"""Half of a range, in parts of its numbers: of narrower ones, scaled values would lack some of their 32 bits."""


def check_clips(privacy: PrivacySpec, needed: Sequence[str], use: str) -> Iterator[Problem]:
    """Problems of [privacy.clip]: it must have a range of each column that is needed, and of no other.

    Args:
        use: what becomes of the columns, such as "whose values are summed up".
    """
    if lacking := [column for column in needed if column not in privacy.clip]:
        hint = f"add [privacy.clip] and below it {lacking[0]} = [0, 120]: values beyond are counted as the nearer end"
        yield Problem(f"[privacy.clip] does not list {quote(lacking)}, {use}", hint)
    if unused := [column for column in privacy.clip if column not in needed]:
        no = use.replace(" are ", " are not ", 1)
        yield Problem(f"[privacy.clip] lists {quote(unused)}, {no}", "remove it there")
    for column, (low, high) in privacy.clip.items():
        if low >= high:
            yield Problem(f"[privacy.clip] {column}: the first number is not below the second", "give the least first")
        elif (high - low) / 2 <= _NARROWEST * max(abs(low), abs(high)):
            hint = "subtract a constant from the column in the data, or give a wider range"
            yield Problem(f"[privacy.clip] {column}: so narrow a range has too few of its numbers' digits", hint)


def refuse_settings(task: Task, exact: Mapping[str, tuple[Any, str]]) -> Iterator[Problem]:
    """Problems of settings that were given another value than the harmless one; what to do is said with it."""
    for key, (harmless, hint) in exact.items():
        if key in task.model_fields_set and dict(task)[key] != harmless:
            yield Problem(f"[task] {key} {WITH}", hint)


def check_exact(task: ModelTask, exact: Mapping[str, tuple[Any, str]]) -> Iterator[Problem]:
    """Problems of settings that would tell something exact: of `EXACT`, and of a kind's own."""
    yield from refuse_settings(task, {**exact, **EXACT})
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
