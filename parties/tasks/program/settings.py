"""[task] of kind = "program": what each owner gives the protocol. It names no file and no code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from parties.scenario.models import A_COUNT, MIN_ROWS, Count, Names, PartySpec, Task
from parties.scenario.problems import Problem, Reading, nearest, show_value
from parties.scenario.program import GIVEN, TABLE, is_table
from parties.scenario.task import TaskReader

if TYPE_CHECKING:
    from mpc.runtime.inputs import Input

SYNTAX: Final = (
    'a list of inputs such as "reals:5", "reals:5x3,scale=16,largest=1000", "integers:10,low=0,high=9", "bits:8" '
    'or "table,scale=20"'
)
COLUMNS: Final = "a list of one or more column names"
UNTESTED: Final = "a program tells what its author chose, and no count in it is tested: allow the run without this rule"
"""What a policy is told of small counts."""
_LARGEST_SIZE: Final = 10_000_000
_LARGEST_INTEGER: Final = 2**62
_MOST_BITS: Final = 62
_SIZES: Final = re.compile(r"[1-9][0-9]{0,7}(x[1-9][0-9]{0,7})*")
_NUMBER: Final = re.compile(r"-?[0-9]{1,19}(\.[0-9]{1,19})?")
_DEFAULTS: Final[Mapping[str, Mapping[str, float]]] = {
    "reals": {"scale": 20, "largest": 100},
    "integers": {"low": 0, "high": 100},
    "bits": {},
    TABLE: {"scale": 20},
    GIVEN: {"scale": 20},
}


Inputs = Annotated[Names, Field(min_length=1, max_length=20, description=SYNTAX)]
Columns = Annotated[Names, Field(min_length=1)] | None


class ProgramTask(Task):
    """Run a protocol that whoever takes part names on the command line."""

    kind: Literal["program"] = Field(description='"program"')
    partition: Literal["horizontal"] = Field(default="horizontal", description='"horizontal"')
    inputs: Inputs
    columns: Columns = Field(default=None, description=COLUMNS)
    min_rows: Count | None = Field(default=None, description=A_COUNT)

    @property
    def has_table(self) -> bool:
        """Whether an input is the owners' own data."""
        return any(is_table(one) for one in self.inputs)


def input_of(text: str, rows: int = 1, columns: int = 1) -> Input:
    """The input that a text such as `reals:5x3,scale=16` names: an array of every owner.

    Args:
        rows: of an owner's table, if it is that.
        columns: likewise.

    Raises:
        ValueError: it is none; says what is wrong and what to do, in two texts.
    """
    from mpc.runtime.inputs import bits, each, integers, reals

    head, *said = text.split(",")
    name, colon, sizes = head.partition(":")
    if name not in _DEFAULTS:
        guess = nearest(name, _DEFAULTS)
        raise ValueError(f"there is no input '{name}'", f"did you mean '{guess}'?" if guess else f"write {SYNTAX}")
    settings = _settings(name, said)
    if name == TABLE:
        if colon:
            raise ValueError("a table has the shape of its data", f"write '{TABLE}'")
        return each(
            reals((rows, columns), scale=int(settings["scale"]), largest=2.0 ** (_MOST_BITS - settings["scale"]))
        )
    if not _SIZES.fullmatch(sizes):
        raise ValueError(f"'{head}' has no shape", f"write '{name}:5' for 5 numbers, or '{name}:5x3' for a matrix")
    shape = tuple(int(size) for size in sizes.split("x"))
    count = 1
    for size in shape:
        count *= size
    if count > _LARGEST_SIZE:
        raise ValueError(f"'{head}' has {count} entries", f"an owner can draw {_LARGEST_SIZE} at most")
    if name == "bits":
        return each(bits(shape))
    if name == GIVEN:
        return each(reals(shape, scale=int(settings["scale"]), largest=2.0 ** (_MOST_BITS - settings["scale"])))
    if name == "integers":
        low, high = int(settings["low"]), int(settings["high"])
        if low > high:
            raise ValueError(f"low={low} is above high={high}", "low is the least that is drawn")
        return each(integers(shape, low, high))
    scale, largest = int(settings["scale"]), float(settings["largest"])
    if largest <= 0 or largest * 2.0**scale >= 2.0**_MOST_BITS:
        raise ValueError(
            f"largest={largest:g} does not fit with scale={scale}",
            f"largest is above 0, and largest x 2^scale below 2^{_MOST_BITS}",
        )
    return each(reals(shape, scale=scale, largest=largest))


def _settings(name: str, said: list[str]) -> dict[str, float]:
    """The settings of one input, the usual ones where it says nothing."""
    usual = _DEFAULTS[name]
    found: dict[str, float] = {}
    for one in said:
        key, equals, value = one.partition("=")
        if key not in usual:
            known = f"{name} has {' and '.join(usual)}" if usual else f"{name} has no settings"
            raise ValueError(f"{name} has no setting '{key}'", known)
        if key in found:
            raise ValueError(f"'{key}' is given twice", "keep one of them")
        whole = key != "largest"
        if not equals or not _NUMBER.fullmatch(value) or (whole and "." in value):
            raise ValueError(f"'{one}' gives no number", f"write {key}={usual[key]:g}")
        found[key] = int(value) if whole else float(value)
        if key == "scale" and not 0 <= found[key] <= _MOST_BITS - 1:
            raise ValueError(f"'{one}': a scale is from 0 to {_MOST_BITS - 1} bits", f"write {key}={usual[key]:g}")
        if key in ("low", "high") and abs(found[key]) >= _LARGEST_INTEGER:
            raise ValueError(f"'{one}' is 2^62 or more", "give smaller numbers")
    return {**usual, **found}


def check_inputs(inputs: Sequence[str], who: str) -> Iterator[Problem]:
    """Each input is one that there is, and at most one of them a table.

    Args:
        who: gives them: an owner, or a client.
    """
    for one in inputs:
        try:
            input_of(one)
        except ValueError as error:
            what, hint = error.args
            yield Problem(f"[task] inputs has {show_value(one)}: {what}", hint)
    if sum(map(is_table, inputs)) > 1:
        yield Problem(f"[task] inputs names the {who}s' table twice", f"each {who} has one table")


def settle(task: ProgramTask, parties: Mapping[str, PartySpec] | None) -> Reading[ProgramTask]:
    """Check settings against each other."""
    yield from check_inputs(task.inputs, "owner")
    if task.has_table:
        return task if task.min_rows is not None else task.model_copy(update={"min_rows": MIN_ROWS})
    with_data = [name for name, party in (parties or {}).items() if party.data is not None]
    if with_data:
        hint = f'add "{TABLE}" to [task] inputs, or remove `data`'
        yield Problem(f"[parties.{with_data[0]}] has data, but no input is a table", hint)
    for key, value in (("columns", task.columns), ("min_rows", task.min_rows)):
        if value is not None:
            yield Problem(f"[task] has {key}, but no input is a table", "remove it")
    return task


READER = TaskReader(ProgramTask, settle)
