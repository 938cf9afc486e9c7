"""Owners and a helper over real sockets, in threads of one process: each with keys, a transport and a channel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mpc.errors import BeaverlodgeError, InternalError
from mpc.faults.planted import LABELS
from mpc.links.channel import Channel, Limits
from mpc.links.meeting.handshake import Agreement, PlanMaker, meet
from mpc.links.meeting.offer import Offer, Table
from mpc.links.meeting.play import leave, play_helper, play_owner
from mpc.links.session import Frame
from mpc.links.wire import label_code
from mpc.links.zmq.curve import Identity, new_identity
from mpc.links.zmq.transport import Transport
from mpc.randomness.streams import Entropy, insecure_entropy
from mpc.runtime.plan import ProgramFactory, make_plan
from mpc.runtime.trace import Trace

HELPER = "helper"
ANYWHERE = "tcp://127.0.0.1:*"
LONG = 30.0  # more than any test needs: only a hang reaches it
LIMITS = Limits(connect=LONG, deadline=LONG, patience=LONG)
LINGER = LONG / 10  # who is done stays so long for a peer that left before it, as one does whose parting was cut short


@dataclass(frozen=True)
class Sent:
    """A frame as it was handed to ZeroMQ, which encrypts it next."""

    sender: str
    receiver: str
    label: str
    head: bytes
    body: bytes


Wire = Callable[[Sent], Frame | None]
"""Looks at a frame that a party sends; gives what goes out instead, or None to lose it."""


class Tapped(Transport):
    """A transport whose outgoing frames pass by a watcher."""

    def __init__(self, name: str, identity: Identity, peers: Mapping[str, bytes], listen: str | None) -> None:
        super().__init__(identity, peers, listen)
        self.name = name
        self.wire: Wire | None = None
        self.labels: dict[int, str] = {}

    def send(self, peer: str, frame: Frame) -> None:
        if self.wire is not None:
            code = int.from_bytes(frame.head[4:8], "little")
            label = self.labels.get(code, "") if frame.head[3] == 1 else ""
            out = self.wire(Sent(self.name, peer, label, frame.head, bytes(frame.body)))
            if out is None:
                return
            frame = out
        super().send(peer, frame)


@dataclass
class Site:
    """One party's end of the links."""

    name: str
    transport: Tapped
    channel: Channel
    trace: Trace
    said: list[str] = field(default_factory=list)


@contextmanager
def sites(
    *names: str, limits: Limits = LIMITS, through: Mapping[tuple[str, str], Callable[[str], str]] | None = None
) -> Iterator[dict[str, Site]]:
    """Parties with their links: all listen, and the later of each pair dials the earlier.

    Args:
        limits: what the channels wait for.
        through: (dialler, listener) -> where to dial instead of the listener's endpoint.
    """
    keys = {name: new_identity() for name in names}
    made: dict[str, Site] = {}
    try:
        for name in names:
            others = {peer: keys[peer].public for peer in names if peer != name}
            transport = Tapped(name, keys[name], others, ANYWHERE)
            trace = Trace(lambda *_: None)
            said: list[str] = []
            channel = Channel(name, others, transport, limits, trace, said.append)
            for peer, site in made.items():
                endpoint = str(site.transport.endpoint)
                other_way = (through or {}).get((name, peer))
                transport.dial(peer, other_way(endpoint) if other_way else endpoint)
            made[name] = Site(name, transport, channel, trace, said)
        yield made
    finally:
        for site in made.values():
            site.transport.close(0)


@dataclass(frozen=True)
class End:
    """How a party's thread ended: with a value or an error."""

    value: Any = None
    error: BaseException | None = None


def at_once(jobs: Mapping[str, Callable[[], Any]], seconds: float = LONG) -> dict[str, End]:
    """Run each party's job in a thread of its own; fails, naming who hangs, when they are not done in time."""
    ends: dict[str, End] = {}

    def run(name: str, job: Callable[[], Any]) -> None:
        try:
            ends[name] = End(job())
        except BaseException as error:
            ends[name] = End(error=error)

    threads = {
        name: threading.Thread(target=run, args=(name, job), name=name, daemon=True) for name, job in jobs.items()
    }
    for thread in threads.values():
        thread.start()
    limit = time.monotonic() + seconds
    for thread in threads.values():
        thread.join(max(0.0, limit - time.monotonic()))
    hanging = [name for name, thread in threads.items() if thread.is_alive()]
    assert not hanging, f"{hanging} did not end in {seconds} s; the others: {ends}"
    return {name: ends[name] for name in jobs}


def values(ends: Mapping[str, End]) -> dict[str, Any]:
    """What the jobs gave, where none failed."""
    for name, end in ends.items():
        if end.error is not None:
            raise AssertionError(f"{name} failed: {end.error}") from end.error
    return {name: end.value for name, end in ends.items()}


@dataclass(frozen=True)
class Played:
    """What a party did in a whole run; `trace` counts what came after the handshake and before the parting."""

    result: Any
    agreement: Agreement
    rounds: int
    messages: int
    bytes_sent: int
    bytes_received: int
    resent: int
    labels: Mapping[str, int]
    trace: Trace


@dataclass(frozen=True)
class Run:
    """A whole run: each party's end, and every frame above the encryption."""

    ends: Mapping[str, End]
    frames: tuple[Sent, ...]
    said: Mapping[str, tuple[str, ...]]

    @property
    def played(self) -> dict[str, Played]:
        return values(self.ends)


def offer_of(name: str, **changes: Any) -> Offer:
    """What a party brings where a test does not care."""
    owner = name != HELPER
    fields: dict[str, Any] = {
        "version": "1.0",
        "facts": {"name": "test", "seed": 7},
        "rows": (10, 2) if owner else None,
        "columns": ("x", "y") if owner else None,
    }
    return Offer(**{**fields, **changes})


def over_zmq(
    factories: Mapping[str, ProgramFactory],
    entropy: Mapping[str, Entropy] | None = None,
    *,
    offers: Mapping[str, Offer] | None = None,
    make: Mapping[str, PlanMaker] | None = None,
    wire: Wire | None = None,
    limits: Limits = LIMITS,
    through: Mapping[tuple[str, str], Callable[[str], str]] | None = None,
    absent: Collection[str] = (),
    seconds: float = LONG,
) -> Run:
    """A whole run from the handshake to the parting, as `parties.session.take_part` does it.

    Args:
        factories: owner -> its program; the helper is added.
        entropy: party -> where its seeds come from; reproducible where left out.
        offers: party -> what it brings to the handshake, where it is not the usual.
        make: party -> how it makes the plan; where left out, from the first owner's program.
        wire: sees, and may alter or lose, every frame. Called from all the parties' threads.
        absent: who never takes part, though its sockets are there.
    """
    owners = tuple(factories)
    table = Table(owners, HELPER)
    frames: list[Sent] = []

    def usual(rows: Mapping[str, tuple[int, int]], columns: int) -> Any:
        return make_plan(factories[owners[0]], owners, HELPER)

    def watch(sent: Sent) -> Frame | None:
        frames.append(sent)
        return wire(sent) if wire else Frame(sent.head, sent.body)

    def job(site: Site) -> Played:
        name, channel, trace = site.name, site.channel, site.trace
        seeds = entropy[name] if entropy else insecure_entropy(1, name)
        offer = (offers or {}).get(name, offer_of(name))
        maker = (make or {}).get(name, usual)
        try:
            agreement = meet(channel, table, offer, maker, seeds, limits.connect)
            site.transport.labels.update({label_code(one.label): one.label for one in agreement.plan.rounds})
            trace.restart_counts()
            trace.stage("running", 0, 0)
            result = None
            if name == HELPER:
                play_helper(channel, table, agreement, trace)
            else:
                result = play_owner(channel, table, agreement, trace, factories[name])
            counts = (trace.rounds, trace.messages, trace.bytes_sent, trace.bytes_received)
            labels = dict(trace.labels)
            leave(channel, table, patient=name == HELPER)
            site.transport.close(LINGER)
            return Played(result, agreement, *counts, trace.resent, labels, trace)
        except BaseException as error:
            known = error if isinstance(error, BeaverlodgeError) else InternalError("a test's own mistake", party=name)
            channel.abort(known, trace.at)
            raise  # and leave the transport open, so that no test waits for those that are gone

    with sites(*table.everyone, limits=limits, through=through) as parties:
        for site in parties.values():
            site.transport.wire = watch
            site.transport.labels.update({label_code(label): label for label in LABELS})
        present = {name: site for name, site in parties.items() if name not in absent}
        ends = at_once({name: lambda site=site: job(site) for name, site in present.items()}, seconds)  # type: ignore[misc]
        said = {name: tuple(site.said) for name, site in parties.items()}
    return Run(ends, tuple(frames), said)
