"""A simulated server with clients in processes, as `mpc simulate --clients` runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beaverlodge.clients import Given, SimulatedClients, client_names, given_to
from beaverlodge.processes import as_interrupt, place_of
from mpc.errors import UsageError
from parties.cli.output import Output
from parties.cli.star_simulation import StarSimulation, run_star_simulation
from parties.scenario.program import CLIENT_ENDING, GIVEN
from parties.trace.lanes import read_lanes

if TYPE_CHECKING:
    from beaverlodge.simulation import Asked


def in_processes(asked: Asked, clients: int) -> SimulatedClients:
    """Run it; its record is in a new folder of `runs`."""
    names = client_names(clients)
    given = given_to(asked.inputs, clients, asked.seed)
    client = asked.program[0] if isinstance(asked.program, tuple | list) and asked.program else asked.program
    said = StarSimulation(
        program=place_of(client, CLIENT_ENDING),
        inputs=tuple(_text(given, k) for k in range(len(given[0]))),
        clients=clients,
        seed=asked.seed,
        network=asked.network,
        insecure_seed=asked.insecure_seed,
        given={name: tuple(array.tolist() for array in own) for name, own in zip(names, given, strict=True)},
    )
    with as_interrupt():
        done = run_star_simulation(said, None, Output(quiet=True), lockstep=False, trace=asked.trace)
    part = done.record["program"]
    return SimulatedClients(
        part["function"],
        names,
        part["results"],
        _gave(part["given_to_clients"], names),
        [{**one, "bytes": one["bytes_received"]} for one in part["stages"]],
        [{**one, "clients": who} for one, who in zip(done.record["revealed"], part["over"], strict=False)],
        done.record.get("comparison") or {},
        asked.insecure_seed,
        done.folder,
        read_lanes(done.folder) if asked.trace else (),
    )


def _gave(told: Any, names: tuple[str, ...]) -> dict[str, Any]:
    if not told:
        return {}
    return dict.fromkeys(names, told["all"]) if "all" in told else dict(told)


def _text(given: Given, k: int) -> str:
    """An input as a scenario has it."""
    shapes = {own[k].shape for own in given}
    if len(shapes) > 1:
        raise UsageError("in processes all clients' arrays of an input have one shape", "simulate(...) in one thread")
    return f"{GIVEN}:{'x'.join(map(str, shapes.pop()))}"
