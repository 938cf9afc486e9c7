"""A party's network with faults: what stands between its channel and its sockets, in its own process."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from mpc.faults.planted import Planted
from mpc.faults.wires import Sent, Strikes
from mpc.links.network import Event, Network
from mpc.links.session import Frame


@dataclass(frozen=True)
class _Late:
    due: float
    frame: Frame


class FaultyNetwork:
    """One party's end of a network: a `mpc.links.network.Network`, and the `Wires` of its faults.

    A message that is late waits here, and all that follow it on its link, until the party next sends or polls after it
    is due. One that is lost is not sent at all, and its connection broken.

    Args:
        network: the party's own.
        me: the party.
        faults: when they strike.
        process: does what a frame's own path cannot.
    """

    def __init__(self, network: Network, me: str, faults: Planted, process: Strikes) -> None:
        self._network = network
        self._me = me
        self._faults = faults
        self._process = process
        self._sent = 0
        self._late: dict[str, deque[_Late]] = {}

    def send(self, peer: str, frame: Frame) -> None:
        """Hand a frame over; never blocks."""
        sent = Sent(self._sent, self._me, peer, frame)
        self._sent += 1
        if not self._faults.disturb(sent, self):
            self.carry(sent)

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return self._network.now()

    def allow(self, peer: str, nbytes: int) -> None:
        """Take no longer payload of this peer."""
        self._network.allow(peer, nbytes)

    def adopt(self, peer: str) -> None:
        """Hear a peer's newcomer from now on."""
        self._network.adopt(peer)

    def turn_away(self, peer: str, frame: Frame) -> None:
        """Send a peer's newcomer a last frame."""
        self._network.turn_away(peer, frame)

    def poll(self, seconds: float, awaited: str | None = None) -> Event | None:
        """The next event, or None if nothing happens for so long, or if something late is due before."""
        self._release()
        due = min((line[0].due for line in self._late.values()), default=None)
        if due is not None:
            seconds = max(0.0, min(seconds, due - self.now()))
        event = self._network.poll(seconds, awaited)
        self._release()
        return event

    # What trouble does

    def carry(self, sent: Sent, later: float = 0.0) -> None:
        """Carry it, so much later, and all that follow after it."""
        line = self._late.get(sent.receiver)
        if line is None and not later:
            self._network.send(sent.receiver, sent.frame)
            return
        behind = line[-1].due if line else 0.0
        self._late.setdefault(sent.receiver, deque()).append(_Late(max(behind, self.now() + later), sent.frame))

    def cut(self, one: str, other: str, seconds: float) -> None:
        """Break the connection; what is late on it is lost, too."""
        self._late.pop(other if one == self._me else one, None)
        self._process.cut(one, other, seconds)

    def stop(self, name: str, seconds: float) -> None:
        """Stand still."""
        self._process.stop(name, seconds)

    def die(self, name: str) -> None:
        """End at once."""
        self._process.die(name)

    def _release(self) -> None:
        now = self.now()
        for peer, line in list(self._late.items()):
            while line and line[0].due <= now:
                self._network.send(peer, line.popleft().frame)
            if not line:
                del self._late[peer]
