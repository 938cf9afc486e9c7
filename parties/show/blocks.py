"""Lines and grids of text: how numbers read, and how both are shown on a terminal or as plain text."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

from mpc.errors import plain_text

if TYPE_CHECKING:
    from rich.box import Box
    from rich.console import Console

MISSING: Final = "-"
PLAIN_WIDTH: Final = 100
"""Columns of the output where there is no terminal."""


def print_blocks(blocks: Iterable[Block], console: Console | None = None) -> None:
    """Print lines and grids. A closed pipe is no error."""
    from rich.text import Text

    console = console or _standard_console()
    box = _box(console)
    with console.capture() as captured:
        for block in blocks:
            if isinstance(block, Grid):
                _print_grid(block, console, box)
            else:
                text = Text(plain_text(block.text), style=block.style)
                console.print(text, soft_wrap=not block.wrap)
    write_text("".join(line.rstrip() + "\n" for line in captured.get().splitlines()), console.file, console.encoding)


def write_text(text: str, file: IO[str], encoding: str) -> None:
    """Write a command's output, with escapes for letters that the encoding lacks. A closed pipe is no error."""
    try:
        file.write(text.encode(encoding, "backslashreplace").decode(encoding))
        file.flush()
    except OSError as problem:
        # Otherwise Python reports the error again when it flushes at exit.
        if file is sys.stdout:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(problem, BrokenPipeError):
            raise


def table(value: object) -> Mapping[str, Any]:
    """The value if it is a table, else an empty one: a record may lack any part."""
    return value if isinstance(value, Mapping) else {}


def entries(value: object) -> Sequence[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list | tuple) else ()


def is_number(value: object) -> bool:
    """Whether there is a finite number to show."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def to_fixed(value: Any, digits: int = 4) -> str:
    """A number with so many decimals."""
    return f"{value:.{digits}f}" if is_number(value) else MISSING


def to_digits(value: Any, digits: int = 4) -> str:
    """A number with so many significant digits."""
    return f"{value:#.{digits}g}".rstrip(".") if is_number(value) else MISSING


def count_text(value: Any) -> str:
    """A whole number with separators."""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else MISSING


def seconds_text(value: Any) -> str:
    """Seconds, to the millisecond where there are few."""
    return to_fixed(value, 3 if is_number(value) and value < 10 else 1)


def duration_text(seconds: float) -> str:
    """A length of time in words, to about two digits."""
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    text = f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}"
    return f"{text} second" if text == "1" else f"{text} seconds"


def bytes_text(value: Any) -> str:
    """Bytes exactly, and in a unit that is easy to read."""
    if not isinstance(value, int) or isinstance(value, bool):
        return MISSING
    return f"{value:,} ({short_bytes(value)})" if value >= 1000 else f"{value}"


def short_bytes(value: float) -> str:
    """Bytes to three digits, in decimal units as networks count."""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB" if value < 999.5 else f"{value:,.0f} TB"


def size_text(shape: Any) -> str:
    """How many numbers a shape holds."""
    sizes = entries(shape)
    return count_text(math.prod(sizes)) if all(isinstance(size, int) for size in sizes) else MISSING


def plural(count: int, noun: str) -> str:
    """ "1 owner", "2 owners"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def join_words(words: Sequence[str]) -> str:
    """Words with commas between them, and "and" before the last."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


@dataclass(frozen=True)
class Line:
    """A paragraph. `style` is rich's; `wrap` is off for what is to be copied, such as a path."""

    text: str
    style: str = ""
    wrap: bool = True


@dataclass(frozen=True)
class Grid:
    """A table of text; the columns in `left` are aligned to the left and may be wrapped."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: frozenset[int] = frozenset({0})


Block = Line | Grid


def _standard_console() -> Console:
    from rich.console import Console

    if sys.stdout.isatty():
        return Console(file=sys.stdout, highlight=False)
    return Console(file=sys.stdout, highlight=False, width=PLAIN_WIDTH, force_terminal=False, color_system=None)


def _box(console: Console) -> Box:
    from rich import box

    # No box-drawing characters in a file: a line of dashes below the heads, and blanks.
    dashes = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
    return box.SIMPLE_HEAD if console.is_terminal else dashes


def _print_grid(grid: Grid, console: Console, box: Box) -> None:
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box, pad_edge=False, show_edge=False, header_style="bold" if console.is_terminal else "")
    for place, name in enumerate(grid.columns):
        on_left = place in grid.left
        shown.add_column(
            Text(plain_text(name)), justify="left" if on_left else "right", no_wrap=not on_left, overflow="fold"
        )
    for row in grid.rows:
        shown.add_row(*(Text(plain_text(cell)) for cell in row))
    console.print()
    console.print(Text(plain_text(grid.title), style="bold"))
    console.print(shown)


def owners_of(record: Mapping[str, Any]) -> list[str]:
    """The owners' names."""
    return [str(n) for n, entry in table(record.get("parties")).items() if table(entry).get("role") == "owner"]


def files_of(record: Mapping[str, Any], key: str) -> tuple[tuple[str, str], ...]:
    """Each owner's file, beside the record."""
    parties = table(record.get("parties"))
    return tuple((str(name), str(table(one)[key])) for name, one in parties.items() if table(one).get(key))
