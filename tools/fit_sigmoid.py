"""Compute the tables of protocols/functions/sigmoid_fits.py and rising_fits.py: minimax fits by odd harmonics.

    python tools/fit_sigmoid.py                          rewrite the tables
    python tools/fit_sigmoid.py --tradeoff 128           print harmonics against error for one period

Needs scipy, which comes with scikit-learn (the `test` extra).

A sum f of odd harmonics is odd, and the same at z and at P/2 - z. So a fit on [-T, T] with T >= P/4 is one on
[0, P/4], where f(z) has to be near both the sigmoid at z and, once P/2 - z <= T, the one at P/2 - z: no fit
is closer than half their difference, exp(-(P/2 - T)) / 2. A margin P/2 - T of 11 makes that 8e-6; a larger T
costs accuracy everywhere (at P = 64, T = 24 it is 1.7e-4), a smaller T gains next to nothing.

A fit that rises is one on [0, P/4], with a derivative of `RISE` or more up to `RISING` P/4. At P/4 it is 0.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIZES = ((64, 16), (128, 32), (256, 64), (512, 128))  # period, number of harmonics
MARGIN = 11
RISING_SIZES = ((64, 10), (128, 20), (256, 40), (512, 80))  # errors of 2e-3: noise hides more
RISING = 0.97
RISE = 1e-6
TABLE_STARTS = "# Written by tools/fit_sigmoid.py.\n"
FUNCTIONS = Path(__file__).resolve().parent.parent / "protocols" / "functions"
# The linear programme corrects a least-squares fit, in units that suit the solver's tolerance of 1e-7.
UNIT = 1e-5

Reals = NDArray[np.float64]


def centred_sigmoid(z: Reals) -> Reals:
    """The sigmoid less 1/2."""
    values: Reals = 0.5 * np.tanh(z / 2)
    return values


def harmonics(z: Reals, period: int, count: int) -> Reals:
    """sin((2j+1) 2 pi z / period), one column a harmonic."""
    odd = 2 * np.arange(count) + 1
    values: Reals = np.sin(np.outer(z, odd) * (2 * np.pi / period))
    return values


def fit(period: int, reach: float, count: int) -> Reals:
    """The coefficients with the least largest error on [-reach, reach], to 12 digits."""
    from scipy.optimize import linprog  # type: ignore[import-untyped,unused-ignore]

    if not period / 4 <= reach < period / 2:
        raise ValueError(f"reach {reach} is not between a quarter and a half of the period {period}")
    z = np.append(np.linspace(0, period / 4, 32 * count), period / 2 - reach)
    low = centred_sigmoid(z)
    high = np.where(period / 2 - z <= reach, centred_sigmoid(period / 2 - z), low)
    basis = harmonics(z, period, count)
    rough = np.linalg.lstsq(basis, (low + high) / 2, rcond=1e-8)[0]
    slack = np.ones((len(z), 1))
    solved = linprog(
        np.append(np.zeros(count), 1),
        A_ub=np.vstack([np.hstack([basis, -slack]), np.hstack([-basis, -slack])]),
        b_ub=np.concatenate([low - basis @ rough, basis @ rough - high]) / UNIT,
        bounds=[(None, None)] * count + [(0, None)],
        method="highs-ds",
    )
    if solved.x is None:
        raise RuntimeError(f"no fit for period {period}, reach {reach}, {count} harmonics: {solved.message}")
    exact = rough + solved.x[:count] * UNIT
    return np.array([float(f"{c:.12g}") for c in exact])


def rising_fit(period: int, reach: float, count: int) -> Reals:
    """The coefficients with the least largest error on [0, P/4] of those that rise on [0, reach], to 12 digits."""
    from scipy.optimize import linprog

    z = np.linspace(0, period / 4, 64 * count)
    basis, steep = harmonics(z, period, count), slopes(z[z <= reach], period, count)
    wanted = centred_sigmoid(z)
    slack = np.ones((len(z), 1))
    solved = linprog(
        np.append(np.zeros(count), 1),
        A_ub=np.vstack(
            [
                np.hstack([basis, -slack]),
                np.hstack([-basis, -slack]),
                np.hstack([-steep, np.zeros((len(steep), 1))]),
            ]
        ),
        b_ub=np.concatenate([wanted, -wanted, np.full(len(steep), -5 * RISE)]),
        bounds=[(None, None)] * count + [(0, None)],
        method="highs-ds",
    )
    if solved.x is None:
        raise RuntimeError(f"no rising fit for period {period}, {count} harmonics: {solved.message}")
    return np.array([float(f"{c:.12g}") for c in solved.x[:count]])


def slopes(z: Reals, period: int, count: int) -> Reals:
    """The derivatives of `harmonics`."""
    steps = (2 * np.arange(count) + 1) * (2 * np.pi / period)
    values: Reals = np.cos(np.outer(z, steps)) * steps
    return values


def extremes(coefficients: Reals, period: int, reach: float) -> tuple[float, float]:
    """The largest error on [-reach, reach] and the largest size over the period, seen on a fine grid."""
    error = size = 0.0
    for z in np.array_split(np.linspace(0, period / 2, 1_000_001), 200):
        values = harmonics(z, period, len(coefficients)) @ coefficients
        inside = z <= reach
        if inside.any():
            error = max(error, float(np.abs(values - centred_sigmoid(z))[inside].max()))
        size = max(size, float(np.abs(values).max()))
    return error, size


def rounded_up(value: float, decimals: int) -> float:
    """`value`, a hair more, to that many decimals: a bound that stays one between the grid's points."""
    return float(math.ceil(value * 10**decimals + 0.01) / 10**decimals)


def entry(period: int, count: int) -> str:
    """One element of the table, as ruff would format it."""
    reach = period // 2 - MARGIN
    coefficients = fit(period, reach, count)
    error, size = extremes(coefficients, period, reach)
    print(
        f"period {period}, reach {reach}, {count} harmonics: error {error:.3e}, bound {size:.6f}, "
        f"sum of |coefficients| {np.abs(coefficients).sum():.3f}"
    )
    lines = "".join(f"            {float(c)!r},\n" for c in coefficients)
    return (
        f"    SigmoidFit(\n        period={period},\n        reach={float(reach)!r},\n"
        f"        error={rounded_up(error, 7)!r},\n        bound={rounded_up(size, 6)!r},\n"
        f"        coefficients=(\n{lines}        ),\n    ),\n"
    )


def rising_entry(period: int, count: int) -> str:
    """One element of the table of fits that rise."""
    reach = RISING * period / 4
    coefficients = rising_fit(period, reach, count)
    z = np.linspace(0, period / 4, 100_001)
    steep = slopes(z, period, count) @ coefficients
    rise, slope = float(steep[z <= reach].min()), float(steep.max())
    error, size = extremes(coefficients, period, reach)
    print(f"period {period}, {count} harmonics that rise: error {error:.3e}, slope {rise:.1e} to {slope:.6f}")
    if rise < RISE:
        raise RuntimeError(f"the fit for period {period} does not rise")
    lines = "".join(f"                {float(c)!r},\n" for c in coefficients)
    return (
        f"    RisingFit(\n        slope={rounded_up(slope, 6)!r},\n        fit=SigmoidFit(\n"
        f"            period={period},\n            reach={float(round(reach, 2))!r},\n"
        f"            error={rounded_up(error, 6)!r},\n            bound={rounded_up(size, 6)!r},\n"
        f"            coefficients=(\n{lines}            ),\n        ),\n    ),\n"
    )


def write(name: str, kind: str, entries: Sequence[str]) -> None:
    """Replace the table of a file."""
    target = FUNCTIONS / name
    head, marker, _ = target.read_text(encoding="utf-8").partition(TABLE_STARTS)
    if not marker:
        raise SystemExit(f"{name} has no line {TABLE_STARTS.strip()!r}")
    target.write_text(f"{head}{marker}{kind}, ...] = (\n{''.join(entries)})\n", encoding="utf-8")


def tradeoff(period: int) -> None:
    """Print, for several reaches, the error that each number of harmonics leaves."""
    reaches = [period // 4, *(period // 2 - margin for margin in (16, 12, 11, 10, 8))]
    print("harmonics " + "".join(f"{'T=' + str(reach):>11}" for reach in reaches))
    for count in sorted({period * share // 128 for share in (16, 20, 24, 28, 30, 31, 32, 33, 34, 36, 40)}):
        errors = [extremes(fit(period, reach, count), period, reach)[0] for reach in reaches]
        print(f"{count:>9} " + "".join(f"{error:>11.2e}" for error in errors))


def main(arguments: Sequence[str] | None = None) -> None:
    """Rewrite the table, or print a trade-off."""
    parser = argparse.ArgumentParser(description="fit the sigmoid by odd harmonics")
    parser.add_argument("--tradeoff", type=int, metavar="PERIOD", help="print its errors instead")
    options = parser.parse_args(arguments)
    if options.tradeoff is not None:
        tradeoff(options.tradeoff)
        return
    write("sigmoid_fits.py", "FITS: tuple[SigmoidFit", [entry(period, count) for period, count in SIZES])
    rising = [rising_entry(period, count) for period, count in RISING_SIZES]
    write("rising_fits.py", "RISING_FITS: tuple[RisingFit", rising)


if __name__ == "__main__":
    main()
