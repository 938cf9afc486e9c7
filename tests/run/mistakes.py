"""How to make a mistake: edits of the files of a scenario that is right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from parties.tasks.registry import load_scenario
from parties.trust.consent import remember
from parties.trust.keys import generate
from tests.run.scenarios import write_csv, write_scenario

SECRET = "SECRET"
"""Stands in cells that are wrong: no message, log or frame may hold it."""

PARTIES = ("hospital_a", "hospital_b", "helper")
KIND = 'kind = "logistic_regression"'
B_DATA = 'data = "hospital_b.csv"'

Edit = Callable[[Path], object]


def nothing(folder: Path) -> None:
    """Leaves all as it is: what is typed is wrong by itself."""


@dataclass(frozen=True)
class Mistake:
    """What a user types in a folder of right files, the exit code, what is said, and how the files went wrong."""

    words: str
    code: int
    says: Sequence[str]
    spoil: Edit = nothing


def write_folder(folder: Path) -> None:
    """The folder that a user stands in: a scenario for `mpc run`, one for `mpc party`, data and keys."""
    text = write_scenario(folder).read_text()
    for number, name in enumerate(PARTIES):
        _, key = generate(name, folder / "keys")
        address = "" if name == "helper" else f'address = "127.0.0.1:{7101 + number}"\n'
        text = text.replace(f"[parties.{name}]\n", f'[parties.{name}]\npublic_key = "{key}"\n{address}')
    (folder / "separate.toml").write_text(text)


def approved(name: str) -> Edit:
    """The scenario for `mpc party`, approved by a party as it is now."""
    return lambda folder: remember(load_scenario(folder / "separate.toml"), name, folder / "keys")


def all_of(*edits: Edit) -> Edit:
    """Several things done."""

    def spoil(folder: Path) -> None:
        for edit in edits:
            edit(folder)

    return spoil


def text(name: str, *changes: tuple[str, str]) -> Edit:
    """Another text in a file."""

    def spoil(folder: Path) -> None:
        found = (folder / name).read_text()
        for old, new in changes:
            assert old in found, f"the test's own {name} has no {old!r}"
            found = found.replace(old, new, 1)
        (folder / name).write_text(found)

    return spoil


def scenario(*changes: tuple[str, str]) -> Edit:
    """Another text in the scenario."""
    return text("small.toml", *changes)


def task(*settings: str) -> Edit:
    """More settings in [task]."""
    return scenario((KIND, "\n".join((KIND, *settings))))


def same_data() -> Edit:
    """Both hospitals read the second one's file."""
    return scenario(('"hospital_a.csv"', '"hospital_b.csv"'))


def file(content: str | bytes, name: str = "hospital_b.csv") -> Edit:
    """Another file."""
    raw = content if isinstance(content, bytes) else content.encode()
    return lambda folder: _write(folder / name, raw)


def more(content: bytes) -> Edit:
    """Another line at the end of the second hospital's file."""
    return lambda folder: _write(folder / "hospital_b.csv", (folder / "hospital_b.csv").read_bytes() + content)


def without(name: str) -> Edit:
    """A file that is not there."""
    return lambda folder: (folder / name).unlink()


def without_lines(name: str, beginning: str) -> Edit:
    """A file without the lines that begin so."""

    def spoil(folder: Path) -> None:
        lines = (folder / name).read_text().splitlines(keepends=True)
        (folder / name).write_text("".join(line for line in lines if not line.startswith(beginning)))

    return spoil


def fewer(rows: int) -> Edit:
    """So many rows in the second hospital's file."""
    return lambda folder: write_csv(folder / "hospital_b.csv", rows, 1)


def column(name: str, new: Callable[[int, str], str]) -> Edit:
    """Other values in a column of the second hospital's file, from the row's number and the old value."""

    def spoil(folder: Path) -> None:
        path = folder / "hospital_b.csv"
        lines = [line.split(",") for line in path.read_text().splitlines()]
        place = lines[0].index(name)
        for row, line in enumerate(lines[1:], 1):
            line[place] = new(row, line[place])
        path.write_text("".join(",".join(line) + "\n" for line in lines))

    return spoil


def cell(name: str, value: str) -> Edit:
    """Another value in a column's fourth row."""
    return column(name, lambda row, old: value if row == 4 else old)


def _write(path: Path, raw: bytes) -> None:
    path.unlink(missing_ok=True)  # a key file may not be written to
    path.touch(mode=0o600 if path.suffix == ".key" else 0o666)
    path.write_bytes(raw)
