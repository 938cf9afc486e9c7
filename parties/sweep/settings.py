"""The option `--set`: a setting of the scenario, by its dotted name, and its values."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpc.errors import UsageError, plain_text
from parties.scenario.problems import nearest, quote


@dataclass(frozen=True)
class Setting:
    """A setting (`task.l2`) and its values, as in a scenario file."""

    key: str
    values: tuple[Any, ...]

    @property
    def short(self) -> str:
        """The last part of the dotted name."""
        return self.key.rsplit(".", 1)[-1]


def read_settings(options: Sequence[str]) -> tuple[Setting, ...]:
    """Parse each `--set KEY=VALUE,VALUE,...`.

    A value is written as in a scenario file: a number, true or false, a list, a text in quotes. Any other word is a
    text, too.

    Raises:
        UsageError: a setting has no key, no value or the same value twice, or a key is given twice.
    """
    settings = tuple(map(_read, options))
    keys = [one.key for one in settings]
    repeated = [key for key in dict.fromkeys(keys) if keys.count(key) > 1]
    if repeated:
        raise UsageError(f"--set gives {quote(repeated)} twice", "give all its values at once, with commas between")
    return settings


def _read(text: str) -> Setting:
    key, equals, after = text.partition("=")
    key = key.strip()
    if not (key and equals and after.strip()) or not all(key.split(".")):
        raise UsageError(f"--set {plain_text(text, 60)} is no setting with values", "write it as task.l2=0,0.1,1")
    if key == "seed":
        raise UsageError("--set seed: every repeat has a seed of its own", "ask for more of them with --repeats")
    values = _values(after)
    texts = [value_text(value) for value in values]
    repeated = [text for text in dict.fromkeys(texts) if texts.count(text) > 1]
    if repeated:
        raise UsageError(f"--set {key} has the value {', '.join(repeated)} twice", "give each value once")
    return Setting(key, values)


def _values(text: str) -> tuple[Any, ...]:
    """The values of a TOML list; if it is not valid TOML, each word is a value by itself."""
    try:
        return tuple(tomllib.loads(f"x = [{text}]")["x"])
    except tomllib.TOMLDecodeError:
        return tuple(map(_word, text.split(",")))


def _word(text: str) -> Any:
    try:
        return tomllib.loads(f"x = {text.strip()}")["x"]
    except tomllib.TOMLDecodeError:
        return text.strip()


def value_text(value: object) -> str:
    """A value as text for people; different values have different texts."""
    if isinstance(value, str) and _word(value) == value:
        return plain_text(value)
    return plain_text(json.dumps(value, ensure_ascii=False, default=str))


def apply_settings(tables: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a scenario's tables with other values of some settings; missing tables are added.

    Raises:
        UsageError: a setting names an unknown party, or lies within a setting that is not a table.
    """
    changed = dict(tables)
    for key, value in values.items():
        *path, last = key.split(".")
        if path[:1] == ["parties"] and len(path) == 2:
            _check_party(tables, path[1])
        table = changed
        for step in path:
            inner = table.get(step, {})
            if not isinstance(inner, Mapping):
                raise UsageError(f"--set {key}: '{step}' is no table", "name a setting as in task.l2")
            table[step] = dict(inner)
            table = table[step]
        table[last] = value
    return changed


def _check_party(tables: Mapping[str, Any], name: str) -> None:
    parties = tables.get("parties")
    if isinstance(parties, Mapping) and name not in parties:
        guess = nearest(name, parties)
        hint = f"did you mean '{guess}'?" if guess else f"the parties are {', '.join(parties)}"
        raise UsageError(f"--set parties.{name}: the scenario has no party '{name}'", hint)
