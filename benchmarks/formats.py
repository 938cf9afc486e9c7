"""How the report writes numbers, messages and tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_FOLDERS = re.compile(r"(?<![\w.~-])/(?:[\w.+@-]+/)+")
_ADDRESS = re.compile(r"\S*(?:https?:|pypi|pythonhosted)\S*", re.IGNORECASE)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: the first column to the left, all others to the right."""
    lines = ["| " + " | ".join(head) + " |", "| :-- |" + " --: |" * (len(head) - 1)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def clean(text: str) -> str:
    """A message without this machine's folders and without addresses of servers."""
    return _ADDRESS.sub("(address)", _FOLDERS.sub("", " ".join(text.split())))


def ms(seconds: float | None) -> str:
    """Milliseconds to three digits."""
    return "-" if seconds is None else digits(seconds * 1e3)


def size(count: float | None) -> str:
    """Bytes in kB or MB."""
    if count is None:
        return "-"
    return f"{digits(count / 1e6)} MB" if count >= 1e6 else f"{digits(count / 1e3)} kB"


def small(value: float | None) -> str:
    """A small number to two digits."""
    return "-" if value is None else f"{value:.1e}"


def digits(value: float) -> str:
    """Three digits, and no more than three after the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"
