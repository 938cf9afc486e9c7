"""A party's links to its peers: rounds over a network, within deadlines, with errors that name the cause."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Final

from mpc.errors import BeaverlodgeError, InterruptedRun, PeerLostError, ProtocolError
from mpc.links.abort import Words, already_here, error_of_peer, last_words, read_words
from mpc.links.contact import Contact, Say
from mpc.links.network import Came, Connected, Disconnected, Event, Network, Refused
from mpc.links.peer_state import PeerState
from mpc.links.probe import Doctors, is_probe
from mpc.links.session import HANDSHAKE, Aborted, Backlog, Delivered, Frame, Incoming, Link, Resend, Waiting
from mpc.links.waiting import SIGNS_A_DEADLINE, UNHEARD_DEADLINES, Sign, Wait, read_sign, sign_body
from mpc.links.wire import label_code
from mpc.ring.specs import parse, payload
from mpc.runtime.round import HEADER_BYTES, Blob, Round
from mpc.runtime.trace import Trace

Look = Callable[[str, Any], Any]

LEAVE: Final = "bye"
"""The label of a party's last frame."""

_FAREWELL_SECONDS = 1.0
_ATTENDING_SECONDS = 0.005
_OTHER_ROUNDS = 8  # of the handshake and the parting, at most


@dataclass(frozen=True)
class Limits:
    """Seconds: for all parties to connect, for one round, and for a lost contact to come back."""

    connect: float
    deadline: float
    patience: float


@dataclass(frozen=True)
class _Bounds:
    """The limits of a peer's messages: the names of parties and of the program's stages, and its number of rounds."""

    parties: frozenset[str]
    stages: Set[str] = frozenset()
    rounds: int = _OTHER_ROUNDS


class Channel:
    """Links to all peers over one network.

    Args:
        me: this party's name.
        peers: the others.
        network: already listening and dialling.
        limits: the deadlines.
        trace: counts the traffic.
        say: takes lines for the log; they hold no data.
    """

    def __init__(self, me: str, peers: Iterable[str], network: Network, limits: Limits, trace: Trace, say: Say) -> None:
        self.me = me
        self._network = network
        self._limits = limits
        self.trace = trace
        self._say = say
        self._links = {peer: Link(me, peer) for peer in peers}
        self._contact = Contact(me, self._links, limits.patience, network.now(), say)
        self._peers = {peer: PeerState() for peer in self._links}
        self._settled = False
        self._doctors = Doctors(say, {}, "its links")
        self._bounds = _Bounds(frozenset((me, *self._links)))
        self._rounds = 0  # that were begun
        self._sign_due = 0.0
        self._waits: tuple[Wait, set[str]] | None = None  # how, and whom for
        for peer in self._links:
            network.allow(peer, HANDSHAKE.longest)

    def bound(
        self, theirs: Mapping[str, Backlog], own: Mapping[str, Backlog], stages: Set[str], most_rounds: int
    ) -> None:
        """Accept from now on only these stages from peers, and no more rounds than this.

        Args:
            theirs: the most that is kept of each peer's messages.
            own: the most that is kept of this side's messages to each peer.
        """
        self._bounds = replace(self._bounds, stages=stages, rounds=most_rounds + _OTHER_ROUNDS)
        for peer, link in self._links.items():
            self._network.allow(peer, theirs[peer].longest)
            link.bound(theirs[peer], own[peer])

    @property
    def deadline(self) -> float:
        """Seconds for a peer's answer in one round."""
        return self._limits.deadline

    def exchange(self, one: Round, deadline: float | None = None, look: Look | None = None) -> dict[str, Any]:
        """Send and receive what a round declares.

        Args:
            deadline: seconds; the limits' one where left out, infinite to wait for as long as the peers go on.
            look: called with each answer as soon as it is there, before the others are.

        Raises:
            PeerLostError: a peer was lost for longer than the patience, or did not answer within the deadline.
            ProtocolError: a message was malformed, altered, of another round or of another length.
        """
        self.trace.round(one.label)
        tracer = self.trace.tracer
        tracer.asked(one)
        self._rounds += 1
        code = label_code(one.label)
        encoded: dict[int, bytes] = {}
        for peer, arrays in one.send.items():
            body = encoded.get(id(arrays))
            if body is None:
                body = encoded[id(arrays)] = payload(arrays)
            self._send(peer, code, body)
        tracer.handed()
        for task in one.meanwhile:
            task()
        tracer.ready()
        missing = set(one.recv)
        wait = self._begin(one.label, deadline)
        answers = {}
        while missing:
            for peer in one.recv:
                if peer in missing and self._peers[peer].inbox:
                    answer = self._take(peer, one)
                    tracer.came(peer, one, answer)
                    answers[peer] = look(peer, answer) if look else answer
                    missing.discard(peer)
            if missing:
                self._wait(wait, missing)
        tracer.ended()
        return answers

    def push(self, peer: str, label: str, body: bytes) -> None:
        """Send one message outside the rounds (the helper's windows, and credits)."""
        self.trace.tracer.pushes()
        self._send(peer, label_code(label), body)
        self.trace.tracer.pushed(label, peer, len(body))

    def pull(self, peer: str, label: str, deadline: float | None = None) -> memoryview:
        """The peer's next message, which must have this label; the deadline is as in `exchange`."""
        wait = self._begin(label, deadline)
        self.trace.tracer.pulls(label, peer)
        while not self._peers[peer].inbox:
            self._wait(wait, {peer})
        body = self._next(peer, label)
        self.trace.tracer.pulled(len(body))
        return body

    def rekey(self, peer: str, key: bytes) -> None:
        """Use the session's key with a peer from now on."""
        self._handle(peer, self._links[peer].rekey(key))

    def attend(self, done: Callable[[], bool]) -> None:
        """Serve the links until `done`: answer handshakes, and hear peers that give up."""
        while not done():
            self._step(self._network.now() + _ATTENDING_SECONDS)

    def introduce(self, about: Mapping[str, Any]) -> None:
        """Set the answer to a peer's doctor that asks who is here."""
        self._doctors.about = about

    def dismiss(self, peer: str) -> None:
        """Note that the peer needs nothing more from this side: its leaving is then no loss."""
        self._contact.dismiss(peer)

    def take_leave(self) -> None:
        """Stay until every peer has said that it has all it needs of this side, or was silent for the patience.

        Nothing that happens now changes the run's result: no error is raised.
        """
        for peer in self._links:
            self._send(peer, label_code(LEAVE), b"")
        end = self._network.now() + self._limits.patience
        try:
            while self._network.now() < end and not all(
                known.inbox or known.elsewhere for known in self._peers.values()
            ):
                self._step(end)
        except BeaverlodgeError as error:
            self._say(f"the parting was cut short: {error.message}")

    def abort(self, error: BeaverlodgeError, stage: str) -> None:
        """Tell every peer that this side gave up: code, party and stage, nothing else.

        Peers that are only just connecting get a moment to hear it, unless this side has waited for them in vain.
        """
        body = last_words(error, stage, self.me)
        for peer, link in self._links.items():
            self._network.send(peer, link.abort(body))
        if isinstance(error, PeerLostError | InterruptedRun):
            return
        end = self._network.now() + _FAREWELL_SECONDS
        while not self._contact.complete and (left := end - self._network.now()) > 0:
            match self._network.poll(left):
                case Came(peer) | Connected(peer) | Refused(peer):
                    self._contact.met(peer)

    def _send(self, peer: str, code: int, body: bytes) -> None:
        frame = self._links[peer].data(code, body)
        self.trace.sent(HEADER_BYTES + len(body))
        if peer in self._contact.down:
            self._peers[peer].held_back = True  # the session sends it once contact is back
        else:
            self._network.send(peer, frame)

    def _next(self, peer: str, label: str) -> memoryview:
        """The payload of the peer's next message, which has come."""
        code, body = self._peers[peer].inbox.popleft()
        self._links[peer].used(body)
        if code != label_code(label):
            raise ProtocolError(
                f"{self.me} waits for {peer} in '{label}', which is in another round",
                "the parties run different versions, or a protocol in which not all owners send alike",
                party=peer,
            )
        self.trace.received(HEADER_BYTES + len(body))
        return body

    def _take(self, peer: str, one: Round) -> Any:
        body, specs = self._next(peer, one.label), one.recv[peer]
        if isinstance(specs, Blob):
            if len(body) > specs.limit:
                raise ProtocolError(f"{peer} sent {len(body)} bytes in '{one.label}': too many", party=peer)
            return bytes(body)
        return parse(body, specs, sender=peer, label=one.label)

    def _begin(self, label: str, deadline: float | None) -> Wait:
        seconds = self._limits.deadline if deadline is None else deadline
        return Wait(label, self._network.now(), seconds, self._limits.patience)

    def _wait(self, wait: Wait, missing: set[str]) -> None:
        """Until the next event, or an error when a deadline passes."""
        now = self._network.now()
        self._waits = wait, missing
        seconds = self._contact.check(now, wait, missing)
        if wait.end == inf:
            unheard = UNHEARD_DEADLINES * self._limits.deadline + self._limits.patience
            self._contact.check_progress(now, wait, missing, unheard)
        if now >= self._sign_due:
            self._give_sign(now, missing)
        seconds = min(seconds, self._sign_due - now)
        self._take_event(self._network.poll(seconds, next(iter(missing)) if self._settled else None))

    def _give_sign(self, now: float, missing: set[str]) -> None:
        """Send all connected peers this party's round, and the parties for which it waits."""
        self._sign_due = now + self._limits.deadline / SIGNS_A_DEADLINE
        body = sign_body(Sign(self._rounds, frozenset(missing), self._contact.down_among(missing)))
        for peer, link in self._links.items():
            if link.lives and peer not in self._contact.down and not self._peers[peer].elsewhere:
                self._network.send(peer, link.sign(body))

    def _step(self, end: float) -> None:
        self._take_event(self._network.poll(max(0.0, end - self._network.now())))

    def _take_event(self, event: Event | None) -> None:
        if not isinstance(event, Came):
            if event is not None:
                self._hear(event)
            return
        peer, head, body, newcomer = event
        if is_probe(head):
            waiting = not self._contact.complete
            answer = self._doctors.answer(peer, head, body, self._network.now(), waiting=waiting)
            if answer is not None:
                self._network.send(peer, answer)
        elif peer in self._links and not self._peers[peer].elsewhere and (not newcomer or self._let_in(event)):
            self._receive(peer, head, body)

    def _let_in(self, frame: Came) -> bool:
        """Whether to accept a second connection of a peer: only if the same process is at its end.

        Another process with the peer's key, which was started beside it, disturbs nothing: from the first one's hello
        on it gets a refusal.
        """
        peer, link = frame.peer, self._links[frame.peer]
        if link.is_from_peer(frame.head, frame.body):
            self._say(f"{peer} connects anew; its other connection is shut")
            self._network.adopt(peer)
            return True
        if not self._contact.is_dismissed(peer):  # else it is in its next run already
            if not self._peers[peer].doubled:
                self._peers[peer].doubled = True
                self._say(f"another process with the key of {peer} connects, and is turned away: this run goes on")
            self._network.turn_away(peer, link.refusal(already_here(self.me, self.trace.at)))
        return False

    def _hear(self, event: Event) -> None:
        """News of a connection."""
        self._contact.hear(event, self._network.now())
        if isinstance(event, Connected | Disconnected):
            self._sign_due = 0.0  # peers pause their deadlines meanwhile
        if isinstance(event, Connected):
            self._greet(event.peer)
        elif isinstance(event, Disconnected):
            self._settled = False
            self._doctors.left(event.peer)

    def _greet(self, peer: str) -> None:
        """Greet a peer on a new connection, so that what an earlier one lost is sent again.

        Each side says on every connection which frame it expects next.
        """
        link, known = self._links[peer], self._peers[peer]
        self._network.send(peer, link.resume(first=not known.greeted))
        self._send_again(peer, link.connected())
        if known.connected():
            self._send_again(peer, link.unacknowledged())
        self._settle()

    def _settle(self) -> None:
        """Note whether on every present connection both sides have said which frame they expect.

        Until then frames must not overtake news of connections, or some are sent again that need not be.
        """
        self._settled = all(known.settled for known in self._peers.values())

    def _receive(self, peer: str, head: memoryview, body: memoryview) -> None:
        try:
            items = self._links[peer].receive(head, body)
        except PeerLostError:
            if not self._contact.is_dismissed(peer):
                raise
            self._peers[peer].elsewhere = True
            return
        if items:  # else it is of a run that this side has no key of, the peer's last one perhaps
            self._contact.met(peer)
        self._handle(peer, items)

    def _send_again(self, peer: str, frames: Iterable[Frame]) -> None:
        for frame in frames:
            self.trace.resent += 1
            self._network.send(peer, frame)

    def _handle(self, peer: str, items: list[Incoming]) -> None:
        for item in items:
            if isinstance(item, Delivered):
                self._peers[peer].inbox.append(item)
                continue
            match item:
                case Resend(frames):
                    # What is held back after this, where its connection is no news yet, it will not ask for again.
                    self._peers[peer].states_expectation(lost=peer in self._contact.down)
                    self._settle()
                    self._send_again(peer, frames)
                case Waiting(body):
                    sign = read_sign(peer, body, self._bounds.parties)
                    self._contact.take_sign(peer, sign, self._network.now(), self._bounds.rounds)
                case Aborted(body):
                    raise self._first_cause(peer, self._words(peer, body))

    def _words(self, peer: str, body: bytes) -> Words:
        return read_words(peer, body, self._bounds.parties, self._bounds.stages)

    def _first_cause(self, peer: str, words: Words) -> BeaverlodgeError:
        """The error to end with, where a peer gives up.

        If it gave up because of another peer, that peer gets a moment to report the cause itself. If it gave up
        waiting for this party, which waits for others, these are the cause, if the wait was long enough to give up.
        """
        error, lost = error_of_peer(peer, words, self.me), words.lost
        if lost == self.me and words.by is None and self._waits is not None:
            wait, missing = self._waits
            others = missing - {peer}
            if others and self._network.now() - wait.began >= self._limits.deadline / 2:
                return self._contact.kept_waiting(others, wait, peer)
        if lost is None or lost == self.me or lost in self._contact.down:
            return error
        heard = self._hear_out(lost)
        return error if heard is None else error_of_peer(lost, heard, self.me)

    def _hear_out(self, peer: str) -> Words | None:
        """The last words of a peer because of which another one gave up, if they come soon."""
        end = self._network.now() + _FAREWELL_SECONDS
        while (left := end - self._network.now()) > 0:
            event = self._network.poll(left)
            if isinstance(event, Disconnected) and event.peer == peer:
                return None
            if not isinstance(event, Came) or event.peer != peer or event.newcomer or is_probe(event.head):
                continue
            try:
                items = self._links[peer].receive(event.head, event.body)
            except BeaverlodgeError:
                return None
            for item in items:
                if isinstance(item, Aborted):
                    return self._words(peer, item.body)
        return None
