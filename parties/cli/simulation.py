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


@dataclass(frozen=True)
class Simulation:
    """What the command line asks for.

    Args:
        program: FILE:FUNCTION.
        owners: how many; None: two, or as many as there are files.
        inputs: what every owner gives.
        files: the owners' tables, in their order.
        columns: of these tables; empty: every one of numbers.
        seed: public: what inputs are drawn from.
        network: the preset of what the links are made to be like.
        insecure_seed: of all secret randomness, for tests.
        names: of the owners, where they have any.
        given: by owner, the ring elements in hexadecimal of each input that is `given`.
    """

    program: str
    owners: int | None
    inputs: tuple[str, ...]
    files: tuple[Path, ...]
    columns: tuple[str, ...] = ()
    seed: int = 0
    network: str | None = None
    insecure_seed: int | None = None
    names: tuple[str, ...] = ()
    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


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
    placed = scenario.model_copy(update={"path": put(scenario.program, folder, text)})
    if lockstep:
        from parties.session.lockstep import run_in_one_thread

        return add_comparison(placed, record_of(placed, run_in_one_thread(placed, folder if trace else None)))
    from parties.cli.run_locally import run_parties

    return run_parties(placed, folder, output, compare=True, trace=trace)


def put(program: ProgramFile | None, folder: Path, text: str) -> Path:
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
    table = any(map(is_table, asked.inputs))
    if table and not asked.files:
        raise UsageError("--input table is the owners' own data: there are none", "name a file for each with --data")
    inputs = (*((TABLE,) if asked.files and not table else ()), *asked.inputs)
    if not inputs:
        raise UsageError("the owners give nothing", "say what with --input reals:5, or --data a.csv b.csv")
    named = asked.program.rpartition(":")[2] or "protocol"
    lines = ["schema = 1", f"name = {quoted(named)}", f"seed = {asked.seed}"]
    for number, owner in enumerate(owners):
        lines += ["", f"[parties.{quoted(owner)}]", 'role = "owner"']
        if asked.files:
            lines.append(f"data = {quoted(str(asked.files[number].absolute()))}")
    lines += ["", f"[parties.{HELPER}]", 'role = "helper"', "", "[task]", 'kind = "program"']
    lines.append(f"inputs = [{', '.join(map(quoted, inputs))}]")
    if asked.files:
        lines.append("min_rows = 1")
    if asked.columns:
        lines.append(f"columns = [{', '.join(map(quoted, asked.columns))}]")
    if asked.network is not None:
        lines += ["", "[network]", f"preset = {quoted(asked.network)}"]
    if asked.insecure_seed is not None:
        lines += ["", "[testing]", f"insecure_seed = {asked.insecure_seed}"]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """A text as TOML writes it: JSON's escapes are TOML's, too."""
    import json

    return json.dumps(text)
