"""The tools of the long tiers: the part that a seed chooses, and the counts that are told."""

from __future__ import annotations

import pytest

from tests.tiers import TIERS, Tier, lines


@pytest.mark.parametrize("tier", TIERS)
def test_a_part_is_chosen_by_the_seed(tier: Tier, monkeypatch: pytest.MonkeyPatch) -> None:
    def parts(part: str, seeds: range) -> list[list[int]]:
        monkeypatch.setenv(f"{tier.name.upper()}_PART", part)
        found = []
        for seed in seeds:
            monkeypatch.setenv(f"{tier.name.upper()}_SEED", str(seed))
            found.append(tier.chosen("series", range(50)))
        return found

    assert parts("1", range(2)) == [[*range(50)]] * 2
    tenths = parts("0.1", range(100))
    assert {len(tenth) for tenth in tenths} == {5}
    assert tenths[3] == parts("0.1", range(3, 4))[0] == sorted(tenths[3])
    assert {case for tenth in tenths for case in tenth} == {*range(50)}, "over time, all are tried"
    assert len(parts("0.0001", range(1))[0]) == 1


def test_the_counts_of_a_series() -> None:
    told: list[tuple[str, dict[str, float]]] = [
        ("kills", {"tried": 1, "named": 1, "slowest": 0.5}),
        ("kills", {"tried": 1000, "slowest": 0.25}),
        ("cuts", {"tried": 2}),
    ]
    assert lines(told) == ["cuts: 2 tried", "kills: 1,001 tried, 1 named, 0.5 slowest"]


def test_a_tier_has_no_part_in_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    soak, sweep = TIERS
    monkeypatch.setenv("SOAK_PART", "0.1")
    assert len(soak.chosen("series", range(50))) == 5
    assert len(sweep.chosen("series", range(50))) == 50
