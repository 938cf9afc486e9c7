"""The bytes of a peer's messages that a party may have to keep, from the plan; a peer that sends more is cut off.

An owner is at most one round ahead of another: its next message needs the other's last one. The helper is ahead of the
last owner by the windows that it deals without a credit; the last owner of the helper by as many credits, and by what
it says at the forks. Nobody else says anything before the end.
"""

from __future__ import annotations

from itertools import accumulate

from mpc.links.session import FRAME_BYTES, Backlog
from mpc.randomness.dealing import WINDOW_BYTES, WINDOWS_AHEAD
from mpc.runtime.plan import Plan

_SMALL = 1 << 16  # bytes of the handshake's last objects, and of the messages without a payload at the end


def backlog(plan: Plan, sender: str, receiver: str) -> Backlog:
    """The bound on the sender's messages that the receiver may have to keep, once both have the plan."""
    if receiver == plan.helper:
        frames = WINDOWS_AHEAD + len(plan.forks) if sender == plan.owners[-1] else 0
        return Backlog(_SMALL, _SMALL + frames * FRAME_BYTES)
    if sender == plan.helper:
        return _of_windows(plan) if receiver == plan.owners[-1] else Backlog(_SMALL, _SMALL)
    return Backlog(max(_SMALL, plan.longest), _SMALL + 2 * (plan.longest + FRAME_BYTES))


def kept(plan: Plan) -> dict[str, int]:
    """The most bytes of other parties' messages that each party may have to keep, from the plan on."""
    everyone = (*plan.owners, plan.helper)
    return {me: sum(backlog(plan, peer, me).nbytes for peer in everyone if peer != me) for me in everyone}


def _of_windows(plan: Plan) -> Backlog:
    """The bound on the helper's messages at the last owner, over all ways that the program can take."""
    sizes = [size + FRAME_BYTES for size in plan.windows]
    sums = list(accumulate(sizes, initial=0))
    most = taken = 0
    for number in range(len(sizes)):
        if number and plan.turns[number] > plan.turns[number - 1]:
            taken = number  # at a fork, all that came before it was used
        if plan.needs_credit(number):
            taken = max(taken, number + 1 - WINDOWS_AHEAD)
        most = max(most, sums[number + 1] - sums[taken])
    longest = max(plan.windows, default=0)
    if plan.forks:  # on another way, windows begin and end elsewhere
        longest = max(longest, min(WINDOW_BYTES, sums[-1]))
        most = max(most, min(sums[-1], WINDOWS_AHEAD * (longest + FRAME_BYTES)))
    return Backlog(max(_SMALL, longest), _SMALL + most)
