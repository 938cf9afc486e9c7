"""Starts every party as a process of its own, watches them all, and leaves none behind.

One thread with one selector waits for the children's events, their ends and the user's signals together. In every
case, the last step closes every child's lifeline, kills those that stay, and reaps all.
"""

from __future__ import annotations

import selectors
import signal
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict
from functools import partial
from itertools import combinations
from pathlib import Path
from time import monotonic
from typing import Any, Final

from mpc.errors import BeaverlodgeError, InternalError, InterruptedRun, PeerLostError
from parties.processes.child import Child, Program, start_child
from parties.processes.children import Children, OnEvent, Orders
from parties.processes.fault_agenda import FaultLog
from parties.processes.network import relay
from parties.processes.network.emulated import Links
from parties.processes.party import member
from parties.processes.signals import Interrupts
from parties.processes.stopped import Stopped

CAUSE_PATIENCE: Final = 0.7
"""Seconds from the first sign of a failure until the best cause known by then is reported."""

HEARSAY_PATIENCE: Final = 2.0
"""Seconds to wait instead if a party only heard of the cause: the party that knows it may stay for its peers."""

INTERRUPT_PATIENCE: Final = 0.05
"""Seconds for a signal to the launcher that explains a killed child: one sender may have sent both."""

EXIT_PATIENCE: Final = 3.0
"""Seconds for the processes to end once every party is done."""

STOPPED_PATIENCE: Final = 60.0
"""Seconds for which a party may be stopped, where the caller says nothing else."""

MEMBER: Final = Program("parties.processes.party.member", member.main)
_RELAY: Final = Program("parties.processes.network.relay", relay.main)


def launch(
    scenario_path: Path,
    names: Iterable[str],
    orders: Callable[[], Orders],
    *,
    out: Path,
    on_event: OnEvent,
    program: Program = MEMBER,
    patience: float = STOPPED_PATIENCE,
    environments: Mapping[str, Mapping[str, str]] | None = None,
    network: Links | None = None,
    essential: Collection[str] | None = None,
    faults: FaultLog | None = None,
) -> dict[str, dict[str, Any]]:
    """Runs every party of a scenario on this machine and returns what each reported as its result.

    Args:
        scenario_path: the scenario file, given to every child.
        names: the parties.
        orders: makes each party's order; `scenario`, `name` and `out` are added to it. Called once all are
            started: no party's process can then be a copy of one that has seen another's keys.
        out: an existing folder, for the children's files.
        on_event: called with the party's name and each event, in the order they come; first with a `started` and
            its `pid` for every party, once all are started.
        program: what a party's process is.
        patience: seconds for which a party may be stopped by a signal.
        environments: environment variables to add, for the parties named.
        essential: the parties without which there is no result; all where left out. Of any other, its loss or failure
            is a warning.
        network: the conditions of the link of two parties; one more process, which is no party, then carries their
            messages.

    Raises:
        BeaverlodgeError: the first cause of the failure, with the party it is about; `InterruptedRun` after
            Ctrl-C, SIGTERM or SIGHUP. No process of the run is left by then.
    """
    with Interrupts() as interrupts, selectors.DefaultSelector() as selector:
        selector.register(interrupts.descriptor, selectors.EVENT_READ, interrupts.read)
        run = Children(selector, on_event, faults or FaultLog(()))
        try:
            if network is not None:
                run.add_relay(start_child(relay.NAME, _RELAY, scenario=scenario_path, out=out))
            for name in names:
                extra = (environments or {}).get(name)
                child = start_child(name, program, scenario=scenario_path, out=out, environment=extra)
                run.add(child, essential=essential is None or name in essential)
            if run.relay is not None and network is not None:
                pairs = combinations([child.name for child in run.children], 2)
                links = [(later, earlier, asdict(network(later, earlier))) for earlier, later in pairs]
                run.send(run.relay, {"links": links})
            given = orders()
            common = {"scenario": str(scenario_path), "out": str(out)}
            run.orders = {name: {**order, **common, "name": name} for name, order in given.items()}
            # Started anew, a party is no copy of the launcher's process, which knows the keys of all by now.
            anew = Program(program.module)
            run.start_anew = partial(start_child, program=anew, scenario=scenario_path, out=out)
            for child in run.children:
                run.send(child, run.orders[child.name])
            for child in run.children:
                on_event(child.name, {"event": "started", "pid": child.pid})
            _wait_for_the_end(run, interrupts, Stopped(run.essential, run.relay, patience))
        finally:
            run.clear_away()
    return {child.name: child.result for child in run.children if child.result is not None}


def _wait_for_the_end(run: Children, interrupts: Interrupts, stopped: Stopped) -> None:
    """Returns when every party is done; raises what ended the run otherwise."""
    decide_at: float | None = None
    while True:
        if interrupts.received is not None:
            raise _interruption(interrupts.received)
        now = monotonic()
        cause, final = _first_cause(run.essential)
        run.tell_of_losses()
        run.agenda.act(now)
        done = all(child.result is not None for child in run.essential) and run.others_are_over()
        ended = all(child.exit_code is not None for child in run.children)
        if not done and (broken := _relay_failure(run.relay)) is not None:
            # The parties' later errors are about links that this broke.
            cause, final = broken, True
        if cause is not None:
            hearsay = not isinstance(cause, PeerLostError) and not any(child.first_hand for child in run.children)
            latest = now + (INTERRUPT_PATIENCE if final else HEARSAY_PATIENCE if hearsay else CAUSE_PATIENCE)
            decide_at = latest if decide_at is None else min(decide_at, latest)
            if now >= decide_at or (ended and not final):
                raise (None if final else stopped.explains(cause)) or cause
            wake_at: float | None = decide_at
        elif done:
            decide_at = now + EXIT_PATIENCE if decide_at is None else decide_at
            if ended or now >= decide_at:
                run.report_untidy_ends()
                return
            wake_at = decide_at
        else:
            run.warn(stopped.look(now, run.agenda.stopped))
            if (late := stopped.gave_out()) is not None:
                raise late
            wake_at = stopped.next_look
        wakes = [at for at in (wake_at, run.agenda.wake_at) if at is not None]
        run.pump(max(0.0, min(wakes) - now) if wakes else None)


def _first_cause(children: Iterable[Child]) -> tuple[BeaverlodgeError | None, bool]:
    """The best explanation of a failure so far, and whether no later one can be better.

    A party that vanished explains everything else; next comes an error that a party found, then one that it heard of.
    A party that vanished after it was done has not failed, but explains a failure of its peers.
    """
    children = list(children)
    failed = sorted((child for child in children if child.failure is not None), key=_failure_rank)
    vanished = sorted((child for child in children if child.vanished() is not None), key=_vanishing_rank)
    for child in vanished:
        if child.result is None or failed:
            return child.vanished(), True
    return (failed[0].failure, False) if failed else (None, False)


def _failure_rank(child: Child) -> tuple[bool, float]:
    """Sort key: errors that a party found before those it heard of, then by time."""
    return not child.first_hand, child.failed_at


def _vanishing_rank(child: Child) -> tuple[bool, bool, float]:
    """Sort key: unfinished parties before finished ones, killed before crashed ones, then by time."""
    return child.result is not None, (child.exit_code or 0) >= 0, child.ended_at


def _relay_failure(child: Child | None) -> InternalError | None:
    """The error if the emulated network is gone: a bug, unless somebody killed it."""
    if child is None or (child.failure is None and child.exit_code is None):
        return None
    error = child.failure or child.vanished()
    how = error.message if error is not None else f"{child.name} ended before the parties did"
    return InternalError(
        f"the emulated network failed: {how}",
        f"unless somebody killed {child.name}, please report it; see {child.name}.stderr in the run's folder",
    )


def _interruption(number: signal.Signals) -> InterruptedRun:
    message = "interrupted" if number == signal.SIGINT else f"told to end ({number.name})"
    return InterruptedRun(message, "no process of the run is left; start it again from the beginning")
