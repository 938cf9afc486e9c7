"""A party's part after the handshake: an owner runs its program, the helper deals. Then all say that they are done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpc.channel import Channel
from mpc.correlation import WINDOWS_AHEAD, deal
from mpc.handshake import Agreement, Table
from mpc.party import Party, pair_streams
from mpc.plan import ProgramFactory
from mpc.prg import Stream, derive
from mpc.round import Round
from mpc.supply import SeedSupply
from mpc.trace import Trace


def play_owner(channel: Channel, table: Table, agreement: Agreement, trace: Trace, factory: ProgramFactory) -> Any:
    """Run an owner's program over the channel; returns the program's result."""
    me, plan, context = channel.me, agreement.plan, agreement.context
    key = derive(agreement.dealing_seeds[table.helper], "correlations", context)
    fetch = _fetch(channel, table.helper, len(plan.windows)) if me == table.owners[-1] else None
    supply = SeedSupply(plan.kinds, Stream(key), fetch)
    pairs = {peer: pair_streams(seed, context) for peer, seed in agreement.pair_seeds.items()}
    declared = frozenset(item.what for item in plan.reveals)
    party = Party(me, table.owners, supply, pairs, trace, declared=declared)
    if fetch is not None and plan.dealt_first:
        trace.stage("dealing", 0, 0)
        channel.gather(table.helper, plan.dealt_first, "deal")
    return channel.drive(factory(party), supply.prepare)


def play_helper(channel: Channel, table: Table, agreement: Agreement, trace: Trace) -> None:
    """Deal the plan's correlations: at most `WINDOWS_AHEAD` windows ahead of what the last owner has taken."""
    plan, last = agreement.plan, table.owners[-1]
    streams = [
        Stream(derive(agreement.dealing_seeds[owner], "correlations", agreement.context)) for owner in table.owners
    ]
    trace.stage("dealing", 0, len(plan.windows))
    for number, window in enumerate(deal(plan.kinds, streams)):
        if number >= WINDOWS_AHEAD:
            channel.pull(last, "credit")
        channel.push(last, "deal", window)
        trace.stage("dealing", number + 1, len(plan.windows))


def part(channel: Channel, table: Table, *, patient: bool) -> None:
    """Wait until everyone is done, and then until everyone knows it.

    So nobody leaves while a peer may still need a frame again, not even that this side is done: a cut in that very
    moment costs time only.

    Args:
        patient: whether to wait as long as the peers are in contact (the helper is done long before the owners).
    """
    peers = [name for name in table.everyone if name != channel.me]
    done = Round(dict.fromkeys(peers, ()), dict.fromkeys(peers, ()), "done")
    channel.exchange(done, float("inf") if patient else None, lambda peer, _: channel.dismiss(peer))
    channel.take_leave()


def _fetch(channel: Channel, helper: str, windows: int) -> Callable[[], memoryview]:
    """The last owner's way to its next window: it gives a credit for each one that it takes while more are due."""
    taken = 0

    def fetch() -> memoryview:
        nonlocal taken
        window = channel.pull(helper, "deal")
        taken += 1
        if taken + WINDOWS_AHEAD <= windows:
            channel.push(helper, "credit", b"")
        return window

    return fetch
