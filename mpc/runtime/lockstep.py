"""All parties in one thread, deterministic: for tests, and to watch every message.

Payloads pass through the same wire code as between processes. A tap sees each message, and may alter or drop it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mpc.errors import BeaverlodgeError, PeerLostError
from mpc.randomness.dealing import deal_windows
from mpc.randomness.streams import Entropy, Stream, derive, session_id
from mpc.ring.specs import parse, payload
from mpc.runtime.interfaces import Revealed
from mpc.runtime.party import Party, pair_streams
from mpc.runtime.plan import Plan, ProgramFactory, groups_to_deal, make_plan
from mpc.runtime.round import Blob, Program, Round
from mpc.runtime.supply import PlannedSupply
from mpc.runtime.trace import Tracer
from mpc.runtime.traced_party import traced


@dataclass(frozen=True)
class Message:
    """The message of one party to another in one round."""

    sender: str
    receiver: str
    label: str
    body: bytes


Tap = Callable[[Message], bytes | None]


@dataclass
class Watch:
    """An observer that records what was revealed and which stages passed."""

    reveals: list[Revealed] = field(default_factory=list)
    stages: list[tuple[str, int, int]] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    ways: list[bool] = field(default_factory=list)
    tracer: Tracer = field(default_factory=Tracer)

    def stage(self, name: str, done: int, total: int) -> None:
        if not self.stages or self.stages[-1][0] != name:
            self.tracer.stage(name)
        self.stages.append((name, done, total))

    def revealed(self, item: Revealed) -> None:
        self.reveals.append(item)

    def forked(self, way: bool) -> None:
        self.ways.append(way)

    def hinted(self, text: str) -> None:
        self.hints.append(text)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a lockstep run: each owner's result, the reveals, and the counted bytes of payload and rounds.

    The plan is that of the ways that the program took.
    """

    results: dict[str, Any]
    reveals: tuple[Revealed, ...]
    rounds: dict[str, int]
    payload_bytes: dict[str, int]
    plan: Plan


def run_lockstep(
    factories: Mapping[str, ProgramFactory],
    plan: Plan | None = None,
    *,
    entropy: Mapping[str, Entropy],
    helper: str = "helper",
    tap: Tap | None = None,
    refusal: type[BeaverlodgeError] | None = None,
    tracers: Mapping[str, Tracer] | None = None,
) -> Outcome:
    """Run one program for each owner, with a helper, in this thread.

    Args:
        factories: owner -> its program; their order is the owners' order.
        plan: the plan that all owners agreed on; made from the first owner's program where left out.
        entropy: party (the helper too) -> the source of its seeds.
        tap: called with every message; returns the body to deliver, or None to drop it.
        refusal: an error with which a program may end: it is then that owner's result, and need not have come to the
            end of its plan.
        tracers: owner, or the helper -> what records its rounds; none where left out. The caller closes them.

    Raises:
        PeerLostError: a party waits for a message that nobody will send.
    """
    owners = tuple(factories)
    plan = plan or make_plan(factories[owners[0]], owners, helper)
    traced_by = {name: (tracers or {}).get(name, Tracer()) for name in (*owners, helper)}
    net = _Net(tap or (lambda message: message.body), traced_by)
    seats = seat(plan, entropy, lambda windows: _windows(windows, net, helper, owners[-1]), traced_by)
    programs = {name: factories[name](one.party) for name, one in seats.items()}
    results, rounds = net.run(programs, () if refusal is None else (refusal,))
    for name, one in seats.items():
        if refusal is None or not isinstance(results[name], refusal):
            one.supply.finish(one.party)
    watch = seats[owners[0]].watch
    sent = {name: net.sent.get(name, 0) for name in (*owners, helper)}
    return Outcome(results, tuple(watch.reveals), rounds, sent, plan.on(watch.ways))


def run_programs(programs: Mapping[str, Program]) -> None:
    """Run the owners' programs in this thread, where each has made a party of its own already.

    Raises:
        PeerLostError: a party waits for a message that nobody will send.
    """
    _Net(lambda message: message.body, {name: Tracer() for name in programs}).run(programs, ())


@dataclass(frozen=True)
class Seat:
    """An owner that is ready to run its program, with its supply and its observer."""

    party: Party
    supply: PlannedSupply
    watch: Watch


def seat(
    plan: Plan,
    entropy: Mapping[str, Entropy],
    carry: Callable[[Iterator[bytes]], Callable[[], bytes]],
    tracers: Mapping[str, Tracer] | None = None,
) -> dict[str, Seat]:
    """Owners ready to run a plan, with the seeds that a handshake would have agreed on."""
    owners, helper = plan.owners, plan.helper
    context = session_id({name: entropy[name]("hello") for name in (*owners, helper)}) + plan.digest.encode()
    with_helper = {o: derive(entropy[helper](f"deal/{o}"), "correlations", context) for o in owners}
    tracers = tracers or dict.fromkeys(owners, Tracer())
    watches = {name: Watch(tracer=tracers[name]) for name in owners}
    said = _decisions(watches[owners[-1]].ways)
    dealing = deal_windows(groups_to_deal(plan, said), [Stream(with_helper[o]) for o in owners])
    pair_seeds = {(a, b): entropy[a](f"pair/{b}") for i, a in enumerate(owners) for b in owners[i + 1 :]}
    seats: dict[str, Seat] = {}
    declared = frozenset(item.what for item in plan.reveals)
    for name in owners:
        watch = watches[name]
        next_window = carry(dealing) if name == owners[-1] else None
        supply = PlannedSupply(plan, Stream(with_helper[name]), next_window)
        pairs = {
            peer: pair_streams(pair_seeds[(name, peer) if (name, peer) in pair_seeds else (peer, name)], context)
            for peer in owners
            if peer != name
        }
        party = traced(tracers[name], name, owners, supply, pairs, watch, declared)
        seats[name] = Seat(party, supply, watch)
    return seats


def _decisions(ways: list[bool]) -> Callable[[], bool]:
    """The last owner's decisions at forks, one after another; in one thread, the helper reads them itself."""
    number = -1

    def next_way() -> bool:
        nonlocal number
        number += 1
        return ways[number]

    return next_way


def _windows(dealing: Iterator[bytes], net: _Net, helper: str, last: str) -> Callable[[], bytes]:
    dealer, fetcher = net.tracers[helper], net.tracers[last]

    def fetch() -> bytes:
        fetcher.pulls("deal", helper)
        dealer.resumes()
        window = next(dealing)
        dealer.pushes()
        net.post(Message(helper, last, "deal", window))
        dealer.pushed("deal", last, len(window))
        taken = net.take(helper, last, "deal")
        fetcher.pulled(len(taken))
        return taken

    return fetch


class _Net:
    """Mailboxes between the parties of one thread."""

    def __init__(self, tap: Tap, tracers: Mapping[str, Tracer]) -> None:
        self._tap = tap
        self.tracers = tracers
        self._boxes: dict[tuple[str, str], deque[Message]] = {}
        self.sent: dict[str, int] = {}

    def post(self, message: Message) -> None:
        body = self._tap(message)
        self.sent[message.sender] = self.sent.get(message.sender, 0) + len(message.body)
        if body is not None:
            box = self._boxes.setdefault((message.sender, message.receiver), deque())
            box.append(Message(message.sender, message.receiver, message.label, body))

    def take(self, sender: str, receiver: str, label: str) -> bytes:
        box = self._boxes.get((sender, receiver))
        if not box or box[0].label != label:
            found = f", which sent '{box[0].label}'" if box else ""
            raise PeerLostError(f"{receiver} waits for {sender} in '{label}'{found}", party=sender)
        return box.popleft().body

    def run(
        self, programs: Mapping[str, Program], refusals: tuple[type[BeaverlodgeError], ...]
    ) -> tuple[dict[str, Any], dict[str, int]]:
        results: dict[str, Any] = {}
        rounds = dict.fromkeys(programs, 0)
        answers: dict[str, Mapping[str, Any] | None] = dict.fromkeys(programs)
        for tracer in self.tracers.values():
            tracer.started()
        try:
            while len(results) < len(programs):
                waiting: dict[str, Round] = {}
                for name, program in programs.items():
                    if name in results:
                        continue
                    tracer = self.tracers[name]
                    tracer.resumes()
                    try:
                        waiting[name] = program.send(answers[name])  # type: ignore[arg-type]  # None starts it
                    except StopIteration as end:
                        results[name] = end.value
                        tracer.finished()
                        continue
                    except refusals as refusal:
                        results[name] = refusal
                        continue
                    rounds[name] += 1
                    tracer.awaits(program)
                    tracer.asked(waiting[name])
                    for peer, arrays in waiting[name].send.items():
                        self.post(Message(name, peer, waiting[name].label, payload(arrays)))
                    tracer.handed()
                for name, one in waiting.items():
                    for task in one.meanwhile:
                        task()
                    self.tracers[name].ready()
                    answers[name] = {peer: self._answer(peer, name, one) for peer in one.recv}
                    self.tracers[name].ended()
            for name in self.tracers.keys() - programs.keys():  # the helper's
                self.tracers[name].finished()
        finally:
            for program in programs.values():
                program.close()
        return results, rounds

    def _answer(self, sender: str, receiver: str, one: Round) -> Any:
        body = self.take(sender, receiver, one.label)
        specs = one.recv[sender]
        answer = body if isinstance(specs, Blob) else parse(body, specs, sender=sender, label=one.label)
        self.tracers[receiver].came(sender, one, answer)
        return answer
