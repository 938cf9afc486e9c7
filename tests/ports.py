"""Free ports for parties that a test starts."""

from __future__ import annotations

import secrets
import socket
from contextlib import ExitStack

_FIRST, _COUNT = 15_000, 15_000
"""Below the ports that systems give to outgoing connections: those could take one between its choice and its use."""


def free_ports(count: int) -> list[int]:
    """That many ports of this machine, no two the same, at which nobody listens."""
    ports: list[int] = []
    with ExitStack() as held:
        while len(ports) < count:
            port = _FIRST + secrets.randbelow(_COUNT)
            probe = held.enter_context(socket.socket())
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            ports.append(port)
    return ports
