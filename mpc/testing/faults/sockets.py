"""A case over real encrypted sockets on this machine, each party in a thread with keys of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from mpc.links.channel import Limits
from mpc.randomness.streams import Entropy
from mpc.testing.cases.failure import CheckFailed
from mpc.testing.cases.programs import HELPER, Case
from mpc.testing.faults.member import Played, take_part

_LIMITS = Limits(connect=30.0, deadline=60.0, patience=10.0)
_SECONDS = 120.0


def over_sockets(case: Case, entropy: Mapping[str, Entropy]) -> dict[str, Played]:
    """Run a case as separate processes would, from the handshake to the parting.

    Raises:
        CheckFailed: a party failed or did not end.
    """
    from mpc.links.zmq.curve import new_identity
    from mpc.links.zmq.transport import Transport

    names = (*case.owners, HELPER)
    keys = {name: new_identity() for name in names}
    transports: dict[str, Transport] = {}
    played: dict[str, Played] = {}
    errors: dict[str, BaseException] = {}

    def live(name: str) -> None:
        try:
            played[name] = take_part(case, name, transports[name], _LIMITS, entropy)
        except BaseException as error:
            errors[name] = error

    try:
        for name in names:
            others = {peer: keys[peer].public for peer in names if peer != name}
            transports[name] = Transport(keys[name], others, "tcp://127.0.0.1:*")
            for peer in names[: names.index(name)]:
                transports[name].dial(peer, str(transports[peer].endpoint))
        threads = {name: threading.Thread(target=live, args=(name,), daemon=True) for name in names}
        for thread in threads.values():
            thread.start()
        for thread in threads.values():
            thread.join(_SECONDS)
        hanging = [name for name, thread in threads.items() if thread.is_alive()]
        if hanging:
            transports = {}  # still in use by those threads
            raise CheckFailed(f"over sockets, {', '.join(hanging)} did not end in {_SECONDS:g} s")
    finally:
        for transport in transports.values():
            transport.close(0)
    if errors:
        name, first = next(iter(errors.items()))
        raise CheckFailed(f"over sockets, {name} failed: {first}") from first
    return played
