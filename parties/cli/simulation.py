"""What `mpc simulate` does: it writes a scenario, and runs all its parties, as processes or in one thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mpc.errors import UsageError
from parties.base.private_files import create_private
from parties.cli.output import Output
from parties.report.record import add_comparison, check_out, record_of
from parties.report.recorded_run import FinishedRun, run_and_record
from parties.scenario.file import Scenario
from parties.scenario.program import TABLE, ProgramFile, is_table, read_program
from parties.scenario.toml_text import parse_toml
from parties.tasks.registry import job_of, load_tables, planned

SCENARIO: Final = "scenario.toml"
HELPER: Final = "helper"


@dataclass(frozen=True, kw_only=True)
class ProtocolRun:
    """The options of a simulation, whoever the parties are.

    Args:
        program: FILE:FUNCTION; of clients the name of a pair, FILE:NAME.
        inputs: what every owner or client gives.
        files: the owners' tables, in their order; or the clients' one table, or a path with {client} in it.
        columns: of these tables; empty: every one of numbers.
        seed: public: what inputs are drawn from.
        network: the preset of what the links are made to be like.
        insecure_seed: of all secret randomness, for tests.
        given: of each owner (the ring elements in hexadecimal) or client (its arrays), the inputs that are `given`.
    """

    program: str
    inputs: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    columns: tuple[str, ...] = ()
    seed: int = 0
    network: str | None = None
    insecure_seed: int | None = None
    given: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def named_inputs(self) -> tuple[str, ...]:
        """The inputs; the table is the first, where there is one and no input says which it is."""
        table_first = bool(self.files) and not any(map(is_table, self.inputs))
        return (TABLE, *self.inputs) if table_first else self.inputs

    def head(self) -> list[str]:
        """The lines of the scenario file above its first table."""
        name = self.program.rpartition(":")[2] or "protocol"
        return ["schema = 1", f"name = {quoted(name)}", f"seed = {self.seed}"]

    def tail(self, kind: str, columns: tuple[str, ...]) -> list[str]:
        """The lines of its [task], [network] and [testing]."""
        lines = ["", "[task]", f"kind = {quoted(kind)}", f"inputs = [{', '.join(map(quoted, self.named_inputs))}]"]
        if self.files:
            lines.append("min_rows = 1")
        if columns:
            lines.append(f"columns = [{', '.join(map(quoted, columns))}]")
        if self.network is not None:
            lines += ["", "[network]", f"preset = {quoted(self.network)}"]
        if self.insecure_seed is not None:
            lines += ["", "[testing]", f"insecure_seed = {self.insecure_seed}"]
        return lines


@dataclass(frozen=True, kw_only=True)
class Simulation(ProtocolRun):
    """A protocol of owners and a helper.

    Args:
        owners: how many; None: two, or as many as there are files.
        names: of the owners, where they have any.
    """

    owners: int | None = None
    names: tuple[str, ...] = ()


def run_simulation(
    asked: Simulation, out: Path | None, output: Output, *, lockstep: bool, trace: bool = False
) -> FinishedRun:
    """Run the protocol; its scenario and its file are in the run's folder, too.

    Args:
        lockstep: whether all parties run in one thread.
        trace: whether every party records its rounds.

    Raises:
        BeaverlodgeError: what is wrong with what was asked; or the first cause of a failure, which the record names.
    """
    check_out(out)
    text = scenario_text(asked)
    scenario = scenario_of(asked.program, text).model_copy(update={"given": dict(asked.given)})
    check_plan(scenario)
    return run_and_record(scenario, out, lambda folder: _run(scenario, folder, text, output, lockstep, trace))


def scenario_of(program: str, text: str) -> Scenario:
    """The scenario of a file that is not written yet, with the protocol that FILE:FUNCTION names."""
    scenario = load_tables(Path(SCENARIO), parse_toml(text))
    assert isinstance(scenario, Scenario)
    return scenario.model_copy(update={"program": read_program(program, alone=False)})


def check_plan(scenario: Scenario) -> None:
    """Tells of a slip in the program before there is a folder or a process. Tables are left to their owners."""
    job = job_of(scenario)
    if any(job.data.pools(scenario, owner) for owner in scenario.owners):
        job.run.settings(scenario, dict.fromkeys(scenario.owners, (1, 0)), 1)
    else:
        planned(scenario)


def _run(scenario: Scenario, folder: Path, text: str, output: Output, lockstep: bool, trace: bool) -> dict[str, Any]:
    placed = scenario.model_copy(update={"path": write_files(scenario.program, folder, text)})
    if lockstep:
        from parties.session.lockstep import run_in_one_thread

        return add_comparison(placed, record_of(placed, run_in_one_thread(placed, folder if trace else None)))
    from parties.cli.run_locally import run_parties

    return run_parties(placed, folder, output, compare=True, trace=trace)


def write_files(program: ProgramFile | None, folder: Path, text: str) -> Path:
    """Write a scenario and its protocol's file into the run's folder; returns the scenario's path."""
    assert program is not None
    path = folder / SCENARIO
    create_private(path, text.encode())
    create_private(folder / program.path.name, program.text.encode())
    return path


def scenario_text(asked: Simulation) -> str:
    """The scenario file of what is asked.

    Raises:
        UsageError: there are not as many files as owners, or no inputs.
    """
    count = asked.owners or len(asked.files) or 2
    owners = asked.names or tuple(f"owner{number}" for number in range(count))
    if asked.files and len(asked.files) != count:
        raise UsageError(f"{count} owners need {count} files, not {len(asked.files)}", "name one for each with --data")
    if any(map(is_table, asked.inputs)) and not asked.files:
        raise UsageError("--input table is the owners' own data: there are none", "name a file for each with --data")
    if not asked.named_inputs:
        raise UsageError("the owners give nothing", "say what with --input reals:5, or --data a.csv b.csv")
    lines = asked.head()
    for number, owner in enumerate(owners):
        lines += ["", f"[parties.{quoted(owner)}]", 'role = "owner"']
        if asked.files:
            lines.append(f"data = {quoted(str(asked.files[number].absolute()))}")
    lines += ["", f"[parties.{HELPER}]", 'role = "helper"', *asked.tail("program", asked.columns)]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """A text as TOML writes it: JSON's escapes are TOML's, too."""
    import json

    return json.dumps(text)
