"""p-values and quantiles against scipy's distributions, at the ends of what they are asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest
from scipy import stats

from protocols.evaluation import p_values
from protocols.rows.results import Statistic


def test_they_are_those_of_the_distributions() -> None:
    for df in (1, 2, 3, 8, 30, 31, 4.7, 100_000):
        for x in (0.0, 1e-3, 0.5, 3.0, 20.0, 200.0):
            one = Statistic(x, df)
            assert p_values.of_chi_square(one) == pytest.approx(stats.chi2.sf(x, df), rel=1e-9, abs=1e-300)
            assert p_values.of_t(one) == pytest.approx(2 * stats.t.sf(x, df), rel=1e-9, abs=1e-300)
            assert p_values.of_t(Statistic(-x, df)) == p_values.of_t(one)
            assert p_values.of_f(x, 3, df) == pytest.approx(stats.f.sf(x, 3, df), rel=1e-9, abs=1e-300)
        assert p_values.t_quantile(df, 0.975) == pytest.approx(stats.t.ppf(0.975, df), rel=1e-9)
    assert p_values.of_chi_square(Statistic(-1e-12, 3)) == 1.0
    assert p_values.of_chi_square(None) is p_values.of_t(None) is p_values.of_f(None, 1, 2) is None


def test_scipy_is_loaded_by_the_first_that_asks_only() -> None:
    loaded = "parties.cli.command, parties.tasks.linear.record, parties.tasks.statistics.record"
    code = f"import sys, {loaded}; print('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
