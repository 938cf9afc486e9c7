"""All processes of one run: what each reports, sends and is told; a party that is started again; the end of all."""

from __future__ import annotations

import selectors
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from time import monotonic
from typing import Any, Final

from parties.base.events import Event
from parties.processes.child import Child
from parties.processes.fault_agenda import Agenda, FaultLog

RELEASE_PATIENCE: Final = 1.0
"""Seconds to end in once the lifeline is closed, before SIGKILL."""

KILL_PATIENCE: Final = 2.0
"""Seconds for the kernel to end a killed process."""

OnEvent = Callable[[str, Event], None]
Orders = Mapping[str, Mapping[str, Any]]


class Children:
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
