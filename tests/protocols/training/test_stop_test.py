"""What the stop test shows and what faults do to it, and forks: a plan's other ways, what is dealt, what it costs."""

from __future__ import annotations

from functools import partial
from operator import eq
from typing import Any

import numpy as np
import pytest

from mpc.errors import InternalError
from mpc.randomness.dealing import WINDOWS_AHEAD
from mpc.runtime.lockstep import run_lockstep
from mpc.runtime.party import Party
from mpc.runtime.plan import WAY_BYTES, Plan, make_plan
from mpc.runtime.round import HEADER_BYTES
from mpc.sharing.share import Share
from mpc.testing import CheckFailed, check_view, integers, reals
from protocols.core.beaver import multiply
from protocols.training.stop_test import EVERY, is_due, steps_taken
from tests.helpers import entropy
from tests.testing.cases.training import AT_REST, settling

X, Y = reals(("d",), scale=AT_REST, largest=50.0), integers(("d",), -1, 1)


HIDES: list[tuple[list[Any], list[Any]]] = [
    ([3.0, 1], [-7.0, 1]),
    ([20.0, 1], [np.array([5.0, 0.0]), 1]),
    ([0.0, 1], [0.25, -1]),
]
"""One multiplication each, or none; owner 0 gives x, owner 1 what it is multiplied with."""


@pytest.mark.parametrize("words", [pytest.param(40, id="few"), pytest.param(400, marks=pytest.mark.soak, id="many")])
def test_it_shows_nothing_but_when_it_stopped(words: int) -> None:
    pairs = HIDES if words > 40 else HIDES[1:2]
    check_view(hidden, [X, Y], secrets=pairs, owners=2, sizes={"d": 2}, words=words, structure="by round")
    with pytest.raises(CheckFailed):  # that one stops before the other is what it does show
        check_view(hidden, [X, Y], secrets=[([0.25, 1], [3.0, 1])], owners=2, sizes={"d": 2}, words=40, structure=False)


@pytest.mark.soak
def test_every_word_of_it_has_a_mask() -> None:
    check_view(hidden, [X, Y], secrets=HIDES[:1], owners=2, sizes={"d": 1}, words=40, structure_sizes={"d": 1})


async def hidden(p: Party, x: Share, y: Share) -> int:
    """As `settling`, and what it comes to is not told."""
    await settling(p, x, y)
    return 0


# -- forks


def turns(after: int, windows: int) -> Any:
    """Products before and after each of three forks, of which the second (after = 1) goes the other way."""

    async def program(p: Party) -> Any:
        x = p.public(p.constant(3, (4,)))
        z = x
        for number in range(3):
            for _ in range(windows):
                z = await multiply(p, x, x, label=f"product {number}")
            if p.fork(partial(eq, number, after)):
                z = await multiply(p, z, x[:1], label=f"product {number}")
                break
        (got,) = await p.reveal(z, what="product", why="a test", label="reveal")
        return got.value

    return program


def plan_of(after: int, windows: int, n: int = 2) -> Plan:
    return make_plan(turns(after, windows), tuple("abc"[:n]), "helper")


@pytest.mark.parametrize("windows", [1, WINDOWS_AHEAD, WINDOWS_AHEAD + 3])
@pytest.mark.parametrize("after", [0, 1, 2, 9])
@pytest.mark.parametrize("n", [2, 3])
def test_a_run_is_its_plan_of_the_ways_it_took(
    monkeypatch: pytest.MonkeyPatch, windows: int, after: int, n: int
) -> None:
    monkeypatch.setattr("mpc.randomness.dealing.WINDOW_BYTES", 32)
    program, owners = turns(after, windows), tuple("abc"[:n])
    outcome = run_lockstep(dict.fromkeys(owners, program), entropy=entropy(owners, 1))
    assert outcome.results["a"].tolist() == [27 if after < 3 else 9] * 4
    plan = outcome.plan
    assert plan.ways == ((False,) * after + (True,) if after < 3 else ())
    assert outcome.rounds["a"] == len(plan.rounds) == windows * min(3, after + 1) + (2 if after < 3 else 1)
    assert outcome.payload_bytes["helper"] == sum(plan.windows)
    forks = min(3, after + 1)
    assert len(plan.forks) == forks
    later = max(0, windows - WINDOWS_AHEAD)
    assert plan.credits == later * forks
    assert plan.messages_sent[owners[-1]] == len(plan.rounds) * (n - 1) + forks + plan.credits
    one = plan_of(9, windows, n)
    assert one.forks[:forks] == plan.forks and one.kinds[: plan.forks[-1]] == plan.kinds[: plan.forks[-1]]
    assert one.windows[: windows * forks] == plan.windows[: windows * forks]


def test_nothing_is_dealt_before_it_is_known_that_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.randomness.dealing.WINDOW_BYTES", 1 << 20)
    plan = plan_of(9, 2)
    assert plan.windows == (64, 64, 64) and plan.turns == (0, 1, 2)
    whole = plan.on((False, True))
    assert whole.windows == (64, 64, 32) and whole is plan.on([False, True]) and plan.on([False]) is plan
    assert whole.on(()).windows == plan.windows
    helper = plan.bytes_sent["b"] - plan.bytes_sent["a"]
    assert helper == 3 * (HEADER_BYTES + WAY_BYTES)


def test_a_fork_costs_a_round_trip_to_the_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.randomness.dealing.WINDOW_BYTES", 1 << 20)
    seconds = plan_of(9, 2).seconds(0.02, 1e12)
    # One latency of the first window, 7 rounds; at two forks what is told, and the window that it lets go.
    assert seconds == pytest.approx(0.01 * (1 + 7 + 2 * 2), abs=1e-6)


def test_a_program_that_forks_elsewhere_is_stopped() -> None:
    async def strays(p: Party) -> Any:
        x = p.public(p.constant(3, (4,)))
        if not p.dry:
            p.fork(lambda: False)
        return await multiply(p, x, x)

    with pytest.raises(InternalError, match="no fork"):
        run_lockstep(dict.fromkeys("ab", strays), entropy=entropy(("a", "b"), 1))

    async def passes(p: Party) -> Any:
        x = p.public(p.constant(3, (4,)))
        if p.dry:
            p.fork(lambda: False)
        return await multiply(p, x, x)

    with pytest.raises(InternalError, match="not in its plan"):
        run_lockstep(dict.fromkeys("ab", passes), entropy=entropy(("a", "b"), 1))


def test_after_which_steps() -> None:
    assert [t for t in range(1, 4 * EVERY + 1) if is_due(t, 3 * EVERY)] == [EVERY, 2 * EVERY]
    assert steps_taken(95, ()) == 95 == steps_taken(95, (False, False))
    assert steps_taken(95, (False, True)) == 2 * EVERY
