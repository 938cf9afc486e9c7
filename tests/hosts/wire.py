"""What lies between the hosts of a test: `python -m tests.hosts.wire`, a relay of IP packets on a TUN device.

The router sends every packet that a host sends through the device `wan` to this process, which gives it back a while
later, if at all: so a link has a latency and loses packets on a kernel that cannot do either by itself. It can
also alter a byte of one packet, as a man in the middle would, and write down all that passes.

Orders come as lines of JSON on its input, and each is acknowledged by a line on its output. It ends with its input.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import select
import struct
import sys
import time
from collections import deque
from typing import Any, BinaryIO, Final

from tests.hosts.packets import altered, segment

DEVICE: Final = "wan"
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_LARGEST_PACKET = 1 << 16


class Wire:
    """The packets that are under way, and what happens to them."""

    def __init__(self, device: int) -> None:
        self._device = device
        self._under_way: deque[tuple[float, bytes]] = deque()
        self._random = random.Random()
        self._delay = 0.0
        self._loss = 0.0
        self._capture: BinaryIO | None = None
        self._alter: list[dict[str, Any]] = []
        self.lost = self.altered = 0

    def order(self, what: dict[str, Any]) -> None:
        """Set some of: delay (seconds), loss (a probability) and its seed, capture (a path), alter (see `_touch`)."""
        if "seed" in what:
            self._random.seed(what["seed"])
        self._delay = what.get("delay", self._delay)
        self._loss = what.get("loss", self._loss)
        if "capture" in what:
            if self._capture is not None:
                self._capture.close()
            self._capture = open(what["capture"], "wb") if what["capture"] else None  # noqa: SIM115
        if "alter" in what:
            self._alter = what["alter"]

    def take(self, packet: bytes) -> None:
        """A packet that a host sent."""
        if self._capture is not None:
            self._capture.write(struct.pack("<I", len(packet)) + packet)
        if self._random.random() < self._loss:
            self.lost += 1
            return
        self._under_way.append((time.monotonic() + self._delay, self._touch(packet)))

    def give(self) -> float | None:
        """Give back what has arrived; returns the seconds until the next packet does."""
        while self._under_way:
            left = self._under_way[0][0] - time.monotonic()
            if left > 0:
                return left
            _, packet = self._under_way.popleft()
            try:
                os.write(self._device, packet)
            except OSError:
                self.lost += 1  # the router has no route to it any more
        return None

    def _touch(self, packet: bytes) -> bytes:
        """Alter one bit of the payload of a TCP segment, where a rule of `alter` says so.

        A rule is for the segments between two addresses, either way, whose payload has at least so many bytes
        ("between", "least"); of these it lets so many pass ("after"), and is used up by the next.
        """
        found = segment(packet) if self._alter else None
        if found is None:
            return packet
        for rule in self._alter:
            if {found.source, found.target} != set(rule["between"]) or len(found.payload) < rule["least"]:
                continue
            rule["after"] -= 1
            if rule["after"] < 0:
                self._alter.remove(rule)
                self.altered += 1
                return altered(packet, found, self._random.randrange(len(found.payload)))
        return packet


def main() -> None:
    """Carry packets until the input ends."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", DEVICE.encode(), _IFF_TUN | _IFF_NO_PI))
    wire = Wire(device)
    print(json.dumps({"device": DEVICE}), flush=True)
    orders = sys.stdin.fileno()
    while True:
        ready, _, _ = select.select([device, orders], [], [], wire.give())
        if device in ready:
            for _ in range(64):
                try:
                    wire.take(os.read(device, _LARGEST_PACKET))
                except BlockingIOError:
                    break
        if orders in ready:
            line = sys.stdin.readline()
            if not line:
                return
            wire.order(json.loads(line))
            print(json.dumps({"lost": wire.lost, "altered": wire.altered}), flush=True)


if __name__ == "__main__":
    main()
