"""Tables as a TOML text: what `tomllib` reads of it are the same tables."""

from __future__ import annotations

import json
from collections.abc import Mapping


def toml_text(tables: Mapping[str, object]) -> str:
    """The text of a scenario file's tables: the settings of the top first, then each table.

    Args:
        tables: texts, numbers, truth values, lists and tables of them, as `tomllib` gives them.

    Raises:
        TypeError: there is something else in them, such as a date, which no scenario has.
    """
    top = [f"{_key(key)} = {_value(one)}" for key, one in tables.items() if not isinstance(one, Mapping)]
    return "\n".join([*top, *_tables(tables, "")]) + "\n"


def _tables(tables: Mapping[str, object], above: str) -> list[str]:
    lines = []
    for key, one in tables.items():
        if isinstance(one, Mapping):
            name = f"{above}{_key(key)}"
            own = [f"{_key(inner)} = {_value(value)}" for inner, value in one.items() if not isinstance(value, Mapping)]
            lines += ["", f"[{name}]", *own, *_tables(one, f"{name}.")]
    return lines


def _key(name: str) -> str:
    return name if name and name.isascii() and name.replace("_", "").replace("-", "").isalnum() else _text(name)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items()) + " }"
    raise TypeError(f"a {type(value).__name__} has no place in a scenario")


def _text(text: str) -> str:
    # JSON's escapes are TOML's, too; but TOML takes no DEL as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
