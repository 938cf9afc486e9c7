"""The tables in a record, whatever kind of task it is of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def tables_of(record: Mapping[str, Any]) -> dict[str, Sequence[Row]]:
    """Every table, by its place: the keys that lead to it, with dots between. A row is a dict.

    A table is a list of objects, an object of lists of one length (its columns), an object of objects that are alike,
    or an object of single values: of these last two the first column is `name`. What lies deeper in a row is a column
    with a dotted name, such as `seconds.online`.
    """
    return dict(_tables(record, ""))


def _tables(value: Any, place: str) -> Iterator[tuple[str, Sequence[Row]]]:
    if isinstance(value, list):
        if value and all(isinstance(one, Mapping) for one in value):
            yield place, [_flat(one) for one in value]
        return
    if not isinstance(value, Mapping) or not value:
        return
    rows = _rows(value) if place else None
    if rows is not None:
        yield place, rows
        return
    for key, one in value.items():
        yield from _tables(one, f"{place}.{key}" if place else str(key))


def _rows(value: Mapping[str, Any]) -> list[Row] | None:
    """An object as rows, if it is a table."""
    inner = list(value.values())
    columns = {name: one for name, one in value.items() if _is_column(one)}
    if len(columns) > 1 and len({len(one) for one in columns.values()}) == 1:
        return [dict(zip(columns, entries, strict=True)) for entries in zip(*columns.values(), strict=True)]
    if not any(isinstance(one, Mapping | list) for one in inner):
        return [{"name": name, "value": one} for name, one in value.items()]
    if all(isinstance(one, Mapping) for one in inner):
        flat = {name: _flat(one) for name, one in value.items()}
        common = set.intersection(*(set(one) for one in flat.values()))
        simple = not any(_has_table(one) for row in flat.values() for one in row.values())
        if simple and len(common) > 1:
            return [{"name": name, **row} for name, row in flat.items()]
    return None


def _is_column(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and not any(isinstance(one, Mapping | list) for one in value)


def _has_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without objects in it."""
    flat: dict[str, Any] = {}
    for name, one in row.items():
        if isinstance(one, Mapping):
            flat |= {f"{name}.{inner}": value for inner, value in _flat(one).items()}
        else:
            flat[str(name)] = one
    return flat
