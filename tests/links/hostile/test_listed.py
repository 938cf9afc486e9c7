"""A listed peer sends anything at any time: to a waiting and a running owner, the helper, a doctor, a sum's server.

Nobody crashes, hangs or uses more memory than a bound; no message is taken for another's; what the honest parties
compute without the attacker is right to the bit.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, TypeVar

import pytest
from hypothesis import Phase, given, settings
from hypothesis.strategies import SearchStrategy

from tests.examples import TIMES, steady
from tests.links.hostile.listed import (
    Honest,
    attacks,
    carry_out,
    carry_out_inside,
    insiders,
    judge,
    judge_inside,
    processes,
)
from tests.links.over_zmq import HELPER
from tests.tiers import Tell

T = TypeVar("T")

pytestmark = pytest.mark.hypothesis  # its examples are within the tests, where pytest does not see that they are such

SCENES = {
    "a waiting owner": attacks("session", "a", "b", HELPER),
    "the helper": attacks("session", HELPER, "a", "b"),
    "a running pair": attacks("pair", "a", "m"),
    "a doctor": attacks("doctor", "a", "m"),
    "the server of a sum": attacks("sum", "server", "m"),
}
EXAMPLES = 85
"""Of each in a soak, times SOAK_EXAMPLES: more than 10,000 of all six."""

FEW = 6
AT_ONCE = 6 if TIMES in os.environ else 2
"""Attacks at a time, each on a process of its own: most of their time they wait, for a contact to be given up."""


@pytest.fixture(scope="module")
def several() -> Iterator[list[Honest]]:
    """So many processes of honest parties as there are attacks at a time."""
    with processes(AT_ONCE) as made:
        yield made


def drawn(strategy: SearchStrategy[T]) -> list[T]:
    """As many of these as the tier asks for."""
    each: list[T] = []

    # No shrinking: an attack is short, and each try is a run of several parties.
    @settings(steady(EXAMPLES, few=FEW), phases=[Phase.generate])
    @given(strategy)
    def draw(one: T) -> None:
        each.append(one)

    draw()
    return each


def ends_of(
    honest: Sequence[Honest],
    each: Sequence[T],
    carry_out: Callable[[Honest, T], dict[str, Any]],
    judge: Callable[[T, dict[str, Any]], str],
) -> dict[str, int]:
    """How often the attacks ended in which way, and how many they are; a failure tells the attack."""
    free: SimpleQueue[Honest] = SimpleQueue()
    for one in honest:
        free.put(one)

    def end_of(attack: T) -> str:
        mine, answer = free.get(), dict[str, Any]()
        try:
            answer = carry_out(mine, attack)
            return judge(attack, answer)
        except BaseException as error:
            error.add_note(f"{attack}\n{answer}")
            raise
        finally:
            free.put(mine)

    with ThreadPoolExecutor(len(honest)) as pool:
        ends = Counter(pool.map(end_of, each))
    return {"tried": ends.total()} | {key: ends[key] for key in sorted(ends)}


@pytest.mark.parametrize("name", SCENES)
def test_anything_from_a_listed_peer(name: str, several: list[Honest], tell: Tell) -> None:
    ends = ends_of(several, drawn(SCENES[name]), carry_out, judge)
    tell(f"anything from a listed peer, to {name}", **ends)


def test_anything_from_one_who_takes_part(several: list[Honest], tell: Tell) -> None:
    ends = ends_of(several, drawn(insiders()), carry_out_inside, judge_inside)
    tell("anything from one who takes part", **ends)
