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
from parties.base.events import Event
from parties.processes import member, relay
from parties.processes.child import Child, Program, start_child
from parties.processes.delay_line import Conditions
from parties.processes.fault_agenda import Agenda, FaultLog
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

RELEASE_PATIENCE: Final = 1.0
"""Seconds to end in once the lifeline is closed, before SIGKILL."""

KILL_PATIENCE: Final = 2.0
"""Seconds for the kernel to end a killed process."""

STOPPED_PATIENCE: Final = 60.0
"""Seconds for which a party may be stopped, where the caller says nothing else."""

MEMBER: Final = Program("parties.processes.member", member.main)
_RELAY: Final = Program("parties.processes.relay", relay.main)

OnEvent = Callable[[str, Event], None]
Orders = Mapping[str, Mapping[str, Any]]
Links = Callable[[str, str], Conditions]


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
        run = _Run(selector, on_event, faults or FaultLog(()))
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


def _wait_for_the_end(run: _Run, interrupts: Interrupts, stopped: Stopped) -> None:
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


class _Run:
    """The children of one run and the selector that watches them."""

    def __init__(self, selector: selectors.BaseSelector, on_event: OnEvent, faults: FaultLog) -> None:
        self.agenda = Agenda(faults, self._find, self._cut, lambda child, text: self.warn([(child, text)]))
        self.children: list[Child] = []
        self.essential: list[Child] = []
        self.relay: Child | None = None
        self.orders: Orders = {}
        self.start_anew: Callable[[str], Child] | None = None
        self._selector = selector
        self._on_event = on_event
        self._relay_asked = False
        self._peers: dict[str, dict[str, Any]] = {}
        self._started_again: list[Child] = []
        self._introduced = False
        self._told: set[str] = set()
        self._told_to_all: set[str] = set()

    def add(self, child: Child, *, essential: bool = True) -> None:
        """Watches a party."""
        self.children.append(child)
        if essential:
            self.essential.append(child)
        self._watch(child)

    def add_relay(self, child: Child) -> None:
        """Watches the process that stands for the network."""
        self.relay = child
        self._watch(child)

    def _watch(self, child: Child) -> None:
        assert child.events is not None
        self._selector.register(child.events, selectors.EVENT_READ, partial(self._read, child))
        if child.exited is not None:
            self._selector.register(child.exited, selectors.EVENT_READ, partial(self._end, child))

    def pump(self, timeout: float | None) -> None:
        """Wait until something happens, or for `timeout` seconds, and handle all of it."""
        for key, _ in self._selector.select(timeout):
            # An earlier event of this batch may have closed the descriptor.
            if self._selector.get_map().get(key.fd) is key:
                key.data()

    def warn(self, said: Iterable[tuple[Child, str]]) -> None:
        """Warn the user of a child's problem that does not end the run."""
        for child, text in said:
            self._on_event(child.name, {"event": "log", "level": "warning", "text": text})

    def tell_of_losses(self) -> None:
        """Tell, once each, of parties that failed or vanished and that the run does not need."""
        for child in self._others():
            lost = None if child.result is not None else child.failure or child.vanished()
            if lost is not None and child.name not in self._told:
                self._told.add(child.name)
                self.warn([(child, f"takes part no more: {lost.message}")])
        if self._introduced:  # before that, they wait for another message
            for name in sorted(self._told - self._told_to_all):
                self._told_to_all.add(name)
                for each in self.essential:
                    self.send(each, {"lost": name})

    def others_are_over(self) -> bool:
        """Whether all parties that are not essential are done, gone or stopped: they send nothing more."""
        return all(
            child.result is not None or child.exit_code is not None or child.stopped() or child in self._started_again
            for child in self._others()
        )

    def _others(self) -> list[Child]:
        return [child for child in self.children if child not in self.essential]

    def report_untidy_ends(self) -> None:
        """Warn of processes that were done, but then did not end properly."""
        for child in self.essential:
            error = child.vanished()
            how = "did not end by itself" if child.exit_code is None else error and error.message
            if how:
                self.warn([(child, f"after it was done: {how}")])

    def clear_away(self) -> None:
        """Ends and reaps every child; reports nothing."""
        self._on_event, self.start_anew = _ignore, None
        for child in self._everyone():
            self._release(child)
        self._wait_for_exits(RELEASE_PATIENCE)
        for child in self._everyone():
            if child.exit_code is None:
                child.kill()
        self._wait_for_exits(KILL_PATIENCE)
        for child in self._everyone():
            self._close_events(child)
            self._forget(child.exited)
            child.close_exited()
            child.remove_empty_stderr()

    def _wait_for_exits(self, patience: float) -> None:
        until = monotonic() + patience
        while any(child.exit_code is None for child in self._everyone()):
            left = until - monotonic()
            if left <= 0:
                return
            self.pump(left)

    def _everyone(self) -> list[Child]:
        return self.children if self.relay is None else [*self.children, self.relay]

    def send(self, child: Child, message: Mapping[str, Any]) -> None:
        """Send a child a line, at once or as its pipe has room."""
        if not child.send(message):
            self._forget(child.lifeline)
            self._selector.register(child.lifeline, selectors.EVENT_WRITE, partial(self._flush, child))

    def _flush(self, child: Child) -> None:
        if child.flush():
            self._forget(child.lifeline)

    def _release(self, child: Child) -> None:
        if not child.released:
            self._forget(child.lifeline)
            child.release()

    def _read(self, child: Child) -> None:
        events = child.read()
        if events is None:
            self._close_events(child)
            if child.exited is None:
                self._end(child)
        else:
            self._pass_on(child, events)

    def _end(self, child: Child) -> None:
        # Without an exit descriptor, the end of the events stands for the end of the child. A child that closed
        # them and stays is of no use.
        if not child.reap(RELEASE_PATIENCE):
            child.kill()
            child.reap(KILL_PATIENCE)
        self._forget(child.exited)
        child.close_exited()
        events = child.read_rest()
        self._close_events(child)
        self._pass_on(child, events)
        if child.to_restart and child in self.children and self.start_anew is not None:
            self._replace(child, self.start_anew(child.name))

    def _replace(self, child: Child, other: Child) -> None:
        """A party whose process has ended goes on in another, which is told the same, and listens where that did."""
        self._release(child)
        self.children[self.children.index(child)] = other
        essential = child in self.essential
        if essential:
            self.essential[self.essential.index(child)] = other
        self._started_again.append(other)
        self._watch(other)
        self.warn([(other, "was started again")])
        where = {} if child.endpoint is None else {"endpoint": child.endpoint}
        self.send(other, {**self.orders[other.name], **where, "struck": self.agenda.struck})
        if other.name in self._peers:
            self.send(other, self._peers[other.name])
            for name in sorted(self._told_to_all) if essential else ():
                self.send(other, {"lost": name})

    def _close_events(self, child: Child) -> None:
        self._forget(child.events)
        child.close_events()

    def _pass_on(self, child: Child, events: Iterable[Event]) -> None:
        # Before the event is shown, because every party waits for this.
        self._introduce()
        if child is self.relay:
            return
        for event in events:
            if event["event"] == "fault":
                self.agenda.note(child, event["number"], event["peer"], monotonic())
            else:
                self._on_event(child.name, event)

    def _find(self, name: str | None) -> Child | None:
        return next((child for child in self.children if child.name == name), None)

    def _cut(self, one: str, other: str, seconds: float) -> None:
        if self.relay is not None and self.relay.exit_code is None:
            self.send(self.relay, {"cut": [one, other], "seconds": seconds})

    def _lost(self, child: Child) -> bool:
        return child not in self.essential and child.exit_code is not None

    def _introduce(self) -> None:
        """Send every party the endpoints of the others, or the relay's for them, once all listen."""
        if self._introduced or not all(each.listening for each in self.children if not self._lost(each)):
            return
        peers: dict[str, Any] = {"peers": {each.name: each.endpoint for each in self.children}}
        own: dict[str, Any] = {}
        if self.relay is not None:
            if not self._relay_asked:
                self._relay_asked = True
                self.send(self.relay, peers)
            if self.relay.result is None:
                return
            own = self.relay.result["peers"]
        self._introduced = True
        self.agenda.begin(monotonic())
        self._peers = {each.name: peers if self.relay is None else {"peers": own[each.name]} for each in self.children}
        for each in self.children:
            self.send(each, self._peers[each.name])

    def _forget(self, descriptor: int | None) -> None:
        if descriptor is not None and descriptor in self._selector.get_map():
            self._selector.unregister(descriptor)


def _ignore(name: str, event: Event) -> None:
    """Ignore an event."""
