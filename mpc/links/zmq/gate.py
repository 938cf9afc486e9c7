"""A gate before a listening socket, so that strangers' connections cannot use up a process's descriptors.

ZeroMQ takes every connection, and with no descriptor left it tries again at once, for ever: a core spins, and the
process can open no file any more, its own record included. So some descriptors are kept back. When connections come to
need these, the oldest of those that have not said who they are are turned out, and for a moment the kernel drops what
asks for a new connection: whoever is turned out, or wants in, asks again by TCP's own rules, a second later. A few are
turned out at a time, for a round of the session waits until all of them are gone; twice as many the next time if that
was not enough. Whoever says nothing for long is turned out in any case: a listed key gets few connections at a time,
and silent ones would add up.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import socket
import struct
from collections.abc import Callable
from itertools import islice
from typing import Final

SHUT_SECONDS: Final = 0.02
"""The seconds for which a gate stays shut before the next look."""

_FEW: Final = 16
_MANY: Final = 2**16
_KEPT: Final = 64  # descriptors, for this process's own files and for what comes before the gate is shut
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27  # socket(7)
_DROP_ALL = struct.pack("=HBBI", 0x06, 0, 0, 0)  # one instruction of a BPF program: let 0 bytes of a packet pass


class Gate:
    """The gate before one listening socket, open at first.

    Args:
        listener: the socket's descriptor; it is not taken over.
        shut: ends the connection with a descriptor.
        silent_seconds: the longest silence of a connection.
    """

    def __init__(self, listener: int, shut: Callable[[int], None], silent_seconds: float) -> None:
        self._socket = socket.socket(fileno=os.dup(listener))
        self._shut_connection = shut
        self._silent_seconds = silent_seconds
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most = float("inf") if limit == resource.RLIM_INFINITY else limit - min(_KEPT, limit // 4)
        self._room = self._most - _in_use()  # for so many connections
        self._open: set[int] = set()  # the connections' descriptors
        self._unknown: dict[int, float] = {}  # of these, who did not say yet who they are, the oldest first: since when
        self._many = _FEW  # to turn out the next time
        self._look_at = 0.0
        self.shut = False

    def took(self, descriptor: int, now: float) -> None:
        """Note that the listener took a connection, which got this descriptor."""
        self._open.add(descriptor)
        self._unknown[descriptor] = now
        if len(self._open) >= self._room and not self.shut:
            self._shut()
            self._turn_out()
            self._look_at = now + SHUT_SECONDS

    def known(self, descriptor: int) -> None:
        """Note that the connection is a listed peer's."""
        self._unknown.pop(descriptor, None)

    def ended(self, descriptor: int) -> None:
        """Note that the connection has ended."""
        self._open.discard(descriptor)
        self._unknown.pop(descriptor, None)

    def look(self, now: float) -> float:
        """Shut connections that were silent too long; open a shut gate if enough descriptors are free, else shut more.

        Returns:
            When to look again.
        """
        again = self._look_when_shut(now) if self.shut else float("inf")
        for descriptor, since in list(islice(self._unknown.items(), _FEW)):
            due = since + self._silent_seconds
            if due > now:
                return min(again, due)
            del self._unknown[descriptor]
            self._shut_connection(descriptor)
        return again if not self._unknown else now

    def _look_when_shut(self, now: float) -> float:
        if now < self._look_at:
            return self._look_at
        if len(self._open) < self._room and _in_use() < self._most:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
            self.shut = False
            self._many = _FEW
        else:
            self._turn_out()
        self._look_at = now + SHUT_SECONDS
        return self._look_at

    def close(self) -> None:
        """Let go of the listening socket, so that its port is free when its owner closes it."""
        self._socket.close()

    def _shut(self) -> None:
        program = ctypes.create_string_buffer(_DROP_ALL)
        with contextlib.suppress(OSError):  # without such filters, turning out has to do
            self._socket.setsockopt(
                socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", 1, ctypes.addressof(program))
            )
            self.shut = True

    def _turn_out(self) -> None:
        many, self._many = self._many, min(2 * self._many, _MANY)
        for descriptor in list(islice(self._unknown, many)):
            del self._unknown[descriptor]
            self._shut_connection(descriptor)


def _in_use() -> float:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return float("inf")  # there is not even one left to look with
