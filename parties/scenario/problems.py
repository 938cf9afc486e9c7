"""What is wrong with a scenario, in words a person can act on.

pydantic says which field of which table is wrong; the wording here is ours. Every field carries a
`description` that completes the sentence "epochs must be ...", so a wrong type and a wrong range read alike.

A reader is a generator: it yields each `Problem` that it finds, and returns what it read. `yield from` passes the
problems of one reader on through another, and `read_or_refuse` turns them into one error.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard, TypeVar

from pydantic import BaseModel, ValidationError

from mpc.errors import UsageError, plain_text

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MOST_SHOWN = 5
"""How many problems of a file are listed before the rest are only counted."""

_LONGEST_SHOWN = 40
_LARGEST_SHOWN = 10**_LONGEST_SHOWN

Model = TypeVar("Model", bound=BaseModel)
Value = TypeVar("Value")


class Problem(NamedTuple):
    """One thing that is wrong (`message`) and what to do about it (`hint`, may be empty)."""

    message: str
    hint: str = ""


Reading = Generator[Problem, None, Value]
"""A reader at work: it yields what is wrong, and returns what it read."""


def read_or_refuse(where: str, reading: Reading[Value | None]) -> Value:
    """The result of a reader of the file `where`.

    Raises:
        UsageError: the reader found something wrong; all of it is named together.
    """
    problems: list[Problem] = []
    while True:
        try:
            problems.append(next(reading))
        except StopIteration as end:
            if problems or end.value is None:
                raise _refuse(where, problems) from None
            value: Value = end.value
            return value


def drop_invalid(reading: Reading[Value | None]) -> Reading[Value | None]:
    """Pass a reader's problems on; return what it read if it found none, else None."""
    valid = True
    while True:
        try:
            problem = next(reading)
        except StopIteration as end:
            return end.value if valid else None
        valid = False
        yield problem


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` most probably stands for, if any is near."""
    by_lower_case = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_lower_case, n=1, cutoff=0.6)
    return by_lower_case[found[0]] if found else None


def quote(words: Iterable[str]) -> str:
    """Words as a list in a sentence: 'a', 'b' and 'c'."""
    items = [f"'{word}'" for word in words]
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def show_value(value: object) -> str:
    """A value as the scenario file has it, shortened to a few words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) >= _LARGEST_SHOWN:
        return "a huge number"
    if isinstance(value, (int, float)):
        return _shorten(repr(value))
    if isinstance(value, str):
        return _shorten(f'"{value}"') if value else "an empty text"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, Sequence):
        return "a list" if value else "an empty list"
    return f"a {type(value).__name__}"


def unknown_setting(table: str, key: str, known: Iterable[str], elsewhere: Mapping[str, Iterable[str]]) -> Problem:
    """A key that its table does not have: a misspelling, or a setting of another table.

    Args:
        table: how the table is named to the reader, such as "[task]".
        key: the key that is not known there.
        known: the keys that the table has.
        elsewhere: the keys of the other tables, by how the table is named.
    """
    message = f"{table} has no setting '{_shorten(key)}'"
    guess = nearest(key, known)
    if guess is not None:
        return Problem(message, f"did you mean '{guess}'?")
    home = next((name for name, keys in elsewhere.items() if key in set(keys) and name != table), None)
    if home is not None:
        return Problem(message, f"'{key}' belongs in {home}")
    return Problem(message, f"it has {', '.join(sorted(known))}")


def check_keys(
    table: str, keys: Iterable[str], known: Sequence[str], elsewhere: Mapping[str, Iterable[str]]
) -> Iterator[Problem]:
    """The table has all of these keys; a near one is looked for as long as the problem will be shown."""
    for place, key in enumerate(key for key in keys if key not in known):
        near = place < MOST_SHOWN
        yield unknown_setting(table, key, known, elsewhere) if near else Problem(f"{table}: another one")


def read_table(
    model: type[Model], raw: object, table: str, elsewhere: Mapping[str, Iterable[str]]
) -> Reading[Model | None]:
    """Validate one table of the file; None if something is wrong with it."""
    if not isinstance(raw, Mapping):
        yield Problem(f"{table} must be a table, not {show_value(raw)}")
        return None
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        details: dict[str, ErrorDetails] = {}
        for detail in error.errors(include_url=False):
            details.setdefault(str(detail["loc"][0]) if detail["loc"] else "", detail)
    for place, detail in enumerate(details.values()):
        yield _problem(model, raw, table, detail, elsewhere) if place < MOST_SHOWN else Problem(table)
    return None


def _refuse(where: str, problems: Sequence[Problem]) -> UsageError:
    """One error for all the problems of a file."""
    if len(problems) == 1:
        return UsageError(f"{where}: {problems[0].message}", problems[0].hint)
    points = [f"{p.message}; {p.hint}" if p.hint else p.message for p in problems[:MOST_SHOWN]]
    if len(problems) > MOST_SHOWN:
        points.append(f"and {len(problems) - MOST_SHOWN} more")
    return UsageError(f"{where} has {len(problems)} problems", points=points)


def _problem(
    model: type[BaseModel],
    raw: Mapping[str, Any],
    table: str,
    detail: ErrorDetails,
    elsewhere: Mapping[str, Iterable[str]],
) -> Problem:
    key, kind = str(detail["loc"][0]) if detail["loc"] else "", detail["type"]
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    if kind == "extra_forbidden":
        return unknown_setting(table, key, fields, elsewhere)
    field = fields.get(key)
    must_be = (field.description if field is not None else None) or "something else"
    if kind == "missing" and key not in raw:
        return Problem(f"{table} needs a value for '{key}'", f"it must be {must_be}")
    return Problem(f"{table} {key} must be {must_be}{_instead_text(raw[key], detail)}", _guess(detail))


def _instead_text(value: object, detail: ErrorDetails) -> str:
    """What a setting is instead; for a list or a table, which part of it is wrong."""
    for step in detail["loc"][1:]:
        if isinstance(step, int) and _is_list(value) and step < len(value):
            return f", not of {_list_text(value[step])}"
        if isinstance(value, Mapping) and step in value:
            return f", which that of '{_shorten(str(step))}' is not"
    return f", not {_list_text(value) if detail['type'] == 'missing' else show_value(value)}"


def _guess(detail: ErrorDetails) -> str:
    """A hint with the allowed word that a wrong one probably stands for."""
    word = detail["input"]
    if detail["type"] != "literal_error" or not isinstance(word, str):
        return ""
    guess = nearest(word, re.findall("'([^']*)'", str(detail.get("ctx", {}).get("expected", ""))))
    return f'did you mean "{guess}"?' if guess else ""


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _list_text(value: object) -> str:
    return _shorten(f"[{', '.join(map(show_value, value))}]") if _is_list(value) else show_value(value)


def _shorten(text: str) -> str:
    return plain_text(text, _LONGEST_SHOWN)
