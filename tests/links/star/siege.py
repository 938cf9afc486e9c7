"""The processes of a siege of secure sums' links: `python -m tests.links.star.siege ROLE ...`, and how much they grew.

server PUBLIC SECRET KEY_OF_C KEY_OF_M   two clients, c and m; each is sent 200 kB in the second of two stages
client ENDPOINT SERVERS_KEY PUBLIC SECRET SILENCE   one client, which sends a word and waits for the answer
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Final

from mpc.errors import BeaverlodgeError
from mpc.links.zmq.curve import Identity
from mpc.links.zmq.transport import Transport
from mpc.star.client import StarClient
from mpc.star.server import StarLimits, StarServer
from mpc.star.sockets import ClientHost
from mpc.star.stage import ClientProgram, Exchange, Gather, ServerProgram

DIGEST: Final = b"d" * 32
LONG: Final = 200_000
FIRST, SECOND = "first", "second"
_SESSION: Final = b"s" * 32
_LIMITS: Final = StarLimits(60, 60, 5)


async def two_stages() -> frozenset[int]:
    """Who answered in both."""
    first = await Gather({}, (0, 1), 0, FIRST, 64, lambda i, body: None)
    return await Gather(dict.fromkeys(first, bytes(LONG)), first, 0, SECOND, 64, lambda i, body: None)


async def word_and_answer() -> None:
    """One stage."""
    await Exchange(b"word", FIRST, LONG)


def server(public: bytes, secret: bytes, key_of_c: bytes, key_of_m: bytes) -> None:
    """The server."""
    transport = Transport(Identity(public, secret), {"c": key_of_c, "m": key_of_m}, "tcp://127.0.0.1:*")
    print(transport.endpoint, flush=True)
    said: list[str] = []
    star = StarServer(transport, ["c", "m"], DIGEST, _LIMITS, lambda *_: None, said.append)
    star.join()
    before = _peak()
    program: ServerProgram = two_stages()
    answered = star.run(program, _SESSION, 1, 1)
    star.part()
    print(json.dumps({"grown": _peak() - before, "answered": sorted(answered), "said": said}), flush=True)
    transport.close(1)


def client(endpoint: bytes, key: bytes, public: bytes, secret: bytes, silence: bytes) -> None:
    """The client."""

    def program(session: bytes, round_: int, attempt: int) -> ClientProgram:
        return word_and_answer()

    one = StarClient(program, DIGEST)
    pairs = {"c": (one, Identity(public, secret))}
    host = ClientHost(endpoint.decode(), key, pairs, float(silence), 30.0, lambda *_: None, meet_within=60.0)
    before = _peak()
    host.run()
    host.close(0)
    error = one.failure or BeaverlodgeError("none")
    found = {"grown": _peak() - before, "failure": error.message, "exit_code": error.exit_code}
    print(json.dumps(found), flush=True)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(role: str, *words: str) -> None:
    """Play the role."""
    match role:
        case "server":
            server(*(text.encode() for text in words))
        case "client":
            client(*(text.encode() for text in words))
        case _:
            raise ValueError(role)


if __name__ == "__main__":
    main(*sys.argv[1:])
