"""One-line bugs, each with the tests that find it: tests/mutants.diff, as `make sweep` plants them (sweep_mutants.py).

    === NAME
    what it does wrong
    a test, as pytest names it; another one
    --- the file of the sources
    @@
     lines as they are, then those that go and come
    -old
    +new

The old lines occur once in their file, which `make test` checks: who removes them, plants a bug in what took over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

FILE = Path(__file__).with_suffix(".diff")


@dataclass(frozen=True)
class Mutant:
    """A bug.

    Args:
        what: it does wrong.
        tests: for pytest: the fewest and fastest that find it.
        file: of the sources.
        changes: (lines in the file, what stands there instead), one after the other.
    """

    name: str
    what: str
    tests: tuple[str, ...]
    file: str
    changes: tuple[tuple[str, str], ...]

    def planted(self, text: str) -> str:
        """The file's text with the bug.

        Raises:
            ValueError: a change's old lines are not there, or there more than once.
        """
        for old, new in self.changes:
            planted, times = re.subn(f"(?m)^{re.escape(old)}", new.replace("\\", r"\\"), text)
            if times != 1:
                raise ValueError(f"{self.name}: {self.file} has these lines {times} times, and not once:\n{old}")
            text = planted
        return text


def mutants(path: Path = FILE) -> tuple[Mutant, ...]:
    """All that a file has, in its order."""
    blocks = f"\n{path.read_text()}".split("\n=== ")[1:]
    return tuple(_mutant(*block.split("\n", 4)) for block in blocks)


def _mutant(name: str, what: str, tests: str, file: str, changes: str) -> Mutant:
    return Mutant(name, what, tuple(tests.split("; ")), file.removeprefix("--- "), tuple(_changes(changes)))


def _changes(text: str) -> Iterator[tuple[str, str]]:
    for is_head, group in groupby(text.splitlines(), key=lambda line: line == "@@"):
        if not is_head:
            lines = list(group)
            yield _of(lines, " -"), _of(lines, " +")


def _of(lines: list[str], marks: str) -> str:
    return "".join(f"{line[1:]}\n" for line in lines if line[0] in marks)
