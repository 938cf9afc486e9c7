"""A party's part after the handshake: an owner runs its program, the helper deals. Then all say that they are done."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, Final

from mpc.errors import ProtocolError
from mpc.links.channel import Channel
from mpc.links.meeting.handshake import Agreement
from mpc.links.meeting.offer import Table
from mpc.randomness.dealing import WINDOWS_AHEAD, deal_windows
from mpc.randomness.streams import Stream, derive
from mpc.runtime.party import pair_streams
from mpc.runtime.plan import WAY_BYTES, Plan, ProgramFactory, groups_to_deal
from mpc.runtime.round import Program, Round
from mpc.runtime.supply import PlannedSupply
from mpc.runtime.trace import Trace
from mpc.runtime.traced_party import traced

_WAYS: Final = (bytes(WAY_BYTES), bytes([1]) * WAY_BYTES)


def play_owner(channel: Channel, table: Table, agreement: Agreement, trace: Trace, factory: ProgramFactory) -> Any:
    """Run an owner's program over the channel; returns the program's result."""
    me, plan, context = channel.me, agreement.plan, agreement.context
    key = derive(agreement.dealing_seeds[table.helper], "correlations", context)
    if me == table.owners[-1]:
        fetch = _Fetch(channel, table.helper, plan)
        supply = PlannedSupply(plan, Stream(key), fetch, fetch.tell)
    else:
        supply = PlannedSupply(plan, Stream(key), None)
    pairs = {peer: pair_streams(seed, context) for peer, seed in agreement.pair_seeds.items()}
    declared = frozenset(item.what for item in plan.reveals)
    party = traced(trace.tracer, me, table.owners, supply, pairs, trace, declared)
    supply.draw_ahead(party.defer)
    trace.tracer.started()
    result = drive(channel, factory(party))
    trace.tracer.finished()
    supply.finish(party)
    return result


def drive(channel: Channel, program: Program) -> Any:
    """Run a program to its end over the channel: each `await` is one round with the peers; returns its result."""
    answer: Mapping[str, Any] | None = None
    try:
        while True:
            try:
                one = program.send(answer)  # type: ignore[arg-type]  # None starts a coroutine
            except StopIteration as end:
                return end.value
            channel.trace.tracer.awaits(program)
            answer = channel.exchange(one)
    finally:
        program.close()


def play_helper(channel: Channel, table: Table, agreement: Agreement, trace: Trace) -> None:
    """Deal the plan's correlations, ahead of what the last owner has taken by as much as the plan allows.

    Nothing that comes after a fork is dealt before the last owner has said which way it goes.
    """
    plan, last = agreement.plan, table.owners[-1]
    streams = [
        Stream(derive(agreement.dealing_seeds[owner], "correlations", agreement.context)) for owner in table.owners
    ]

    def way() -> bool:
        trace.forked(_way(channel.pull(last, "way", inf), last))
        return trace.ways[-1]

    def credit(number: int) -> None:
        channel.pull(last, "credit", inf)

    trace.tracer.started()
    trace.stage("dealing", 0, len(plan.windows))
    for number, window in enumerate(deal_windows(groups_to_deal(plan, way, credit), streams)):
        channel.push(last, "deal", window)
        trace.stage("dealing", number + 1, len(plan.windows))
    trace.tracer.finished()


def _way(body: memoryview, last: str) -> bool:
    if bytes(body) not in _WAYS:
        raise ProtocolError(f"{last} said neither of two ways", "check that versions are the same", party=last)
    return bytes(body) == _WAYS[True]


def leave(channel: Channel, table: Table, *, patient: bool) -> None:
    """Wait until everyone is done, and then until everyone knows it.

    So nobody leaves while a peer may still need a frame again, not even that this side is done: a cut in that very
    moment costs time only.

    Args:
        patient: whether to wait for as long as the peers go on (the helper is done long before the owners).
    """
    peers = [name for name in table.everyone if name != channel.me]
    done = Round(dict.fromkeys(peers, ()), dict.fromkeys(peers, ()), "done")
    channel.exchange(done, inf if patient else None, lambda peer, _: channel.dismiss(peer))
    channel.take_leave()


class _Fetch:
    """The last owner's way to its next window: it gives a credit for each one that it takes while more are due."""

    def __init__(self, channel: Channel, helper: str, plan: Plan) -> None:
        self._channel = channel
        self._helper = helper
        self._plan = plan
        self._ways: list[bool] = []
        self._taken = 0

    def __call__(self) -> memoryview:
        window = self._channel.pull(self._helper, "deal")
        self._taken += 1
        if self._plan.on(self._ways).needs_credit(self._taken - 1 + WINDOWS_AHEAD):
            self._channel.push(self._helper, "credit", b"")
        return window

    def tell(self, way: bool) -> None:
        """Tell the helper which way the program goes: what comes after is dealt only now."""
        self._ways.append(way)
        self._channel.push(self._helper, "way", _WAYS[way])
