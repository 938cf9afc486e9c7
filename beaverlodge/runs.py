"""Runs of scenarios for a notebook: their plans, their records, and tables of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from beaverlodge.shown import blocks_html, framed
from beaverlodge.tables import tables_of
from beaverlodge.traces import Trace
from mpc.errors import UsageError
from parties.report.read import read_record
from parties.report.summary import summary_blocks
from parties.scenario.file import Scenario
from parties.scenario.network import on_preset
from parties.scenario.star import StarScenario
from parties.show.blocks import Block
from parties.tasks.registry import load_any, planned, star_of, with_program
from parties.trace.lanes import read_lanes

AnyPath = str | PathLike[str]


@dataclass(frozen=True)
class Run:
    """A run's record, in its folder; a notebook shows its summary.

    Attributes:
        record: as `result.json` holds it (docs/results.md).
    """

    folder: Path
    record: Mapping[str, Any]

    @cached_property
    def tables(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Every table of the record, by its place in it, such as `parties` or `model.coefficients`: a dict a row."""
        return tables_of(self.record)

    def frame(self, name: str) -> Any:
        """A table as a pandas DataFrame.

        Raises:
            UsageError: the record has no such table, or pandas is not installed.
        """
        if name not in self.tables:
            raise UsageError(f"{self.folder} has no table '{name}'", f"there are {', '.join(self.tables)}")
        try:
            import pandas as pd
        except ImportError:
            raise UsageError("pandas is not installed", f"pip install pandas, or take `tables['{name}']`") from None
        return pd.DataFrame(list(self.tables[name]))

    @cached_property
    def trace(self) -> Trace:
        """What every party did in each round.

        Raises:
            UsageError: the rounds were not recorded.
        """
        return Trace(read_lanes(self.folder), self.record)

    def __repr__(self) -> str:
        return f"<run in {self.folder}: {self.record.get('status')}>"

    def _repr_html_(self) -> str:
        return framed(str(self.folder), blocks_html(summary_blocks(self.record, self.folder)))


@dataclass(frozen=True)
class PlannedRun:
    """What a run costs and who learns what.

    Attributes:
        facts: as `mpc plan --json` prints them.
    """

    name: str
    facts: Mapping[str, Any]
    blocks: Sequence[Block]

    @cached_property
    def tables(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Every table of the facts, by its place in them: a dict a row."""
        return tables_of(self.facts)

    def __repr__(self) -> str:
        return f"<plan of {self.name}>"

    def _repr_html_(self) -> str:
        return framed(self.name, blocks_html(self.blocks))


def run_scenario(
    scenario: AnyPath,
    out: AnyPath | None,
    program: str | None,
    network: str | None,
    *,
    trace: bool,
    compare: bool,
) -> Run:
    """See `beaverlodge.run`."""
    from beaverlodge.processes import as_interrupt
    from parties.cli.output import Output
    from parties.cli.run import run_all
    from parties.report.record import check_out

    folder = None if out is None else Path(out)
    check_out(folder)
    loaded, output = _loaded(scenario, program, network), Output(quiet=True)
    with as_interrupt():
        done = run_all(loaded, folder, output, compare=compare, trace=trace)
    if done.unwritten is not None:
        raise done.unwritten
    return read_run(done.folder)


def plan_scenario(scenario: AnyPath, program: str | None, network: str | None) -> PlannedRun:
    """See `beaverlodge.plan`."""
    from parties.report.plan import check_faults_of, plan_json, plan_tables

    loaded = _loaded(scenario, program, network)
    if not isinstance(loaded, Scenario):
        star = star_of(loaded)
        return PlannedRun(loaded.name, star.plan(loaded), star.plan_blocks(loaded))
    settings, plan = planned(loaded)
    check_faults_of(loaded, plan)
    return PlannedRun(loaded.name, plan_json(plan, settings, loaded), plan_tables(plan, settings, loaded))


def read_run(folder: AnyPath) -> Run:
    """See `beaverlodge.read`."""
    return Run(Path(folder), read_record(Path(folder)))


def _loaded(scenario: AnyPath, program: str | None, network: str | None) -> Scenario | StarScenario:
    return on_preset(with_program(load_any(Path(scenario)), program, alone=False), network)
