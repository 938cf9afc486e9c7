"""How exact statistics with [privacy] are: 20,190 people of the RAND health insurance experiment, by epsilon.

pytest -s -m sweep tests/parties/tasks/statistics/private/test_accuracy.py
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr, ttest_ind

from parties.tasks.statistics.private.record import private_statistics_facts
from protocols.statistics.own_cells import OwnColumns
from protocols.statistics.private.job import Clip, PrivateSettings, own_numbers, private_settings
from protocols.statistics.settings import Grid, StatisticsSettings

REPEATS = 20
SHARES = tuple(k / 10 for k in range(1, 10))
CLIPS = {"disea": Clip(0, 60), "lpi": Clip(0, 8), "mdvis": Clip(0, 20)}


def people() -> dict[str, np.ndarray]:
    """An index of chronic diseases, the log of a yearly payment, visits to a doctor, whether there was a deductible."""
    from statsmodels.datasets import randhie

    table = randhie.load_pandas().data
    return {name: table[name].to_numpy(dtype=float) for name in ("disea", "lpi", "mdvis", "idp")}


def settings_of(epsilon: float) -> PrivateSettings:
    asked = StatisticsSettings(
        ("north", "east", "west"),
        "helper",
        (20, 20, 20),
        columns=("lpi",),
        statistics=("count", "mean"),
        quantiles=SHARES,
        levels=(("idp", ("no", "yes")),),
        grids=(("lpi", Grid(0, 8, 0.01)),),
        correlations=("disea", "mdvis"),
        t_tests=(("mdvis", "idp"),),
    )
    return private_settings(asked, tuple(CLIPS.items()), epsilon, 1e-6)


@pytest.mark.sweep
@pytest.mark.parametrize("epsilon", [0.3, 1.0, 3.0])
def test_statistics_of_real_people(epsilon: float) -> None:
    """Errors are those that the plan states, and intervals hold the pooled rows' statistics."""
    rows, settings, rng = people(), settings_of(epsilon), np.random.default_rng(1)
    exact = own_numbers(OwnColumns(rows, len(rows["idp"])), settings) / settings.calibration.sensitivity
    disea, lpi, mdvis = (np.clip(rows[name], of.low, of.high) for name, of in CLIPS.items())
    up = np.searchsorted(settings.statistics.grid_of("lpi").points, lpi)
    r = pearsonr(disea, mdvis).statistic
    difference = ttest_ind(mdvis[rows["idp"] == 0], mdvis[rows["idp"] == 1], equal_var=False)
    ends = difference.confidence_interval()
    ranks, offs, widths = [], [], []
    for _ in range(REPEATS):
        facts = private_statistics_facts(exact + rng.normal(0, settings.deviation, exact.shape), settings)
        for share, value in facts["columns"]["lpi"][0]["quantiles"].items():
            below, by = np.mean(up < round(100 * value)), np.mean(up <= round(100 * value))
            ranks.append(max(0.0, below - float(share), float(share) - by) * len(disea))
        found, test = facts["correlations"][0]["groups"][0], facts["t_tests"][0]["groups"][0]["tests"][0]
        if found["r"] is not None:
            offs.append(abs(found["r"] - r))
        widths.append((test["high"] - test["low"]) / (ends.high - ends.low))
    error = 1.96 * settings.deviation * max(map(settings.trees["lpi"].error, SHARES))
    print(
        f"\nepsilon {epsilon:g}: noise {settings.deviation:.1f}; quantiles off by {np.mean(ranks):.0f} ranks of "
        f"{len(disea)} (plan: at most {error:.0f}); r {r:.3f} off by {np.mean(offs):.3f} "
        f"({len(offs)} of {REPEATS} times told); "
        f"interval of the difference of means {np.mean(widths):.2f} times as wide"
    )
    assert np.mean(np.array(ranks) <= error) >= 0.95
    assert len(offs) > REPEATS // 4 and np.mean(offs) < 0.2
    assert np.mean(widths) >= 1
