"""The source that `mpc sweep` varies: a scenario file, or a protocol, run as by `mpc simulate`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from mpc.errors import UsageError
from parties.cli.run_star_locally import check_program
from parties.cli.simulation import SCENARIO, Simulation, check_plan, scenario_text
from parties.cli.star_simulation import StarSimulation, star_scenario_text
from parties.scenario.file import Scenario, read_toml
from parties.scenario.program import ProgramFile, read_program
from parties.scenario.star import StarScenario
from parties.scenario.toml_text import parse_toml
from parties.sweep.settings import apply_settings, value_text
from parties.sweep.study import Source

OWNERS: Final = "owners"
CLIENTS: Final = "clients"
"""The setting for the number of owners of a protocol, and of clients; no scenario has it."""

_MOST_OWNERS: Final = 60


def source_of(named: str, inputs: tuple[str, ...], program: str | None, *, alone: bool) -> Source:
    """The source that the command line names.

    Args:
        named: a scenario file, or FILE:FUNCTION.
        inputs: the values of `--input`.
        program: the value of `--program`, FILE:FUNCTION.
        alone: whether the protocol's file may import no other file, as a worker on another machine gets it alone.

    Raises:
        UsageError: the file or function does not exist, or an option does not go with it.
    """
    file, _, _ = named.rpartition(":")
    if not file.endswith(".py"):
        if inputs:
            raise UsageError(
                "--input is for a protocol, named as FILE:FUNCTION", "a scenario has `inputs` in its [task]"
            )
        read = None if program is None else _program(program, alone=alone)
        return Source(Path(named), partial(apply_settings, read_toml(Path(named))), read, _check)
    if program is not None:
        raise UsageError(f"--program is for a scenario file, and {named} is a protocol", "leave it out")
    tables = _client_tables if _is_pair(named) else _tables
    return Source(Path(SCENARIO), partial(tables, named, inputs), _program(named, alone=alone), _check)


def _is_pair(named: str) -> bool:
    """Whether FILE:NAME is a protocol between a server and clients."""
    try:
        read_program(named, alone=False, clients=True)
    except UsageError:
        return False
    return True


def _program(named: str, *, alone: bool) -> ProgramFile:
    return read_program(named, alone=alone, clients=_is_pair(named))


def _check(scenario: Scenario | StarScenario) -> None:
    """Make the plan, by which a slip in the protocol is told."""
    if isinstance(scenario, Scenario):
        check_plan(scenario)
    else:
        check_program(scenario)


def _client_tables(named: str, inputs: tuple[str, ...], values: Mapping[str, Any]) -> dict[str, Any]:
    settings = dict(values)
    clients = settings.pop(CLIENTS, None)
    if type(clients) is not int or clients < 1:
        said = "nothing says how many clients there are" if clients is None else f"--set {CLIENTS} is no number of them"
        raise UsageError(said, f"vary it, or name one number: --set {CLIENTS}=50")
    own_inputs = inputs or tuple(settings.get("task.inputs", ()))
    return apply_settings(
        parse_toml(star_scenario_text(StarSimulation(program=named, inputs=own_inputs, clients=clients))), settings
    )


def _tables(named: str, inputs: tuple[str, ...], values: Mapping[str, Any]) -> dict[str, Any]:
    settings = dict(values)
    owners = settings.pop(OWNERS, 2)
    if type(owners) is not int or not 2 <= owners <= _MOST_OWNERS:
        hint = f"it must be a whole number from 2 to {_MOST_OWNERS}"
        raise UsageError(f"--set {OWNERS} = {value_text(owners)} is no number of owners", hint)
    own_inputs = inputs or tuple(settings.get("task.inputs", ()))
    return apply_settings(
        parse_toml(scenario_text(Simulation(program=named, inputs=own_inputs, owners=owners))), settings
    )
