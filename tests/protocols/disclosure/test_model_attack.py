"""A model that was told gives no small cell of anybody's others back, and without the test of its cells it does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mpc.runtime.party import Party
from protocols.disclosure.design_cells import small_columns
from protocols.disclosure.own_design import OwnDesign
from tests.helpers import lockstep, owner_names
from tests.model_attack import DESIGNS, Study, drawn, known_sums, recovered

Rule = Callable[[Study], bool]


def passes(study: Study) -> bool:
    """Whether the run goes on, by the protocol."""
    owned = [study.own(k) for k in range(len(study.counts))]
    columns = len(study.design.made.products)

    async def program(p: Party) -> np.ndarray:
        mine: OwnDesign | None = None if p.dry else owned[p.index]
        return (await small_columns(p, mine, columns, study.least, classes=not study.linear)).value

    names = owner_names(len(owned))
    return not lockstep(dict.fromkeys(names, program)).results[names[0]].any()


def without_combinations(study: Study) -> bool:
    """A rule with a leak: each column is tested, by class, and no combination of columns."""
    for viewer in range(len(study.counts)):
        others = study.counts.sum(axis=0) - study.counts[viewer]
        for column in study.design.x.T:
            for value in np.unique(column):
                cells = others[column == value].sum(axis=0)
                if ((cells > 0) & (cells < study.least)).any():
                    return False
    return True


def attacks(rule: Rule, studies: int) -> tuple[int, int, int]:
    """Of so many studies: how many were told, in how many of these somebody had few rows, and cells were given back."""
    told = few = broken = 0
    names = list(DESIGNS)
    for seed in range(studies):
        rng = np.random.default_rng(seed)
        study = drawn(names[seed % len(names)], rng)
        sums = known_sums(study)
        if sums is None or not rule(study):
            continue
        told += 1
        attackers = range(len(study.counts))
        others = [study.counts.sum(axis=0) - study.counts[k] for k in attackers]
        few += any(((one > 0) & (one < study.least)).any() for one in others)
        given = [next(recovered(study, sums, attacker), None) for attacker in attackers]
        broken += any(one is not None for one in given)
    return told, few, broken


@pytest.mark.parametrize("studies", [60, pytest.param(1000, marks=pytest.mark.sweep)])
def test_no_small_cell_is_given_back(studies: int) -> None:
    told, few, broken = attacks(passes, studies)
    print(f"{studies} studies: {told} told, {few} of them with small cells that stay hidden, {broken} gave one back")
    assert told > studies // 12 and broken == 0


def test_the_attack_finds_what_is_given_back() -> None:
    told, _, every = attacks(lambda study: True, 60)
    _, _, some = attacks(without_combinations, 100)
    print(f"without a test {every} of {told} gave a cell back; of 100 studies with tests of columns alone {some}")
    assert every > told // 6 and some > 1
