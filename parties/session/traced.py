"""A party's record of its rounds, for `--trace`: where it goes, and what it says of the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mpc.errors import BeaverlodgeError
from mpc.runtime.plan import Plan
from mpc.runtime.round_tracer import MOST_BYTES, RoundTracer
from mpc.runtime.trace import Tracer
from parties.scenario.network import LAN, NetworkSpec

if TYPE_CHECKING:
    from mpc.star.client import StarClient

_MOST_TIMED: Final = 50_000  # rounds: of more, working out the seconds would hold the run up


def tracer_to(path: Path | None, me: str, *, values: bool) -> Tracer:
    """The tracer that records a party's rounds in a file; without a file it records nothing.

    Args:
        values: whether all randomness comes from a test seed, so that values may be recorded.
    """
    if path is None:
        return Tracer()
    from parties.base.trace_file import TraceFile  # whose locks only some systems have

    return RoundTracer(me, TraceFile(path), values=values)


@contextmanager
def traced_clients(clients: Mapping[str, StarClient], server: str, path: Path | None) -> Iterator[None]:
    """Around what the clients of one process do: their stages are recorded in its file, if there is one."""
    if path is None or not clients:
        yield
        return
    from mpc.star.client import ClientTrace
    from parties.base.trace_file import TraceFile

    write = TraceFile(path)
    for name, one in clients.items():
        one.trace = ClientTrace(RoundTracer(name, write, most=MOST_BYTES // len(clients)), server)
    try:
        yield
    finally:
        for one in clients.values():
            one.trace.tracer.close()


@contextmanager
def traced_server(me: str, path: Path | None) -> Iterator[Tracer]:
    """Around what the server of clients does, likewise."""
    tracer = tracer_to(path, me, values=False)
    try:
        yield tracer
    except BeaverlodgeError as error:
        tracer.failed(error)
        raise
    finally:
        tracer.close()


def plan_facts(plan: Plan, network: NetworkSpec | None) -> dict[str, Any]:
    """The cost in a plan; the seconds are those of the scenario's network, or of a LAN."""
    spec = network or LAN
    timed = len(plan.rounds) <= _MOST_TIMED
    return {
        "rounds": len(plan.rounds),
        "bytes": plan.bytes_sent,
        "messages": plan.messages_sent,
        "correlations": plan.correlations,
        "seconds": plan.seconds_over(spec.speed) + plan.handling if timed else None,
        "network": {"latency_ms": spec.latency_ms, "bandwidth_mbit": spec.bandwidth_mbit, "given": network is not None},
    }
