"""A study: a scenario, its varied settings and the number of repeats. All cells are checked before any is run."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mpc.errors import UsageError
from parties.report.about import about
from parties.scenario.file import Scenario
from parties.scenario.models import LARGEST_SEED, SqlSource
from parties.scenario.program import ProgramFile
from parties.scenario.star import ROUND, StarScenario
from parties.scenario.toml_write import toml_text
from parties.sweep.settings import Setting, value_text
from parties.tasks.registry import add_program, load_tables, request_of

MOST_CELLS: Final = 10_000
_MOST_FILES: Final = 10_000
_CLIENT: Final = "{client}"


@dataclass(frozen=True)
class Cell:
    """One run of a study.

    Args:
        name: the name of its folder.
        values: the value of each setting, by its dotted name.
        seed: the public seed; None for a kind without one.
        text: the scenario file, with absolute paths.
        digest: the scenario's digest.
    """

    name: str
    values: Mapping[str, Any]
    seed: int | None
    text: str
    digest: str

    @property
    def words(self) -> str:
        """Its settings and seed, in a line."""
        words = [f"{key} = {value_text(value)}" for key, value in self.values.items()]
        return ", ".join([*words, *([f"seed {self.seed}"] if self.seed is not None else [])])


def _check_nothing(scenario: Scenario | StarScenario) -> None:
    """The check of a source without a protocol, which is complete once the scenario was read."""


@dataclass(frozen=True)
class Source:
    """The scenario, or protocol, that a study varies.

    Args:
        path: the scenario file, for messages; relative paths start at its folder.
        tables: a function from the values of the settings to a scenario's tables.
        program: the protocol that is run, if its kind has one.
        check: checks a scenario with a protocol before anything is run; raises UsageError.
    """

    path: Path
    tables: Callable[[Mapping[str, Any]], dict[str, Any]]
    program: ProgramFile | None = None
    check: Callable[[Scenario | StarScenario], None] = _check_nothing


@dataclass(frozen=True)
class Study:
    """A scenario with some settings varied.

    Args:
        name: the scenario's name.
        settings: the settings, each with its values.
        cells: first all combinations of values, then all again for each further repeat.
        processes: the largest number of processes of a run.
        scenario: the agreed settings of the first cell, without addresses and keys.
        program: the protocol that is run, if its kind has one.
        data: SHA-256 of each party's data, if they are on this machine.
        compare: whether each run is compared with one in the clear.
        insecure: whether a test seed makes the secret randomness known.
        digest: SHA-256 of everything that its records depend on, without the number of repeats.
    """

    name: str
    settings: tuple[Setting, ...]
    cells: tuple[Cell, ...]
    processes: int
    scenario: Mapping[str, Any]
    program: ProgramFile | None
    data: Mapping[str, str]
    compare: bool
    insecure: bool
    digest: str


def read_study(source: Source, settings: Sequence[Setting], repeats: int, *, compare: bool) -> Study:
    """Make a study, and check each of its cells.

    Raises:
        UsageError: a combination of values makes no valid scenario.
    """
    combinations = list(_combinations(settings))
    if len(combinations) * repeats > MOST_CELLS:
        hint = "take fewer values or repeats, or several sweeps"
        raise UsageError(f"there would be {len(combinations) * repeats:,} runs, and {MOST_CELLS:,} are the most", hint)
    tables = [source.tables(values) for values in combinations]
    scenarios = [_check(source, one, values) for one, values in zip(tables, combinations, strict=True)]
    for one in tables:
        _refuse_shares(source.path, one)
    seeded = "seed" in type(scenarios[0]).model_fields
    first = tables[0].get("seed", 0) if seeded else 0
    if first + repeats - 1 > LARGEST_SEED:
        raise UsageError(f"{source.path}: seed = {first} leaves no {repeats} seeds", "write a smaller one")
    cells = []
    for repeat, (number, values) in itertools.product(range(repeats), enumerate(combinations, 1)):
        seed = first + repeat if seeded else None
        seeds = {} if seed is None else {"seed": seed}
        text = toml_text(_make_paths_absolute(tables[number - 1] | seeds, source.path.parent))
        digest = scenarios[number - 1].model_copy(update=seeds).digest
        cells.append(Cell(f"{number:03d}-{repeat + 1}", values, seed, text, digest))
    data = _data(scenarios)
    facts: dict[str, Any] = {
        "tables": tables,
        "settings": [[one.key, list(one.values)] for one in settings],
        "program": None if source.program is None else source.program.facts,
        "data": data,
        "compare": compare,
    }
    return Study(
        name=scenarios[0].name,
        settings=tuple(settings),
        cells=tuple(cells),
        processes=max(map(_processes, scenarios)),
        scenario=about(scenarios[0])["settings"],
        program=source.program,
        data=data,
        compare=compare,
        insecure=any(request_of(one).insecure for one in scenarios),
        digest=hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest(),
    )


def _combinations(settings: Sequence[Setting]) -> Iterator[dict[str, Any]]:
    keys = [one.key for one in settings]
    for values in itertools.product(*(one.values for one in settings)):
        yield dict(zip(keys, values, strict=True))


def _check(source: Source, tables: Mapping[str, Any], values: Mapping[str, Any]) -> Scenario | StarScenario:
    try:
        scenario = add_program(load_tables(source.path, tables), source.program)
        if scenario.program is not None:
            source.check(scenario)
    except UsageError as error:
        text = ", ".join(f"{key} = {value_text(value)}" for key, value in values.items())
        message = f"with {text}: {error.message}" if text else error.message
        raise UsageError(message, error.hint, points=error.points) from None
    return scenario


def _refuse_shares(path: Path, tables: Mapping[str, Any]) -> None:
    """Refuse shares of a model: they are one file that counts its uses, and parallel runs cannot share it."""
    for name, party in tables["parties"].items():
        if "model" in party:
            raise UsageError(
                f"{path}: [parties.{name}] has model, and the cells of a sweep share no file",
                "remove it: a training keeps its shares beside each record; scores are made by `mpc run`",
            )


def _make_paths_absolute(tables: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The tables with absolute paths of the data, since the cells' files are in another folder."""

    def absolute(source: Any) -> Any:
        if isinstance(source, Mapping):
            return {**source, "database": absolute(source["database"])}
        return str((folder / source).absolute())

    changed = dict(tables)
    changed["parties"] = {
        name: {**party, "data": absolute(party["data"])} if "data" in party else party
        for name, party in tables["parties"].items()
    }
    if "clients" in tables:
        clients = tables["clients"]
        changed["clients"] = {**clients, "data": absolute(clients["data"])} if "data" in clients else clients
    if "roster" in tables:
        changed["roster"] = {**tables["roster"], "file": absolute(tables["roster"]["file"])}
    return changed


def _processes(scenario: Scenario | StarScenario) -> int:
    if isinstance(scenario, Scenario):
        return len(scenario.parties)
    hosts = min(scenario.clients.processes, scenario.clients.count) if scenario.clients is not None else 0
    return len(scenario.parties) + hosts


def _data(scenarios: Sequence[Scenario | StarScenario]) -> dict[str, str]:
    """SHA-256 of each party's data, over all files that the settings name; missing files are left out."""
    files: dict[str, set[Path]] = {}
    for scenario in scenarios:
        for name, found in _files(scenario):
            files.setdefault(name, set()).update(found)
    hashes = {name: hashlib.sha256() for name in files}
    for name, paths in files.items():
        for file in sorted(paths):
            with file.open("rb") as opened:
                hashes[name].update(hashlib.file_digest(opened, "sha256").digest())
    return {name: one.hexdigest() for name, one in hashes.items()}


def _files(scenario: Scenario | StarScenario) -> Iterator[tuple[str, list[Path]]]:
    if isinstance(scenario, Scenario):
        sources = {name: scenario.parties[name].data for name in scenario.owners}
        files = {name: one.database if isinstance(one, SqlSource) else one for name, one in sources.items()}
        named = {name: str(scenario.directory / file) for name, file in files.items() if file is not None}
    else:
        named = {
            name: str(scenario.directory / scenario.data_of(name))
            for name in scenario.own_process
            if scenario.has_data(name)
        }
        if scenario.clients is not None and scenario.clients.data is not None:
            named["clients"] = str(scenario.directory / scenario.clients.data)
    for name, path in named.items():
        pattern = path.replace(_CLIENT, "*").replace(ROUND, "*")
        found = [Path(path)] if pattern == path else sorted(Path("/").glob(str(Path(pattern).absolute())[1:]))
        yield name, [file for file in found[:_MOST_FILES] if file.is_file()]
