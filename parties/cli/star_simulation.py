"""What `mpc simulate --clients` does: it writes a scenario, and runs a server and all its clients on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mpc.errors import UsageError
from parties.base.logs import open_log
from parties.cli.output import Output
from parties.cli.run_star_locally import check_program, fault_log, run_star_parties, star_record_of
from parties.cli.simulation import SCENARIO, ProtocolRun, quoted, write_files
from parties.processes.one_thread import star_in_one_thread
from parties.report.record import check_out
from parties.report.recorded_run import FinishedRun, run_and_record
from parties.scenario.program import is_table, read_program
from parties.scenario.star import StarScenario
from parties.scenario.toml_text import parse_toml
from parties.tasks.registry import load_tables

SERVER: Final = "server"


@dataclass(frozen=True, kw_only=True)
class StarSimulation(ProtocolRun):
    """A protocol between a server and clients.

    Args:
        clients: how many; None: as many as column `by` has names.
        by: the column of their table that says which client a row is of.
        vanish: the share of clients that vanish, some in each stage.
    """

    clients: int | None = None
    by: str | None = None
    vanish: float = 0.0


def run_star_simulation(
    asked: StarSimulation, out: Path | None, output: Output, *, lockstep: bool, trace: bool = False
) -> FinishedRun:
    """Run the protocol; its scenario and its file are in the run's folder, too. Arguments and errors as of
    `parties.cli.simulation.run_simulation`."""
    check_out(out)
    text = star_scenario_text(asked)
    scenario = star_scenario_of(asked.program, text).model_copy(update={"given": dict(asked.given)})
    check_program(scenario)
    log = fault_log(scenario)

    def part(folder: Path) -> dict[str, Any]:
        placed = scenario.model_copy(update={"path": write_files(scenario.program, folder, text)})
        if lockstep:
            here = star_in_one_thread(placed, folder, log, open_log(folder, SERVER), trace=trace)
            return star_record_of(placed, here)
        return run_star_parties(placed, folder, output, log, trace=trace)

    return run_and_record(scenario, out, part, more=log.record)


def star_scenario_of(program: str, text: str) -> StarScenario:
    """The scenario of a file that is not written yet, with the protocol that FILE:NAME names."""
    scenario = load_tables(Path(SCENARIO), parse_toml(text))
    assert isinstance(scenario, StarScenario)
    return scenario.model_copy(update={"program": read_program(program, alone=False, clients=True)})


def star_scenario_text(asked: StarSimulation) -> str:
    """The scenario file of what is asked.

    Raises:
        UsageError: there is not one table for all, or no inputs, or nothing says how many clients there are.
        DataError: the table cannot be read.
    """
    if len(asked.files) > 1:
        raise UsageError("clients have one file together", "name it with --data, and with --by the column of clients")
    file = next(iter(asked.files), None)
    if any(map(is_table, asked.inputs)) and file is None:
        raise UsageError("--input table is the clients' own data: there are none", "name a file with --data")
    if not asked.named_inputs:
        raise UsageError("the clients give nothing", "say what with --input reals:5, or --data rows.csv --by NAME")
    columns, clients = asked.columns, asked.clients
    if file is not None and asked.by is not None:
        named, found = _look_into(file, asked.by)
        columns, clients = columns or named, clients or found
    if clients is None:
        raise UsageError("nothing says how many clients there are", "say --clients 50")
    lines = [*asked.head(), "", f"[parties.{SERVER}]", 'role = "server"', "", "[clients]", f"count = {clients}"]
    if file is not None:
        lines += [f"data = {quoted(str(file.absolute()))}"]
        lines += [] if asked.by is None else [f"by = {quoted(asked.by)}"]
    lines += asked.tail("star_program", columns)
    if asked.vanish:
        lines += ["", "[faults.clients]", f"vanish = {asked.vanish}"]
    return "\n".join(lines) + "\n"


def _look_into(file: Path, by: str) -> tuple[tuple[str, ...], int]:
    """The columns of numbers in a file, and how many names its column `by` has."""
    import numpy as np

    from parties.data.cells import TextForm
    from parties.data.checks import find_columns, kinds_of
    from parties.data.read import open_source

    with open_source(str(file.absolute()), "clients", Path(), TextForm()) as raw:
        (whose,) = find_columns(raw, [by], "by")
        others = [one for one in raw.columns if one.name and one.name != by]
        kinds = kinds_of(raw, others, required=False, dates=False, listed="--column")
        numeric = tuple(str(one.name) for one, kind in zip(others, kinds, strict=True) if kind in ("number", "boolean"))
        return numeric, len(np.unique(np.asarray(raw.arrays([whose.text])["v0"]).astype(str)))
