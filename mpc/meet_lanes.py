"""How owners who have a session get lanes to each other: rounds of the handshake, before what is measured."""

from __future__ import annotations

from typing import Any, Final

from mpc.channel import Channel
from mpc.exchange import as_truth, exchange
from mpc.handshake import Table
from mpc.network import LaneNetwork

LANE_LABELS: Final = ("lanes", "lanes dialled", "lanes admitted")
"""Of the three rounds."""

_PORTS = 1 << 16


def meet_lanes(channel: Channel, network: LaneNetwork, table: Table) -> None:
    """Let an owner dial a lane to each other that listens, and admit each that dials. 3 rounds between owners.

    The port is told over ZeroMQ, whoever dials it has to greet under a key of this session, and is told over ZeroMQ
    whether it was heard: behind a port of this machine may be somebody else. Where no lane can be had, ZeroMQ carries
    everything, as it does for the helper, whose windows are long.

    Raises:
        BeaverlodgeError: as in any round.
    """
    if channel.me not in table.owners:
        return
    offering, dialling, admitting = LANE_LABELS
    peers = [owner for owner in table.owners if owner != channel.me]
    offered = {peer: network.offer_lane(peer) for peer in peers}
    told = exchange(channel, offering, {peer: {"port": offered[peer]} for peer in peers}, None)
    dialled = {}
    for peer in peers:
        port = told[peer].read("port", _as_port)
        can = port is not None and offered[peer] is None
        dialled[peer] = can and network.dial_lane(peer, port or 0, channel.lane_keys(peer))
    said = exchange(channel, dialling, {peer: {"dialled": dialled[peer]} for peer in peers}, None)
    come = [peer for peer in peers if said[peer].read("dialled", as_truth) and offered[peer] is not None]
    admitted = network.admit_lanes({peer: channel.lane_keys(peer) for peer in come})
    heard = exchange(channel, admitting, {peer: {"admitted": peer in admitted} for peer in peers}, None)
    network.use_lanes([peer for peer in peers if peer in admitted or heard[peer].read("admitted", as_truth)])


def _as_port(value: Any) -> int | None:
    if value is not None and (type(value) is not int or not 0 < value < _PORTS):
        raise ValueError("not a port")
    return value
