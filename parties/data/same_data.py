"""A warning where parties of a run on one machine read the same table: probably a slip that nothing else shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from parties.scenario.models import SqlSource


def warn_of_same_data(sources: Mapping[str, str | SqlSource | None], base: Path) -> Iterator[str]:
    """A warning for each party whose data another one named before it.

    Args:
        sources: each party's `data`.
        base: the folder that relative paths start from.
    """
    holder: dict[tuple[Path, str], str] = {}
    for name, source in sources.items():
        if source is None:
            continue
        file, sql = (source.database, source.sql) if isinstance(source, SqlSource) else (source, "")
        first = holder.setdefault(((base / file).resolve(), sql), name)
        if first != name:
            yield f"{first} and {name} have the same data ({Path(file).name}): each row counts twice"
