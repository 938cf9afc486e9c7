"""Tables of settings in docs/: what each setting may be, and its default, from the models that read a scenario file.

In a page, a table below a line `<!-- settings: NAME -->` is of one kind of task, or of one table of a scenario file.
Its first and last columns are the page's own: which settings, in which order, and what they mean. The column between
is written here. A kind's settings that are not in its table have to be in the first kind's, and be the same there.

    python -m tools.settings_tables        writes the tables anew
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple, get_args

from pydantic.fields import FieldInfo

from parties.scenario.models import (
    LARGEST_COUNT,
    LARGEST_SEED,
    Head,
    PartySpec,
    RosterSpec,
    SessionSpec,
    Table,
    TestingSpec,
)
from parties.scenario.network import CutSpec, NetworkSpec
from parties.scenario.privacy import PrivacySpec
from parties.scenario.star import ClientsSpec, StarParty
from parties.tasks.registry import KINDS

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
MODELS: Final[Mapping[str, tuple[type[Table], ...]]] = {
    "top": (Head,),
    "parties": (PartySpec,),
    "others": (SessionSpec, RosterSpec, TestingSpec),
    "privacy": (PrivacySpec,),
    "network": (NetworkSpec,),
    "cuts": (CutSpec,),
    "parties of a secure sum": (StarParty,),
    "clients": (ClientsSpec,),
    **{name: (kind.task,) for name, kind in KINDS.items()},
}
"""By the NAME that a page gives a table: the models of its settings."""

_TABLE: Final = re.compile(r"(?<=<!-- settings: )([\w ]+)( -->\n)((?:\|.*\n)+)")
_SETTING: Final = re.compile(r"`\[*(?:task\.)?(\w+)\]*`")
_CODE: Final = re.compile(r'\{[^{}]*\}|"[^"]*"')
_LARGEST: Final = re.compile(f" to (?:{LARGEST_COUNT}|{LARGEST_SEED})$")


class Row(NamedTuple):
    """A setting in a page."""

    label: str
    setting: str
    meaning: str


def values(name: str) -> dict[str, str]:
    """What each setting of a table may be, and its default; of a kind's, those that have more than one value."""
    fields = {
        field.alias or key: field
        for model in MODELS[name]
        for key, field in model.model_fields.items()
        if name not in KINDS or name == next(iter(KINDS)) or len(get_args(field.annotation)) != 1
    }
    return {key: _value(field) for key, field in fields.items()}


def _value(field: FieldInfo) -> str:
    what = _CODE.sub(lambda code: f"`{code[0]}`", _LARGEST.sub("", field.description or ""))
    if field.is_required():
        return f"{what}; required"
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None or default in ((), {}):
        return f"{what}; optional"
    return f"{what}; default `{json.dumps(default).removesuffix('.0')}`"


def tables(text: str) -> Iterator[tuple[str, list[Row]]]:
    """The tables of settings of a page, each by its name."""
    for name, _, table in _TABLE.findall(text):
        yield name, _rows(table)


def _rows(table: str) -> list[Row]:
    rows = []
    for line in table.splitlines()[2:]:
        label, _, meaning = (cell.strip() for cell in line.strip("|").split(" | "))
        found = _SETTING.fullmatch(label)
        if found is None:
            raise ValueError(f"{label} is no setting")
        rows.append(Row(label, found[1], meaning))
    return rows


def renewed(text: str) -> str:
    """The page with what the models say of its settings; one that they do not have is taken out."""

    def table(found: re.Match[str]) -> str:
        known = values(found[1])
        lines = [
            f"| {row.label} | {known[row.setting]} | {row.meaning} |\n"
            for row in _rows(found[3])
            if row.setting in known
        ]
        return f"{found[1]}{found[2]}| setting | value | meaning |\n|---|---|---|\n{''.join(lines)}"

    return _TABLE.sub(table, text)


def lacking() -> list[str]:
    """Settings that no page has a row for."""
    listed: dict[str, set[str]] = {name: set() for name in MODELS}
    for page in DOCS.glob("*.md"):
        for name, rows in tables(page.read_text(encoding="utf-8")):
            listed[name].update(row.setting for row in rows)
    first = next(iter(KINDS))
    shared = {setting: value for setting, value in values(first).items() if setting in listed[first]}
    return [
        f"{name}: {setting}"
        for name in MODELS
        for setting, value in values(name).items()
        if setting not in listed[name] and not (name in KINDS and shared.get(setting) == value)
    ]


def main() -> None:
    """Write the tables anew, and say which settings have no row."""
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        page.write_text(renewed(text), encoding="utf-8")
    for setting in lacking():
        print(f"no page has a row for {setting}")


if __name__ == "__main__":
    main()
