"""A party's lanes: how they come about, the frames that go and come on them, and how they end."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping

from mpc.bell import Bell
from mpc.lane import LENGTH_BYTES, LONGEST, Lane, LaneCipher, LaneKeys
from mpc.network import Came, Event, LaneEnded
from mpc.session import Frame
from mpc.wire import UNTAGGED_BYTES

_SECONDS = 1.0  # to dial, and to find the peers among those who have dialled: on one machine they are there already
_STRANGER_SECONDS = 0.1
_LONGEST_GREETING = 1 << 10
_GREETING = b"beaverlodge lane"  # what a party that dials says first, under a key that nobody else has


class Lanes:
    """Those that there are, by peer.

    Args:
        cipher: makes a link's cipher of its keys.
        bell: is to ring for them.
        events: where what comes and happens is put.
    """

    def __init__(self, cipher: Callable[[LaneKeys], LaneCipher], bell: Bell, events: deque[Event]) -> None:
        self._cipher = cipher
        self._bell = bell
        self._events = events
        self._lanes: dict[str, Lane] = {}
        self._used: set[str] = set()
        self._port: socket.socket | None = None

    def __contains__(self, peer: str) -> bool:
        return peer in self._lanes

    def offer(self, host: str) -> int | None:
        """The port at which peers may dial a lane; None if there is none to be had."""
        if self._port is None:
            try:
                self._port = _listening(host)
            except OSError:
                return None
        return int(self._port.getsockname()[1])

    def dial(self, peer: str, at: tuple[str, int], keys: LaneKeys) -> bool:
        """Whether a lane could be had where the peer offers it."""
        try:
            connection = socket.create_connection(at, _SECONDS)
        except OSError:
            return False
        lane = Lane(peer, connection, self._cipher(keys))
        lane.send(_GREETING)
        self._add(lane)
        return True

    def admit(self, expected: Mapping[str, LaneKeys]) -> set[str]:
        """Take the lanes of these peers, who have dialled, and offer none any more; returns whose were found.

        Whoever else has dialled, and does not greet as only a peer can, is turned away.
        """
        if self._port is None:
            return set()
        missing = {peer: self._cipher(keys) for peer, keys in expected.items()}
        end = time.monotonic() + _SECONDS
        while missing and (left := end - time.monotonic()) > 0:
            self._port.settimeout(left)
            try:
                connection, _ = self._port.accept()
            except OSError:
                break
            sealed = _first_record(connection)
            peer = next((one for one in missing if missing[one].open(0, sealed) == _GREETING), None)
            if peer is None:
                connection.close()
            else:
                self._add(Lane(peer, connection, missing.pop(peer), received=1))
        self._port.close()
        self._port = None
        return {*expected} - {*missing}

    def send(self, peer: str, frame: Frame) -> bool:
        """Send a frame; False if it is to go another way: it is long, or has its tag, or the lane is full or not used.

        The lane's seal is all that it needs.
        """
        lane = self._lanes.get(peer)
        if lane is None or frame.key is None or peer not in self._used or lane.full:
            return False
        if len(frame.body) > LONGEST:
            return False
        lane.send(frame.start + frame.body)
        if lane.full:
            self._bell.for_room(lane, wanted=True)
        if lane.ended:
            self._end(lane)
        return True

    def take(self, peer: str) -> bool:
        """Whether a peer's lane has brought something by now: in a round it often has before anybody waits."""
        self._take(self._lanes[peer])
        return bool(self._events)

    def serve(self, lane: Lane) -> None:
        """Take all that has come on a lane, and send what waits for room."""
        if lane.full:
            lane.flush()
            self._bell.for_room(lane, wanted=lane.full)
        self._take(lane)

    def _take(self, lane: Lane) -> None:
        self._events += _frames(lane)
        if lane.ended:
            self._end(lane)

    def use(self, peers: Collection[str]) -> None:
        """Send on the lanes of these peers from now on, and let all others go."""
        self._used = {*peers}
        for peer in self._lanes.keys() - self._used:
            self._remove(self._lanes[peer])

    def retire(self) -> None:
        """Send nothing more; what comes is still taken."""
        self._used = set()

    def drop(self, peer: str) -> list[Came]:
        """Let a peer's lane go; returns the frames that have come on it."""
        lane = self._lanes[peer]
        frames = _frames(lane)
        self._remove(lane)
        return frames

    def close(self) -> None:
        """Let all go."""
        for lane in list(self._lanes.values()):
            self._remove(lane)
        if self._port is not None:
            self._port.close()

    def _add(self, lane: Lane) -> None:
        self._lanes[lane.peer] = lane
        self._bell.watch(lane)

    def _end(self, lane: Lane) -> None:
        self._remove(lane)
        self._events.append(LaneEnded(lane.peer))

    def _remove(self, lane: Lane) -> None:
        del self._lanes[lane.peer]
        self._bell.forget(lane)
        lane.close()


def _frames(lane: Lane) -> list[Came]:
    """What has come on a lane."""
    return [Came(lane.peer, whole[:UNTAGGED_BYTES], whole[UNTAGGED_BYTES:], True) for whole in lane.receive()]


def _listening(host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, 0), family=family)


def _first_record(connection: socket.socket) -> bytes:
    """The first record of who has dialled, without its length; empty if none comes."""
    connection.settimeout(_STRANGER_SECONDS)
    try:
        size = int.from_bytes(connection.recv(LENGTH_BYTES, socket.MSG_WAITALL), "little")
        return connection.recv(size, socket.MSG_WAITALL) if size <= _LONGEST_GREETING else b""
    except OSError:
        return b""
