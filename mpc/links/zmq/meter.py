"""The bytes that this process holds of each connection: those the kernel received, less those taken from it.

ZeroMQ's high-water marks count whole messages. A message of several parts is whole when its last part is here, so who
never sends that one fills the memory. So every connection is watched: the kernel says how many bytes came (TCP_INFO)
and how many of them nobody has read yet (SIOCINQ); the rest is in ZeroMQ's hands until the party takes it. A connection
of which more than its bound is held is shut. A thread of its own looks, for a party that computes does not.
"""

from __future__ import annotations

import fcntl
import os
import resource
import socket
import struct
import termios
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LOOK_SECONDS: Final = 0.02
_FEW: Final = 32  # connections that are looked at each time; more of them only where the process grows
_GROWTH: Final = 1 << 23
_AT_LEAST_EVERY: Final = 1.0  # seconds
_HANDSHAKE_BYTES: Final = 1024  # a connection's greeting, CURVE's handshake and metadata
_CHATTER: Final = 256  # bytes a second that heartbeats may take, which nobody takes out
_INFO_BYTES: Final = 136
_RECEIVED_AT: Final = 128  # tcpi_bytes_received in struct tcp_info (linux/tcp.h, since 4.1)
_NO_FILE: Final = -1
_PAGE: Final = resource.getpagesize()

# A message on the wire (ZMTP 3.1 and CurveZMQ, rfc.zeromq.org/spec/37 and /25): flags and length, the name of the
# command, the nonce, the authenticator and a byte of flags.
_CURVE_BYTES = 8 + 8 + 16 + 1
_SHORT = 255
_SHORT_FRAME, _LONG_FRAME = 2, 9


@dataclass(eq=False, slots=True)
class Account:
    """One connection's account: its file, the bytes taken from it, the bytes that may be held, and its beginning."""

    descriptor: int
    inode: int
    bound: int
    since: float
    taken: int = 0
    shut: bool = False

    def took(self, size: int) -> None:
        """A message of so many bytes was taken from the connection: as much as it is on the wire."""
        self.taken += wire_bytes(size)


class Meter:
    """Watches connections by their descriptors, which are ZeroMQ's: it may close one, and the number be used anew.

    So each connection has an account, which whoever watches it keeps. On a system that does not say how many bytes
    came, nothing is shut.
    """

    def __init__(self) -> None:
        self._accounts: set[Account] = set()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, descriptor: int, bound: int) -> Account:
        """Watch a new connection, of which so many bytes may be held."""
        account = Account(descriptor, _inode(descriptor), bound, time.monotonic())
        self._accounts.add(account)
        if self._thread is None:
            self._thread = threading.Thread(target=self._look_again_and_again, name="meter", daemon=True)
            self._thread.start()
        return account

    def forget(self, account: Account) -> bool:
        """Forget an ended connection; returns whether it was shut because too much of it was held."""
        self._accounts.discard(account)
        return account.shut

    def close(self) -> None:
        """Watch no more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _look_again_and_again(self) -> None:
        looked, size = 0.0, 0
        while not self._over.wait(_LOOK_SECONDS):
            now, many = time.monotonic(), len(self._accounts) > _FEW
            resident = _resident() if many else 0
            if not many or resident - size > _GROWTH or now - looked > _AT_LEAST_EVERY:
                looked, size = now, resident
                for account in list(self._accounts):
                    _look(account, now)


def _look(account: Account, now: float) -> None:
    allowed = account.bound + account.taken + _HANDSHAKE_BYTES + _CHATTER * (now - account.since)
    received = _read_out(account.descriptor)
    if received is not None and received > allowed and shut(account):
        account.shut = True


def wire_bytes(size: int) -> int:
    """The bytes of a message on an encrypted connection, without TCP's own."""
    sealed = size + _CURVE_BYTES
    return sealed + (_SHORT_FRAME if sealed <= _SHORT else _LONG_FRAME)


def _read_out(descriptor: int) -> int | None:
    """The bytes of a TCP connection that ZeroMQ has read; None if the system does not say."""
    try:
        connection = socket.socket(fileno=descriptor)
    except OSError:
        return None
    try:
        (unread,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    except OSError:
        return None
    finally:
        connection.detach()
    if len(info) < _INFO_BYTES:
        return None
    (received,) = struct.unpack_from("=Q", info, _RECEIVED_AT)
    return int(received) - int(unread)


def shut(account: Account) -> bool:
    """End a connection, if its descriptor is still the same file; returns whether it did."""
    try:
        if os.fstat(account.descriptor).st_ino != account.inode:
            return False
        connection = socket.socket(fileno=account.descriptor)
    except OSError:
        return False
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return False  # it has ended by itself
    finally:
        connection.detach()  # it is ZeroMQ's, which closes it now
    return True


def _inode(descriptor: int) -> int:
    """The file of a descriptor; none if it is closed."""
    try:
        return os.fstat(descriptor).st_ino
    except OSError:
        return _NO_FILE


def _resident() -> int:
    """Bytes of memory that this process has; 0 if the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    except (OSError, ValueError):
        return 0
