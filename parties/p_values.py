"""p-values: chi-square with one degree of freedom by the normal distribution, all others by scipy where it is there."""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import Final

from protocols.classical_tests import Statistic

NEEDS: Final = (
    "p-values and intervals of t and F, and of chi-square with more than one degree of freedom, need scipy: "
    "pip install scipy"
)


def can_tell() -> bool:
    """Whether every p-value can be had here."""
    return find_spec("scipy") is not None


def of_chi_square(statistic: Statistic | None) -> float | None:
    """The chance of a chi-square at least as large; None if it cannot be told here."""
    if statistic is None:
        return None
    if statistic.df == 1:
        return math.erfc(math.sqrt(statistic.value / 2.0))
    if not can_tell():
        return None
    from scipy.special import chdtrc

    return float(chdtrc(statistic.df, statistic.value))


def of_t(statistic: Statistic | None) -> float | None:
    """The chance of a t at least as far from 0; None if it cannot be told here."""
    if statistic is None or not can_tell():
        return None
    from scipy.special import stdtr

    return 2.0 * float(stdtr(statistic.df, -abs(statistic.value)))


def of_f(value: float | None, above: float, below: float) -> float | None:
    """The chance of an F at least as large, with these degrees of freedom; None if it cannot be told here."""
    if value is None or not can_tell():
        return None
    from scipy.special import fdtrc

    return float(fdtrc(above, below, value))


def t_quantile(df: float, share: float) -> float | None:
    """The t that a share of all do not exceed; None if it cannot be told here."""
    if not can_tell():
        return None
    from scipy.special import stdtrit

    return float(stdtrit(df, share))
