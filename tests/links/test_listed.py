"""A listed peer sends anything at any time: to a waiting and a running owner, the helper, a doctor, a sum's server.

Nobody crashes, hangs or uses more memory than a bound; no message is taken for another's; what the honest parties
compute without the attacker is right to the bit.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import Phase, given, note, settings

from tests.examples import steady
from tests.links.listed import (
    Attack,
    Honest,
    Inside,
    attacks,
    carry_out,
    carry_out_inside,
    insiders,
    judge,
    judge_inside,
)
from tests.links.over_zmq import HELPER
from tests.tiers import Tell

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


@pytest.mark.parametrize("name", SCENES)
def test_anything_from_a_listed_peer(name: str, honest: Honest, tell: Tell) -> None:
    ends: Counter[str] = Counter()

    # No shrinking: an attack is short, and each try is a run of several parties.
    @settings(steady(EXAMPLES, few=FEW), phases=[Phase.generate])
    @given(SCENES[name])
    def any_attack(attack: Attack) -> None:
        answer = carry_out(honest, attack)
        note(str(answer))
        ends[judge(attack, answer)] += 1

    any_attack()
    tell(f"anything from a listed peer, to {name}", tried=ends.total(), **{key: ends[key] for key in sorted(ends)})


def test_anything_from_one_who_takes_part(honest: Honest, tell: Tell) -> None:
    ends: Counter[str] = Counter()

    @settings(steady(EXAMPLES, few=FEW), phases=[Phase.generate])
    @given(insiders())
    def anything(inside: Inside) -> None:
        answer = carry_out_inside(honest, inside)
        note(str(answer))
        ends[judge_inside(inside, answer)] += 1

    anything()
    tell("anything from one who takes part", tried=ends.total(), **{key: ends[key] for key in sorted(ends)})
