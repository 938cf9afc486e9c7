"""The honest parties of a run that a listed peer attacks: `python -m tests.links.hostile.honest`, a process of its own.

It takes orders as lines of JSON and answers with such lines. An order names a scene; the parties whose ports are to be
attacked begin at once, the others with the line "go". "routes" asks for the routing ids that libzmq gave out so far:
the one who attacks is to know more than he could. With "end" the parties get a moment to end, and it is told how they
did, and how much memory the process held at most since the order.

    session    two owners and the helper, from the handshake to the parting; attacked is an owner or the helper. The one
               who attacks may take part, from outside this process ("inside")
    pair       two parties that swap words until "end"; a third one is listed
    doctor     two doctors that look at their link; a third one is listed
    sum        a server and its clients in two stages, of which client v leaves after the first; client m is listed
"""

from __future__ import annotations

import faulthandler
import json
import statistics
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
import zmq

import mpc.links.channel
from mpc.errors import BeaverlodgeError
from mpc.faults.fault import vanishing
from mpc.links.channel import Channel, Limits
from mpc.links.zmq.curve import Curve, Identity
from mpc.links.zmq.transport import Transport
from mpc.runtime.party import Party
from mpc.runtime.round import Blob, Round
from mpc.runtime.trace import Trace
from mpc.star.client import StarClient, always
from mpc.star.server import StarLimits, StarServer
from mpc.star.sockets import ClientHost
from mpc.star.stage import ClientProgram, Exchange, Gather, ServerProgram, Take
from parties.doctor.links import probe_links
from protocols.core.beaver import multiply
from tests.links.over_zmq import HELPER
from tests.links.pairs import KEY, ONE_WORD
from tests.links.sessions import OWNERS, take_part

STEPS: Final = 30
DIGEST: Final = b"d" * 32
STAGES: Final = ("first", "second")
CLIENTS: Final = ("c0", "c1", "c2", "v", "m")
LEAVES_AFTER_FIRST: Final = "v"
LISTENS: Final = "tcp://127.0.0.1:*"
OVER: Final = 2**40
SILENCE: Final = 10.0
LINGER: Final = 0.15
LAST_ANSWERS: Final = 1.0  # of a sum's server, without which its clients wait for longer than they are waited for here
PAUSE: Final = 0.002  # between two rounds that are timed: most of a party's time is work of its own
LONG_ANSWER: Final = 60_000
ENDED_WITHIN: Final = 120.0
"""Seconds in which all parties have ended: the helper waits ten deadlines and the patience for a sign of an owner, and
a busy machine is slow. Only a hang reaches it."""

DIALS: Final[Mapping[str, tuple[str, ...]]] = {"a": (), HELPER: ("a",), "b": ("a", HELPER)}


# -- what the parties compute, so that one differing bit shows


async def products(p: Party) -> Any:
    """Thirty products, one after the other: a run that lasts for some sixty rounds."""
    x = p.input("a", None if p.dry or p.name != "a" else numbers(1), (8,), 0)
    y = p.input("b", None if p.dry or p.name != "b" else numbers(2), (8,), 0)
    for step in range(STEPS):
        y = await multiply(p, x, y, label=f"product {step}")
    (result,) = await p.reveal(y, what="product", why="a test", label="reveal")
    return result.value


def numbers(factor: int) -> Any:
    return np.arange(1, 9, dtype=np.uint64) * np.uint64(factor)


def expected() -> list[int]:
    """What `products` reveals."""
    return [int(k**STEPS * 2 * k % 2**64) for k in range(1, 9)]


def token(name: str, place: str | int) -> bytes:
    """What a party says at a place: nobody else says the same."""
    return blake2b(f"{name}/{place}".encode(), digest_size=8).digest()


def answer_to(client: str, stage: str) -> bytes:
    """What a sum's server answers; to m at length."""
    return token("server", f"{stage}/{client}").ljust(LONG_ANSWER if client == "m" else 8, b".")


def word_of(name: str, number: int) -> int:
    return int.from_bytes(token(name, number)[:4], "little")


# -- how the process hears and answers


class _Seen(zmq.Socket[bytes]):
    """A socket that notes the routing ids that libzmq itself has given."""

    ids: list[str] = []  # noqa: RUF012  # of all sockets of a scene

    def recv(self, *args: Any, **more: Any) -> Any:
        got = super().recv(*args, **more)
        route = got if isinstance(got, bytes) else got.bytes if len(got) == 5 else b""
        if len(route) == 5 and route[0] == 0 and route.hex() not in self.ids:
            self.ids.append(route.hex())
        return got


class _SeenCurve(Curve):
    def __init__(self, me: Identity, peers: Mapping[str, bytes]) -> None:
        super().__init__(me, peers)
        self._context._socket_class = _Seen


class _Watched(Transport):
    curve = _SeenCurve


@dataclass
class Scene:
    """The parties of an order, each in a thread of its own."""

    keys: Mapping[str, Identity]
    attacker: str
    target: str
    limits: Limits
    inside: str | None  # who of a sum is not here; in a session, that the attacker takes part, and where it listens
    marks: int = 0
    go: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    ends: dict[str, Any] = field(default_factory=dict)
    said: dict[str, list[str]] = field(default_factory=dict)
    threads: dict[str, threading.Thread] = field(default_factory=dict)

    def others(self, name: str, among: tuple[str, ...] | None = None) -> dict[str, bytes]:
        return {peer: key.public for peer, key in self.keys.items() if peer != name and (not among or peer in among)}

    def start(self, name: str, job: Callable[[], Any], *, at_once: bool, unused: Callable[[], object] = bool) -> None:
        """Let a party play, at once or with "go"; `unused` is called in place of a job that finds nobody."""
        said = self.said.setdefault(name, [])

        def run() -> None:
            if not at_once:
                self.go.wait()
                if self.target in self.ends:  # nobody is there any more whom they could meet
                    unused()
                    return
            began = time.monotonic()
            try:
                end: dict[str, Any] = {"value": job()}
            except BaseException as error:
                end = {"error": told(error)}
            self.ends[name] = {**end, "seconds": time.monotonic() - began, "said": said[:50]}

        self.threads[name] = threading.Thread(target=run, name=name, daemon=True)
        self.threads[name].start()


def told(error: BaseException) -> dict[str, Any]:
    """An error, as it is told to the test."""
    if isinstance(error, BeaverlodgeError):
        about = {"code": error.code, "exit": error.exit_code, "party": error.party, "told_by": error.told_by}
        return {"kind": type(error).__name__, **about, "message": error.message}
    return {"kind": type(error).__name__, "code": "bug", "message": "".join(traceback.format_exception(error))[-1500:]}


def scene_of(order: Mapping[str, Any]) -> Scene:
    keys = {name: Identity(*(text.encode() for text in pair)) for name, pair in order["keys"].items()}
    return Scene(keys, order["attacker"], order["target"], Limits(*order["limits"]), order.get("inside"))


# -- the scenes: each starts its parties, and gives the endpoints at which they listen


def session(scene: Scene) -> dict[str, str]:
    """Two owners and a helper, or the two of them that are honest; whoever is attacked is there first."""
    transports = {
        name: _Watched(scene.keys[name], scene.others(name), LISTENS if name != "b" else None)
        for name in (*OWNERS, HELPER)
        if scene.inside is None or name != scene.attacker
    }
    endpoints = {name: str(one.endpoint) for name, one in transports.items() if one.endpoint}
    if scene.inside:
        endpoints[scene.attacker] = scene.inside
    for name, transport in transports.items():
        dials = {peer: endpoints[peer] for peer in DIALS[name]}

        def job(name: str = name, transport: Transport = transport, dials: dict[str, str] = dials) -> Any:
            say = scene.said[name].append
            return take_part(name, transport, dials, scene.limits, products, say, linger=LINGER)

        scene.start(name, job, at_once=name == scene.target, unused=partial(transport.close, 0))
    return endpoints


def pair(scene: Scene) -> dict[str, str]:
    """a listens, and has to do with b alone; m is on its list. Until the end every round brings the other's word.

    Either may be alone here (`inside` is "b", or where a listens), to have a process for itself. b tells how long its
    rounds took, in the middle, between two marks.
    """
    only_b = scene.inside is not None and scene.inside.startswith("tcp://")
    a = None if only_b else _Watched(scene.keys["a"], scene.others("a"), LISTENS)
    endpoint = scene.inside if only_b else str(a.endpoint if a else None)

    def swap(me: str, peer: str, transport: Transport, peers: list[str]) -> Any:
        channel = Channel(me, peers, transport, scene.limits, Trace(lambda *_: None), scene.said[me].append)
        number, took = 0, [list[float]()]
        try:
            hello = channel.exchange(Round({peer: token(me, "hello")}, {peer: Blob(100)}, "hello"))[peer]
            assert hello == token(peer, "hello"), f"{peer}'s hello is not its own"
            channel.rekey(peer, KEY)
            while True:
                number += 1
                last = me == "b" and scene.over.is_set()
                mine = np.array([OVER if last else word_of(me, number)], dtype=np.uint64)
                began = time.perf_counter()
                ((got,),) = channel.exchange(Round({peer: (mine,)}, {peer: ONE_WORD}, "swap"))[peer]
                took += [[] for _ in range(len(took), 1 + scene.marks)]
                took[-1].append(time.perf_counter() - began)
                if last or (me == "a" and got == OVER):
                    return {"rounds": number, "took": [statistics.median(one) if one else None for one in took]}
                assert got == word_of(peer, number), f"{peer}'s word {number} is not its own"
                if me == "b" and scene.inside:
                    time.sleep(PAUSE)
        except BeaverlodgeError as error:
            channel.abort(error, "swap")
            raise
        finally:
            transport.close(LINGER)

    def b() -> Any:
        transport = Transport(scene.keys["b"], scene.others("b", ("a",)), None)
        transport.dial("a", str(endpoint))
        return swap("b", "a", transport, ["a"])

    if a is not None:
        scene.start("a", lambda: swap("a", "b", a, ["b", "m"]), at_once=True)
    if only_b or scene.inside != "b":
        scene.start("b", b, at_once=only_b)
    return {"a": str(endpoint)}


def doctor(scene: Scene) -> dict[str, str]:
    """The doctor of a listens, for those of b and m; with "go" both come, and what a saw of b has to be right."""
    a = _Watched(scene.keys["a"], scene.others("a"), LISTENS, doctor=True)
    endpoint = str(a.endpoint)

    def about(name: str) -> dict[str, Any]:
        return {"version": "1.0", "facts": {"name": "test"}, "doing": "doctor", "party": name}

    def look() -> Any:
        try:
            meeting = probe_links(a, {}, {peer: about("a") for peer in ("b", "m")}, scene.limits.connect)
        finally:
            a.close(LINGER)
        seen = meeting.peers["b"]
        return {"connected": seen.connected, "about": dict(seen.about), "time": seen.round_trip}

    def visit(name: str) -> Any:
        transport = Transport(scene.keys[name], scene.others(name, ("a",)), None, doctor=True)
        try:
            meeting = probe_links(transport, {"a": endpoint}, {"a": about(name)}, scene.limits.connect)
        finally:
            transport.close(LINGER)
        return dict(meeting.peers["a"].about)

    scene.start("a", look, at_once=True)
    for name in ("b", "m"):
        scene.start(name, lambda name=name: visit(name), at_once=False)  # type: ignore[misc]
    return {"a": endpoint}


def a_sum(scene: Scene) -> dict[str, str]:
    """A server takes a token of every client in each stage, and looks whose it is."""
    limits = StarLimits(join=scene.limits.connect, stage=scene.limits.deadline, patience=scene.limits.patience / 2)
    transport = _Watched(scene.keys["server"], scene.others("server"), LISTENS)
    endpoint = str(transport.endpoint)
    taken: dict[str, list[str]] = {}

    def taker(stage: str) -> Take:
        taken[stage] = []

        def take(i: int, body: bytes) -> None:
            name = CLIENTS[i]
            its_own = name == scene.attacker or body == token(name, stage)
            assert its_own, f"another's message is taken for that of {name} in '{stage}'"
            taken[stage].append(name)

        return take

    async def program() -> dict[str, list[str]]:
        there = frozenset(range(len(CLIENTS)))
        send: Mapping[int, bytes] = {}
        for stage in STAGES:
            there = await Gather(send, there, 1, stage, 100, taker(stage))
            send = {i: answer_to(CLIENTS[i], stage) for i in there}
        await Gather(send, frozenset(), 0, "end", 100, taker("end"))
        return taken

    def serve() -> Any:
        server = StarServer(
            transport, CLIENTS, DIGEST, limits, lambda *_: None, scene.said["server"].append, about={"version": "1.0"}
        )
        try:
            server.join()
            run: ServerProgram = program()
            result = server.run(run, b"s" * 32, 1, 1)
            server.part()
            return result
        finally:
            transport.close(LAST_ANSWERS)

    def client(name: str) -> StarClient:
        async def stages() -> str:
            for stage in STAGES:
                answer = await Exchange(token(name, stage), stage, LONG_ANSWER)
                assert answer == answer_to(name, stage), f"{name} got another's answer in '{stage}'"
            return "done"

        def make(*_: Any) -> ClientProgram:
            return stages()

        return StarClient(make, DIGEST, always(vanishing(STAGES[1] if name == LEAVES_AFTER_FIRST else None)))

    def visit(*names: str) -> Any:
        clients = {name: (client(name), scene.keys[name]) for name in names}
        host = ClientHost(endpoint, scene.keys["server"].public, clients, SILENCE, limits.patience, lambda *_: None)
        try:
            host.run()
        finally:
            host.close(LINGER)
        return {
            name: "left" if one.vanished else told(one.failure)["code"] if one.failure else "done"
            for name, (one, _) in clients.items()
        }

    scene.start("server", serve, at_once=True)
    scene.start("clients", lambda: visit(*(name for name in CLIENTS if name != "m")), at_once=False)
    if scene.inside is None:
        scene.start("m", lambda: visit("m"), at_once=False)
    return {"server": endpoint}


SCENES: Final[Mapping[str, Callable[[Scene], dict[str, str]]]] = {
    "session": session,
    "pair": pair,
    "doctor": doctor,
    "sum": a_sum,
}


# -- the process


def held() -> dict[str, int]:
    """What this process holds, and held at most since the last order, in bytes."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return {key: int(fields[name].split()[0]) * 1024 for key, name in (("now", "VmRSS"), ("peak", "VmHWM"))}


def main() -> None:
    """Take orders until the input ends."""
    scene: Scene | None = None
    mpc.links.channel._FAREWELL_SECONDS = 0.05  # so that ten thousand runs that fail take minutes
    for line in sys.stdin:
        match line.split():
            case ["go"] if scene:
                scene.go.set()
            case ["mark"] if scene:
                scene.marks += 1
            case ["routes"]:
                say({"routes": _Seen.ids[-100:]})
            case ["held"]:
                say(held())
            case ["end"] if scene:
                say(ended(scene))
            case _:
                order = json.loads(line)
                scene = scene_of(order)
                _Seen.ids.clear()
                Path("/proc/self/clear_refs").write_text("5")
                before = held()
                say({"endpoints": SCENES[order["scene"]](scene), "before": before["now"]})


def ended(scene: Scene) -> dict[str, Any]:
    """How all the parties ended, and who did not."""
    scene.over.set()
    scene.go.set()
    until = time.monotonic() + ENDED_WITHIN
    waited_for = {name: one for name, one in scene.threads.items() if name != "m"}
    for thread in waited_for.values():
        thread.join(max(0.0, until - time.monotonic()))
    # Who has the attacker's key waits until its own deadlines for what was sent to the attacker.
    hanging = [name for name, thread in waited_for.items() if thread.is_alive()]
    if hanging:
        faulthandler.dump_traceback(sys.stderr)
    return {"ends": {**scene.ends}, "hanging": hanging, "said": scene.said, **held()}


def say(answer: Mapping[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
