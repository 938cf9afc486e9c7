"""What is wrong with a scenario, in words a person can act on.

pydantic says which field of which table is wrong; the wording here is ours. Every field carries a
`description` that completes the sentence "epochs must be ...", so a wrong type and a wrong range read alike.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
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


class Problem(NamedTuple):
    """One thing that is wrong (`message`) and what to do about it (`hint`, may be empty)."""

    message: str
    hint: str = ""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` most probably stands for, if any is near."""
    by_lower_case = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_lower_case, n=1, cutoff=0.6)
    return by_lower_case[found[0]] if found else None


def quoted(words: Iterable[str]) -> str:
    """Words as a list in a sentence: 'a', 'b' and 'c'."""
    items = [f"'{word}'" for word in words]
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def shown(value: object) -> str:
    """A value of the scenario file, as its author wrote it, at most a few words long."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) >= _LARGEST_SHOWN:
        return "a huge number"
    if isinstance(value, (int, float)):
        return _shortened(repr(value))
    if isinstance(value, str):
        return _shortened(f'"{value}"') if value else "an empty text"
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
    message = f"{table} has no setting '{_shortened(key)}'"
    guess = nearest(key, known)
    if guess is not None:
        return Problem(message, f"did you mean '{guess}'?")
    home = next((name for name, keys in elsewhere.items() if key in set(keys) and name != table), None)
    if home is not None:
        return Problem(message, f"'{key}' belongs in {home}")
    return Problem(message, f"it has {', '.join(sorted(known))}")


def add_unknown(
    table: str, key: str, known: Iterable[str], elsewhere: Mapping[str, Iterable[str]], problems: list[Problem]
) -> None:
    """Add what is to be said of a key that its table does not have; a near one is looked for if that will be shown."""
    shown_still = len(problems) < MOST_SHOWN
    problems.append(unknown_setting(table, key, known, elsewhere) if shown_still else Problem(f"{table}: another one"))


def read_table(
    model: type[Model],
    raw: object,
    table: str,
    problems: list[Problem],
    elsewhere: Mapping[str, Iterable[str]],
) -> Model | None:
    """Validate one table of the file; what is wrong with it is added to `problems` and None returned."""
    if not isinstance(raw, Mapping):
        problems.append(Problem(f"{table} must be a table, not {shown(raw)}"))
        return None
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        seen: set[str] = set()
        for detail in error.errors(include_url=False):
            key = str(detail["loc"][0]) if detail["loc"] else ""
            if key not in seen:
                seen.add(key)
                shown_still = len(problems) < MOST_SHOWN
                problems.append(_problem(model, raw, table, detail, elsewhere) if shown_still else Problem(table))
        return None


def refuse(where: str, problems: Sequence[Problem]) -> UsageError:
    """One error for all that is wrong with a scenario file."""
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
    return Problem(f"{table} {key} must be {must_be}{_but(raw[key], detail)}", _meant(detail))


def _but(value: object, detail: ErrorDetails) -> str:
    """What a setting is instead; of a list or a table, what in it is wrong."""
    for step in detail["loc"][1:]:
        if isinstance(step, int) and _is_list(value) and step < len(value):
            return f", not of {_with_items(value[step])}"
        if isinstance(value, Mapping) and step in value:
            return f", which that of '{_shortened(str(step))}' is not"
    return f", not {_with_items(value) if detail['type'] == 'missing' else shown(value)}"


def _meant(detail: ErrorDetails) -> str:
    """The word of a list of words that a wrong one probably stands for."""
    word = detail["input"]
    if detail["type"] != "literal_error" or not isinstance(word, str):
        return ""
    guess = nearest(word, re.findall("'([^']*)'", str(detail.get("ctx", {}).get("expected", ""))))
    return f'did you mean "{guess}"?' if guess else ""


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _with_items(value: object) -> str:
    return _shortened(f"[{', '.join(map(shown, value))}]") if _is_list(value) else shown(value)


def _shortened(text: str) -> str:
    return plain_text(text, _LONGEST_SHOWN)
