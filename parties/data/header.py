"""The first line of an owner's text file, and DuckDB's report of a bad line without the values in it."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mpc.errors import DataError
from parties.scenario.problems import quote
from parties.show.blocks import plural

HEAD_BYTES = 2**20
"""Bytes of a file that are searched for its header."""

_DELIMITERS = (",", ";", "\t", "|")
_TITLES = 5  # titles above a header take few lines


@dataclass(frozen=True)
class Origin:
    """The owner and the file that errors name."""

    owner: str
    source: str

    def error(self, message: str, hint: str = "") -> DataError:
        """A DataError that begins with the owner and the file."""
        return DataError(f"{self.owner}, {self.source}: {message}", hint, party=self.owner)


def read_header(head: bytes, codec: str, where: Origin) -> tuple[list[str], str]:
    """The column names of a text file, and its delimiter."""
    if b"\0" in head and not codec.startswith("utf-16"):
        raise where.error("this is not a text file", "export the table as CSV")
    try:
        # The head may end within a letter.
        text = codecs.getincrementaldecoder(codec)().decode(head, final=len(head) < HEAD_BYTES)
    except UnicodeDecodeError as error:
        line = head.count(b"\n", 0, error.start) + 1
        raise encoding_error(codec, where, f" (line {line})") from None
    if not text.strip():
        raise where.error("the file is empty", "check that it was exported completely")
    if text[0] in "\r\n":
        raise where.error("the file begins with an empty line", "the first line must name the columns")
    if re.match(r"sep=.[\r\n]", text, re.IGNORECASE):
        raise where.error(
            "the first line is a spreadsheet's note of what separates the cells, not the names of the columns",
            "remove that line: what separates them is seen without it",
        )
    records = {delimiter: _first_record(text, delimiter) for delimiter in _DELIMITERS}
    delimiter = max(_DELIMITERS, key=lambda candidate: len(records[candidate]))
    names = records[delimiter]
    if not any(names):
        raise where.error("the first line names no column", "the first line must name the columns")
    refuse_repeated([name for name in names if name], "the header", where)
    return names, delimiter


def _first_record(text: str, delimiter: str) -> list[str]:
    # Universal line ends, as DuckDB has them: a lone \r ends a line too.
    lines = io.StringIO(text, newline=None)
    try:
        return [name.strip() for name in next(csv.reader(lines, delimiter=delimiter))]
    except csv.Error:
        return []


def refuse_repeated(names: Sequence[str], what: str, where: Origin) -> None:
    """Refuse repeated column names.

    Raises:
        DataError: a name is there twice.
    """
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise where.error(f"{what} names more than one column {quote(repeated)}", "give every column a name of its own")


def csv_error(report: str, where: Origin) -> DataError:
    """The error for DuckDB's report of a bad line, without the line itself: it holds a patient's values."""
    line = re.search(r"CSV Error on Line: (\d+)", report)
    at = f"line {line[1]}" if line else "a line"
    cells = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", report)
    if cells:
        named, found = int(cells[1]), int(cells[2])
        hint = "a cell that holds the delimiter must stand in double quotes"
        if line and int(line[1]) <= _TITLES and found > named:
            hint = f"the first line must name the columns: remove a title above them; or {hint}"
        return where.error(f"{at} has {plural(found, 'cell')} where the header names {plural(named, 'column')}", hint)
    lowered = report.lower()
    if "utf-8" in lowered or "unicode" in lowered:
        return encoding_error("utf-8", where, f" ({at})")
    if "quote" in lowered.split("possible", 1)[0]:
        return where.error(f"a double quote in {at} is not closed", "close it, or double it inside a cell")
    if "maximum line size" in lowered:
        return where.error(f"{at} is longer than a row of a table can be", "check for a quote left open")
    return where.error("the file cannot be read as CSV", "check that all lines end alike and that quotes are closed")


def encoding_error(codec: str, where: Origin, at: str = "") -> DataError:
    """The error for bytes that are no text in this encoding."""
    name = "windows-1252" if codec == "cp1252" else "UTF-16" if codec.startswith("utf-16") else "UTF-8"
    hint = f'save it as UTF-8, or name its `encoding` in [parties.{where.owner}], such as encoding = "latin-1"'
    return where.error(f"the file is not {name} text{at}", hint)
