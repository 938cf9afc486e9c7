"""A siege, `python -m tests.links.hostile.siege ROLE ...`: a party under attack and those who attack its port.

party KEY SECRET KEY_OF_B KEY_OF_C   listens; swaps words with b, round after round, until b says that it is over
hold PORT COUNT                      holds that many connections open, says nothing, and dials anew when turned out
junk PORT COUNT RATE                 sends that many frames of five kinds of nonsense, at most so many a second

Those who attack stand for other machines: they run when the parties leave a core idle, so that what the parties feel
is the attack and not a loss of their own cores.
"""

from __future__ import annotations

import os
import resource
import selectors
import socket
import struct
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Final

from mpc.links.channel import Channel, Limits
from mpc.links.zmq.curve import Identity
from mpc.links.zmq.transport import Transport
from mpc.runtime.round import Blob, Round
from mpc.runtime.trace import Trace
from tests.links.pairs import KEY, ONE_WORD, word

DESCRIPTORS: Final = 1024
OVER: Final = 2**40
LABEL: Final = "round"
_LIMITS: Final = Limits(60, 60, 60)
_GREETING: Final = b"\xff" + b"\0" * 8 + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + b"\0" * 32
_JUNK: Final = (
    b"\x04\x1a\x05READY" + b"x" * 20,
    _GREETING + b"\x04\xc8\x05HELLO\x01\x00" + b"j" * 192,  # well formed, and of no key
    b"GET / HTTP/1.1\r\n\r\n",
    bytes(range(256)),
    _GREETING + b"\x06" + struct.pack(">Q", 1 << 40) + b"a command of a terabyte",
)
_FRAMES_A_CONNECTION: Final = 100
_PELTING: Final = 32


def party(public: bytes, secret: bytes, key_of_b: bytes, key_of_c: bytes) -> None:
    """The party that is attacked, which may open few files."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    transport = Transport(Identity(public, secret), {"b": key_of_b, "c": key_of_c}, "tcp://127.0.0.1:*")
    print(transport.endpoint, flush=True)
    channel = Channel("a", ["b", "c"], transport, _LIMITS, Trace(lambda *_: None), lambda text: None)
    meet(channel, "b")
    said = 0
    while said != OVER:
        said = int(channel.exchange(Round({"b": word(1)}, {"b": ONE_WORD}, LABEL))["b"][0][0])
    print(len(os.listdir("/proc/self/fd")), flush=True)
    transport.close(5)


def meet(channel: Channel, peer: str) -> None:
    """What stands for the handshake, with one peer."""
    channel.exchange(Round({peer: b"hello"}, {peer: Blob(100)}, "hello"))
    channel.rekey(peer, KEY)


def hold(port: int, count: int) -> None:
    """Hold connections open for good."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    selector = selectors.DefaultSelector()

    def dial() -> None:
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
        selector.register(one, selectors.EVENT_READ)

    for _ in range(count):
        dial()
    print("held", flush=True)
    while True:
        for key, _ in selector.select():
            assert isinstance(key.fileobj, socket.socket)
            data = b""
            with suppress(OSError):
                data = key.fileobj.recv(4096)
            if not data:
                selector.unregister(key.fileobj)
                key.fileobj.close()
                dial()


def junk(port: int, count: int, rate: int) -> None:
    """Send nonsense, a hundred frames a connection or as many as that takes; then say how many it was."""

    def pelt(number: int) -> int:
        sent = 0
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as one:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while sent < _FRAMES_A_CONNECTION:
                one.sendall(_JUNK[number % len(_JUNK)])
                sent += 1
        return sent

    under_way: set[Future[int]] = set()
    sent = number = 0
    started = time.monotonic()
    with ThreadPoolExecutor(_PELTING) as pool:
        while sent < count:
            time.sleep(max(0.0, started + number * _FRAMES_A_CONNECTION / rate - time.monotonic()))
            if len(under_way) < _PELTING and sent + len(under_way) * _FRAMES_A_CONNECTION < count:
                under_way.add(pool.submit(pelt, number))
                number += 1
            elif under_way:
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                sent += sum(one.result() for one in done)
    print(sent)


def main(role: str, *words: str) -> None:
    """Play the role."""
    match role:
        case "party":
            party(*(text.encode() for text in words))
        case "hold":
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            hold(*map(int, words))
        case "junk":
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            junk(*map(int, words))
        case _:
            raise ValueError(role)


if __name__ == "__main__":
    main(*sys.argv[1:])
