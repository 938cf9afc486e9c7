"""One link's state: sequence numbers, tags, acknowledgements, resends. A pure state machine: no socket, no clock.

Every data frame has a sequence number and acknowledges all that came before it. Frames are kept until acknowledged,
so that after a reconnect each side says what it expects next and gets it again; repeats are dropped. News of the first
connection may come later than its frames: what follows one that came is on its way then, and is not sent again. The
first frame of a link (the hello) is tagged under a key that everyone knows, all later ones under the link's session
key. A side that has no session key yet gives what is not data the hello's number, so that the peer can read it at
once; so does one that gives up and has not seen yet that the peer has the key.

A frame that says which frame is expected carries a digest of its sender's hello. Two processes never send the same
hello, since it has a nonce: so a process that was started again, or twice, is not taken for one that reconnects.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from mpc.errors import PeerLostError, ProtocolError
from mpc.links.wire import (
    ABORT,
    DATA,
    RESUME,
    SIGN,
    Header,
    TagKey,
    check_version,
    peek_sequence,
    peek_type,
    seal,
    tag_is_right,
    unseal,
)
from mpc.randomness.streams import derive
from mpc.runtime.round import HEADER_BYTES

HELLO_KEY = TagKey(sha256(b"beaverlodge hello").digest())
HELLO_FRAMES = 1

FRAME_BYTES: Final = 1 << 10
"""The memory that is counted for a kept message beside its payload: its header, and Python's objects."""

_MOST_ASKED: Final = 2
"""How often frames are sent again to a peer between two new connections: on the one, and on the next before that is
news."""


@dataclass(frozen=True)
class Backlog:
    """The bounds of what is kept of a party's messages.

    Args:
        longest: bytes of the longest payload.
        nbytes: bytes of all messages that came and were not used yet, with `FRAME_BYTES` for each.
    """

    longest: int
    nbytes: int


HANDSHAKE: Final = Backlog(1 << 22, 5 << 20)
"""The bound before there is a plan: of the two objects that may wait, one (the names of columns) can be long."""

_FIRST = 1
"""The label field of a resume on the first connection of which its sender has news."""


class Frame(NamedTuple):
    """A frame to send: its header, its payload."""

    head: bytes
    body: bytes

    @property
    def size(self) -> int:
        """Bytes of header and payload."""
        return len(self.head) + len(self.body)


class Delivered(NamedTuple):
    """A data frame in its turn."""

    label: int
    body: memoryview


@dataclass(frozen=True, slots=True)
class Resend:
    """The peer says what it expects next: these frames are to be sent again."""

    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Aborted:
    """The peer gave up."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """The peer's sign, which says whom it waits for."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Ignored:
    """A repeat, or a frame after a gap that a resend will fill."""


Incoming = Delivered | Resend | Aborted | Waiting | Ignored


class Link:
    """The state of the link between two parties, at one of them."""

    def __init__(self, me: str, peer: str) -> None:
        self.me = me
        self.peer = peer
        self._keys: tuple[TagKey, TagKey] | None = None  # of this side's frames, and of the peer's
        self._peer_has_keys = False  # as far as this side has seen
        self._next_out = 0
        self._next_in = 0
        self._own_hello = b""  # a digest of this side's first frame, once there is one
        self._hello = b""  # of the peer's
        self._unacknowledged: deque[tuple[int, int, bytes]] = deque()  # sequence, label, payload
        self._early: list[tuple[memoryview, memoryview]] = []  # frames that came before there was a key
        self._limit = HANDSHAKE.nbytes  # of what came from the peer and was not used
        self._kept = 0  # bytes of that
        self._own_limit: int | None = None  # of what the peer did not acknowledge
        self._own_kept = 0
        self._asked = 0  # how often the peer said what it expects, since the last connection that was news

    def rekey(self, link_key: bytes) -> list[Incoming]:
        """Use the session's key from now on; returns what came before it was known."""
        mine, theirs = (derive(link_key, f"frames of {name}") for name in (self.me, self.peer))
        self._keys = (TagKey(mine), TagKey(theirs))
        early, self._early = self._early, []
        self._kept -= sum(_size(body) for _, body in early)
        return [item for head, body in early for item in self.receive(head, body)]

    def bound(self, theirs: Backlog, own: Backlog) -> None:
        """Keep no more than this of the peer's messages from now on, and of this side's own."""
        self._limit, self._own_limit = theirs.nbytes, own.nbytes

    def used(self, body: memoryview) -> None:
        """Note that the payload of a delivered frame is not kept any more."""
        self._kept -= len(body) + FRAME_BYTES

    def connected(self) -> tuple[Frame, ...]:
        """Note a new connection; gives the frames to send again to a peer whose last requests were not answered.

        Connections may come and go while a party computes, and be news after all that the peer said on each of them. A
        peer that asks without end, on one connection, is not answered without end.
        """
        unheard, self._asked = self._asked > _MOST_ASKED, 0
        return self.unacknowledged() if unheard else ()

    def data(self, label: int, body: bytes) -> Frame:
        """The next data frame; it is kept until the peer acknowledges it.

        Raises:
            ProtocolError: the peer did not acknowledge what it must have used.
        """
        sequence = self._next_out
        if not sequence:
            self._own_hello = sha256(body).digest()
        self._next_out += 1
        self._unacknowledged.append((sequence, label, body))
        self._own_kept += len(body) + FRAME_BYTES
        if self._own_limit is not None and self._own_kept > self._own_limit:
            raise ProtocolError(
                f"{self.peer} does not acknowledge messages that it has used",
                "the parties may run different versions",
                party=self.peer,
            )
        return self._frame(DATA, label, sequence, body)

    def unacknowledged(self) -> tuple[Frame, ...]:
        """The frames that the peer did not say it has, to be sent again."""
        return tuple(self._frame(DATA, label, sequence, body) for sequence, label, body in self._unacknowledged)

    def resume(self, *, first: bool = False) -> Frame:
        """Says, on a new connection, which frame is expected next; and whether it is the first that is news here."""
        if self._keys is None and not first:
            # What came too early over an earlier connection may be of a process that is no more. All of it that is
            # not, comes again.
            self._kept -= sum(_size(body) for _, body in self._early)
            self._early.clear()
        return self._frame(RESUME, _FIRST if first else 0, self._next_out if self._keys else 0, self._own_hello)

    def abort(self, body: bytes) -> Frame:
        """Tells the peer that this side gave up."""
        return self._frame(ABORT, 0, self._next_out if self._peer_has_keys else 0, body)

    def sign(self, body: bytes) -> Frame:
        """Says whom this side waits for, once there is a session."""
        return self._frame(SIGN, 0, self._next_out, body)

    @property
    def lives(self) -> bool:
        """Whether there is a session."""
        return self._keys is not None

    def refusal(self, body: bytes) -> Frame:
        """Tells another process with the peer's key that the peer is here already."""
        return Frame(seal(ABORT, 0, 0, 0, body, HELLO_KEY), body)

    def is_from_peer(self, head: memoryview, body: memoryview) -> bool:
        """Whether a frame of another connection under the peer's key shows that it comes from the same process."""
        if not self._hello:
            return True
        if len(head) != HEADER_BYTES:
            return False
        sequence = peek_sequence(head)
        if not tag_is_right(head, body, self._key(incoming=True, sequence=sequence)):
            return False
        if sequence >= HELLO_FRAMES:
            return self._keys is not None
        if peek_type(head) == RESUME:
            return body == self._hello
        return peek_type(head) == DATA and sha256(body).digest() == self._hello

    def receive(self, head: memoryview, body: memoryview) -> list[Incoming]:
        """Take one frame that came under the peer's key.

        Raises:
            DisagreementError: the peer's frames are of another version.
            ProtocolError: the frame is malformed, was altered, or acknowledges what was never sent; or the peer sends
                more, ahead of what is used of it, than there can be in this program.
            PeerLostError: the peer's process is a new one, which knows nothing of this session.
        """
        check_version(head, me=self.me, sender=self.peer)
        sequence = peek_sequence(head) if len(head) == HEADER_BYTES else 0
        if self._keys is None and sequence >= HELLO_FRAMES:
            self._keep(body)
            self._early.append((head, body))
            return []
        header = unseal(head, body, self._key(incoming=True, sequence=sequence), sender=self.peer)
        type_, label, sequence, acknowledged, _ = header
        if acknowledged > self._next_out:
            raise ProtocolError(f"{self.peer} acknowledges frames that were never sent", party=self.peer)
        if sequence >= HELLO_FRAMES:
            self._peer_has_keys = True
        if type_ == RESUME or sequence == 0:
            self._check_the_same(header, body)
        waiting = self._unacknowledged
        while waiting and waiting[0][0] < acknowledged:
            self._own_kept -= len(waiting.popleft()[2]) + FRAME_BYTES
        if type_ == DATA:
            if sequence != self._next_in:
                return [Ignored()]
            self._keep(body)
            self._next_in += 1
            return [Delivered(label, body)]
        if type_ == ABORT:
            return [Aborted(bytes(body))]
        if type_ == SIGN:
            return [Waiting(bytes(body))]
        self._asked += 1
        on_its_way = label == _FIRST and acknowledged > 0
        return [Resend(() if on_its_way or self._asked > _MOST_ASKED else self.unacknowledged())]

    def _keep(self, body: memoryview) -> None:
        """Count what came as kept until it is used."""
        self._kept += len(body) + FRAME_BYTES
        if self._kept > self._limit:
            raise ProtocolError(
                f"{self.peer} sends more than {self.me} can have use for yet",
                "the parties may run different versions, or a process of an earlier run is still there",
                party=self.peer,
            )

    def _check_the_same(self, header: Header, body: memoryview) -> None:
        """Refuse a peer that is not the process that said hello, by the digest of its hello."""
        hello = b""
        if header.type == RESUME:
            hello = bytes(body)
        elif header.type == DATA and header.sequence == 0:
            hello = sha256(body).digest()
        self._hello = self._hello or hello
        if hello and hello != self._hello:
            raise PeerLostError(
                f"{self.peer} was started again in the middle of the run",
                "start every party again",
                party=self.peer,
            )

    def _key(self, *, incoming: bool, sequence: int) -> TagKey:
        if self._keys is None or sequence < HELLO_FRAMES:
            return HELLO_KEY
        return self._keys[1 if incoming else 0]

    def _frame(self, type_: int, label: int, sequence: int, body: bytes) -> Frame:
        key = self._key(incoming=False, sequence=sequence)
        return Frame(seal(type_, label, sequence, self._next_in, body, key), body)


def _size(body: bytes | memoryview) -> int:
    """The memory that is counted for a message."""
    return len(body) + FRAME_BYTES


def link_key(session: bytes, parts: dict[str, bytes]) -> bytes:
    """The key of one link, from the secret part that each end sent the other under CURVE.

    Args:
        session: a digest of the two ends' nonces.
        parts: each end's secret part.
    """
    secret = b"".join(parts[name] for name in sorted(parts))
    return derive(secret, "link " + " ".join(sorted(parts)), session)
