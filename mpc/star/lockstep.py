"""A server and its clients in one thread, deterministic: for tests, and to measure the cost of a large round.

A tap sees each message, and may alter it, drop it, or let it come too late. Clients run one after another, so that at
most one vector is under way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mpc.errors import BeaverlodgeError, ProtocolError, TooFewError
from mpc.faults.fault import Fault
from mpc.star.stage import ClientProgram, Exchange, Gather, ServerProgram


@dataclass(frozen=True)
class StarMessage:
    """A message between the server and one client: `up` if the client sends it, else the answer to it in that stage."""

    client: int
    up: bool
    label: str
    body: bytes


StarTap = Callable[[StarMessage], bytes | None]


@dataclass
class StarOutcome:
    """What a run gave.

    Args:
        result: the server's result, or None if it failed with `error`.
        error: the server's error, if it failed.
        failed: client -> its error; a client that merely waits at the end is in neither.
        refused: client -> the error in a message of its that the server refused; it counts as dropped.
        sent, received: client -> bytes of its messages; those sent count whether or not they came.
        server_seconds: the server's computation, processor time.
        client_seconds: each client's computation, likewise.
    """

    result: Any = None
    error: BeaverlodgeError | None = None
    failed: dict[int, BeaverlodgeError] = field(default_factory=dict)
    refused: dict[int, BeaverlodgeError] = field(default_factory=dict)
    sent: dict[int, int] = field(default_factory=dict)
    received: dict[int, int] = field(default_factory=dict)
    server_seconds: float = 0.0
    client_seconds: dict[int, float] = field(default_factory=dict)


def tap_of(faults: Mapping[int, Fault], deadline: float) -> StarTap:
    """A tap by which clients vanish or are delayed; who is late by more than the deadline counts as dropped, too."""
    gone: set[int] = set()

    def tap(message: StarMessage) -> bytes | None:
        fault = faults.get(message.client)
        if fault is not None and message.up and fault.stage == message.label:
            if fault.kind == "vanish":
                gone.add(message.client)
            elif fault.kind == "delay" and fault.seconds > deadline:
                return None
        return None if message.client in gone else message.body

    return tap


def run_star(
    server: ServerProgram, clients: Mapping[int, Callable[[], ClientProgram]], tap: StarTap | None = None
) -> StarOutcome:
    """Run a server's program with its clients'; a dropped client is one whose message the tap does not deliver."""
    run = _Star(clients, tap or (lambda message: message.body))
    out = run.outcome
    started = time.thread_time()
    try:
        gather = server.send(None)  # type: ignore[arg-type]  # a coroutine is started with None
        while True:
            out.server_seconds += time.thread_time() - started
            answered = run.stage(gather)
            started = time.thread_time()
            if len(answered) < gather.quorum:
                raise TooFewError(
                    f"{len(answered)} clients answered in stage '{gather.label}', and {gather.quorum} are needed",
                    "nothing was opened",
                )
            gather = server.send(answered)
    except StopIteration as end:
        out.result = end.value
    except BeaverlodgeError as error:
        out.error = error
    finally:
        server.close()
        run.close()
    out.server_seconds += time.thread_time() - started
    return out


class _Star:
    def __init__(self, clients: Mapping[int, Callable[[], ClientProgram]], tap: StarTap) -> None:
        self._waiting = dict(clients)
        self._running: dict[int, tuple[ClientProgram, Exchange]] = {}
        self._tap = tap
        self._answered: set[int] = set()
        self.outcome = StarOutcome()

    def stage(self, gather: Gather) -> frozenset[int]:
        """Carry out one stage: each client gets its answer, goes on, and its next message is taken."""
        for i, body in gather.send.items():
            if i not in self._running:
                continue
            delivered = self._tap(StarMessage(i, False, self._running[i][1].label, body))
            if delivered is not None:
                self.outcome.received[i] = self.outcome.received.get(i, 0) + len(delivered)
                self._resume(i, delivered)
                self._deliver(i, gather)
        if not gather.send:
            for i in gather.expect:
                self._resume(i, None)
                self._deliver(i, gather)
        answered, self._answered = frozenset(self._answered), set()
        return answered

    def close(self) -> None:
        """End the clients that still wait."""
        for program, _ in self._running.values():
            program.close()

    def _resume(self, i: int, body: bytes | None) -> None:
        started = time.thread_time()
        try:
            if body is None:
                if i not in self._waiting:
                    return
                program = self._waiting.pop(i)()
                self._running[i] = program, program.send(None)  # type: ignore[arg-type]
            else:
                program, exchange = self._running.pop(i)
                if len(body) > exchange.limit:
                    raise ProtocolError(f"the server sent {len(body)} bytes where {exchange.limit} are the most")
                self._running[i] = program, program.send(body)
        except StopIteration:
            self._running.pop(i, None)
        except BeaverlodgeError as error:
            self.outcome.failed[i] = error
        seconds = self.outcome.client_seconds
        seconds[i] = seconds.get(i, 0.0) + time.thread_time() - started

    def _deliver(self, i: int, gather: Gather) -> None:
        """Let the server take the message that client i waits with, if it is one of this stage."""
        if i not in self._running or i not in gather.expect:
            return
        exchange = self._running[i][1]
        self.outcome.sent[i] = self.outcome.sent.get(i, 0) + len(exchange.send)
        body = self._tap(StarMessage(i, True, exchange.label, exchange.send))
        if body is None or exchange.label != gather.label:
            return
        started = time.thread_time()
        try:
            if len(body) > gather.limit:
                raise ProtocolError(f"client {i} sent {len(body)} bytes where {gather.limit} are the most")
            gather.take(i, body)
            self._answered.add(i)
        except ProtocolError as error:
            self.outcome.refused[i] = error
        self.outcome.server_seconds += time.thread_time() - started
