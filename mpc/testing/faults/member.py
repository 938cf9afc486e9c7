"""One party in a test run over links: the handshake, the program or the dealing, the parting; as in production."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mpc.errors import BeaverlodgeError, InternalError
from mpc.links.channel import Channel, Limits
from mpc.links.meeting.handshake import meet
from mpc.links.meeting.offer import Offer, Table
from mpc.links.meeting.play import leave, play_helper, play_owner
from mpc.links.network import Network
from mpc.randomness.streams import Entropy
from mpc.runtime.interfaces import Revealed
from mpc.runtime.trace import StageListener, Trace
from mpc.testing.cases.programs import HELPER, Case


@dataclass(frozen=True)
class Played:
    """A party's result, and its counts between the handshake and the parting."""

    result: Any
    rounds: int
    messages: int
    bytes_sent: int
    bytes_received: int
    labels: Mapping[str, int]
    reveals: tuple[Revealed, ...]
    ways: tuple[bool, ...] = ()  # that the program took, or the helper was told of


def take_part(
    case: Case,
    name: str,
    network: Network,
    limits: Limits,
    entropy: Mapping[str, Entropy],
    enters: StageListener = lambda stage, done, total: None,
) -> Played:
    """A party's whole part in a run of `case`.

    Args:
        enters: called with each stage and step that the party comes to.

    Raises:
        BeaverlodgeError: what went wrong first, here or at a peer; the peers were told.
    """
    trace = Trace(enters)
    table = Table(case.owners, HELPER)
    peers = [peer for peer in table.everyone if peer != name]
    channel = Channel(name, peers, network, limits, trace, lambda _: None)
    plan = case.plan
    owner = name != HELPER
    offer = Offer("test", {}, (1, 0) if owner else None, ("x",) if owner else None)
    try:
        agreement = meet(channel, table, offer, lambda *_: plan, entropy[name], limits.connect)
        trace.restart_counts()
        trace.stage("running", 0, 0)
        result = None
        if owner:
            result = play_owner(channel, table, agreement, trace, case.program)
        else:
            play_helper(channel, table, agreement, trace)
        counts = trace.rounds, trace.messages, trace.bytes_sent, trace.bytes_received
        labels = dict(trace.labels)
        trace.stage("done", 0, 0)
        leave(channel, table, patient=not owner)
        return Played(result, *counts, labels, tuple(trace.reveals), tuple(trace.ways))
    except Exception as error:
        known = error if isinstance(error, BeaverlodgeError) else InternalError("the protocol failed", party=name)
        channel.abort(known, trace.at)
        raise
