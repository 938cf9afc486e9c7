"""The handshake: who runs what, on which shapes, by which plan; then the seeds. Before that no secret moves.

    hello    version, the scenario's public facts, nonces      everyone <-> everyone
    shapes   digests of the nonces that were heard; each owner's row counts, and its columns' names under a key that the
             helper does not have; where columns are split, the owners tell each other (not the helper) the names, for
             the model is about all of them
    columns  owner -> helper: how many columns they share; then all make the plan at the same time
    agree    the plan's digest and constants
    seeds    owner -> owner: the seed of their pair; helper -> owner: the seed it deals from

Where two parties differ, both errors name the setting. Columns that only one owner has are not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mpc.errors import DisagreementError
from mpc.links.channel import Channel
from mpc.links.meeting.backlog import backlog
from mpc.links.meeting.exchange import as_seed, exchange
from mpc.links.meeting.hello import brief, say_hello
from mpc.links.meeting.offer import Offer, Table
from mpc.links.meeting.shapes import SplitColumns, column_count, tell_shapes
from mpc.randomness.streams import Entropy, derive
from mpc.runtime.plan import Plan

PLANNING_SECONDS = 1e-3
"""A round, of the plan that is just made: so much longer than for an answer to a round, a party waits for the others'.

It is twenty times as long as it takes on one core that has nothing else to do.
"""


@dataclass(frozen=True)
class Agreement:
    """The facts that all parties agreed on, and the seeds that this party shares with others."""

    session: bytes
    rows: Mapping[str, tuple[int, int]]  # each owner's training and test rows
    columns: tuple[str, ...]  # that all owners have, or this owner's own where columns are split; empty at the helper
    plan: Plan
    pair_seeds: Mapping[str, bytes] = field(repr=False)
    dealing_seeds: Mapping[str, bytes] = field(
        repr=False
    )  # at the helper by owner; at an owner under the helper's name
    split: SplitColumns | None = None  # at an owner where columns are split
    owners_key: bytes = field(default=b"", repr=False)  # of this session, known to the owners alone
    settings: Any = None  # the public settings that the plan was made of, where whoever made it wants to keep them

    @property
    def context(self) -> bytes:
        """The context of every key of the session."""
        return binding(self.session, self.plan)


PlanMaker = Callable[[Mapping[str, tuple[int, int]], int], Plan]
"""(each owner's training and test rows, how many columns) -> the plan."""


def binding(session: bytes, plan: Plan) -> bytes:
    """The context of every key of a session: the session and the plan."""
    return session + plan.digest.encode()


def meet(
    channel: Channel, table: Table, offer: Offer, make: PlanMaker, entropy: Entropy, connect_seconds: float
) -> Agreement:
    """Agree with all peers.

    Raises:
        DisagreementError: parties run different versions, scenarios, plans or constants; says which and how.
        DataError: the owners share no column; or, where columns are split, not exactly one has the target.
    """
    me = channel.me
    session = say_hello(channel, table, offer, entropy, connect_seconds)
    shapes = tell_shapes(channel, table, offer, session)
    rows = shapes.rows
    plan = _bounding(channel, make(rows, column_count(channel, table, shapes)))
    mine, peers = _summary(plan), [name for name in table.everyone if name != me]
    seconds = channel.deadline + PLANNING_SECONDS * len(plan.rounds)
    _compare(me, mine, exchange(channel, "agree", dict.fromkeys(peers, mine), seconds))
    pairs, dealing = _seeds(channel, table, entropy)
    key = derive(session.owners_key, "owners", session.name) if session.owners_key else b""
    return Agreement(session.name, rows, shapes.columns, plan, pairs, dealing, shapes.split, key)


def _bounding(channel: Channel, plan: Plan) -> Plan:
    """Bound messages by the plan from now on; returns the plan."""
    me, everyone = channel.me, (*plan.owners, plan.helper)
    peers = [peer for peer in everyone if peer != me]
    theirs, own = {p: backlog(plan, p, me) for p in peers}, {p: backlog(plan, me, p) for p in peers}
    channel.bound(theirs, own, plan.stages, len(plan.rounds))
    return plan


def _summary(plan: Plan) -> dict[str, Any]:
    return {
        "plan": plan.digest,
        "constants": plan.constants,
        "rounds": len(plan.rounds),
        "correlations": len(plan.kinds),
    }


def _compare(me: str, mine: Mapping[str, Any], theirs: Mapping[str, Mapping[str, Any]]) -> None:
    for peer, said in theirs.items():
        for key, words in (
            ("rounds", "number of rounds"),
            ("correlations", "number of correlations"),
            ("constants", "public constants"),
            ("plan", "plan"),
        ):
            if said.get(key) != mine[key]:
                raise DisagreementError(
                    f"{me} and {peer} differ in the {words}: {brief(mine[key])} and {brief(said.get(key))}",
                    "install the same version everywhere",
                    party=peer,
                )


def _seeds(channel: Channel, table: Table, entropy: Entropy) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The pair seeds (the earlier owner draws), and the dealing seeds (the helper draws)."""
    me, order = channel.me, table.owners
    pairs: dict[str, bytes] = {}
    dealing: dict[str, bytes] = {}
    messages: dict[str, dict[str, Any]] = {peer: {} for peer in table.everyone if peer != me}
    for peer, message in messages.items():
        if me == table.helper:
            dealing[peer] = entropy(f"deal/{peer}")
            message.update(seed=dealing[peer].hex())
        elif peer != table.helper and order.index(me) < order.index(peer):
            pairs[peer] = entropy(f"pair/{peer}")
            message.update(seed=pairs[peer].hex())
    got = exchange(channel, "seeds", messages, None)
    for peer, answer in got.items():
        if peer == table.helper:
            dealing[peer] = answer.read("seed", as_seed)
        elif me != table.helper and order.index(peer) < order.index(me):
            pairs[peer] = answer.read("seed", as_seed)
    return pairs, dealing
