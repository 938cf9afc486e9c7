"""p-values and quantiles of t, F and chi-square, by scipy, which the first call loads."""

from __future__ import annotations

from protocols.rows.results import Statistic


def of_chi_square(statistic: Statistic | None) -> float | None:
    """The chance of a chi-square at least as large; None if there is no test."""
    if statistic is None:
        return None
    from scipy.special import chdtrc

    # Below 0 by rounding alone: the chance is that of 0.
    return float(chdtrc(statistic.df, max(0.0, statistic.value)))


def of_t(statistic: Statistic | None) -> float | None:
    """The chance of a t at least as far from 0; None if there is no test."""
    if statistic is None:
        return None
    from scipy.special import stdtr

    return 2.0 * float(stdtr(statistic.df, -abs(statistic.value)))


def of_f(value: float | None, above: float, below: float) -> float | None:
    """The chance of an F at least as large, with these degrees of freedom; None if there is no test."""
    if value is None:
        return None
    from scipy.special import fdtrc

    return float(fdtrc(above, below, value))


def t_quantile(df: float, share: float) -> float:
    """The quantile of t at a share of the distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(df, share))
