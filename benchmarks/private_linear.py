"""How good a private linear regression is, by epsilon: ours, with noise that nobody knows, and diffprivlib's.

    python -m benchmarks.private_linear [--repeats 20] [--diffprivlib PYTHON]

Two owners run the whole protocol in one process. diffprivlib has all rows in one place, the same ranges and a trusted
party's noise (the functional mechanism of Zhang et al. 2012; its delta is 0, and ours 1e-6). Each trial holds out
another fifth of the rows, the same for all; R2 is that of these rows. PYTHON has diffprivlib.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.private import DELTA, EPSILONS, arguments, diffprivlib, held_out, run
from protocols.linear.noisy_fit import NoisyFit, fit_moments
from protocols.linear.noisy_moments import Levels, NoisyLinear, Number, Scaling, enough_variance, noisy_linear_job

Floats = NDArray[np.float64]

OWNERS: Final = ("north", "south")


@dataclass(frozen=True)
class Data:
    """Real rows, and ranges that somebody could agree on without them.

    Args:
        x: features (n, d); y: the target (n,).
    """

    name: str
    x: Floats
    y: Floats
    scaling: Scaling

    @property
    def ends(self) -> tuple[list[float], list[float]]:
        """The range of each column of x."""
        found: list[tuple[float, float]] = []
        for one in self.scaling.terms:
            found += [(one.low, one.high)] if isinstance(one, Number) else [(0.0, 1.0)] * one.columns
        lows, highs = zip(*found, strict=True)
        return list(lows), list(highs)


def diabetes() -> Data:
    """442 patients (Efron, Hastie, Johnstone, Tibshirani 2004): the disease a year later, by ten measurements."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True, scaled=False)
    x = x.copy()
    x[:, 1] -= 1
    ranges = [(15, 50), (60, 140), (90, 300), (30, 250), (20, 100), (1, 10), (3, 6.5), (50, 130)]
    terms: tuple[Number | Levels, ...] = (Number(18, 80), Levels(1), *(Number(*one) for one in ranges))
    return Data("diabetes", x, y, Scaling(terms, Number(25, 350)))


def marriages() -> Data:
    """6,366 women (Fair 1978): years of marriage, by age, children, religiousness and education."""
    from statsmodels.datasets import fair

    table = fair.load_pandas().data
    x = table[["age", "children", "religious", "educ"]].to_numpy(dtype=float)
    terms = (Number(17, 45), Number(0, 6), Number(1, 4), Number(9, 20))
    return Data("marriages", x, table["yrs_married"].to_numpy(dtype=float), Scaling(terms, Number(0, 25)))


def insured() -> Data:
    """20,190 people of the RAND health insurance experiment: chronic diseases, by limits, health, payments and plan."""
    from statsmodels.datasets import randhie

    table = randhie.load_pandas().data
    limits = (table["physlm"] > 0.5).to_numpy(dtype=float)
    x = np.column_stack((limits, table[["hlthg", "hlthf", "hlthp", "lpi", "idp"]].to_numpy(dtype=float)))
    scaling = Scaling((Levels(1), Levels(3), Number(0, 8), Levels(1)), Number(0, 40))
    return Data("insured", x, table["disea"].to_numpy(dtype=float), scaling)


def ours(data: Data, x: Floats, y: Floats, epsilon: float, rng: np.random.Generator) -> NoisyFit:
    """A run of the protocol over two owners, to whom rows are dealt at random."""
    names = tuple(map(str, range(x.shape[1])))
    variance = enough_variance(epsilon, DELTA, len(OWNERS))
    settings = NoisyLinear(OWNERS, "helper", names, "y", data.scaling, epsilon, DELTA, variance)
    first = rng.random(len(y)) < 0.5
    owners = {name: (x[mine], y[mine]) for name, mine in zip(OWNERS, (first, ~first), strict=True)}
    moments = run(owners, lambda p, own, stream: noisy_linear_job(p, own, stream, settings))
    return fit_moments(moments, names, data.scaling, settings.deviation)


def theirs(data: Data, held: NDArray[np.bool_], python: Path) -> list[list[float]]:
    """R2 of diffprivlib's models, by epsilon and trial."""
    (lows, highs), target = data.ends, data.scaling.target
    ends = {"lows": lows, "highs": highs, "target": (target.low, target.high)}
    of_data = {"x": data.x, "y": data.y, "held": held, "epsilons": EPSILONS}
    found: list[list[float]] = diffprivlib(python, "diffprivlib_linear.py", **of_data, **ends)
    return found


def exact(x: Floats, y: Floats) -> Floats:
    """Least squares on all rows, the intercept last."""
    return np.asarray(np.linalg.lstsq(np.column_stack((x, np.ones(len(y)))), y, rcond=None)[0], dtype=np.float64)


def r2(coefficients: Floats, x: Floats, y: Floats) -> float:
    """Of these rows."""
    left = y - x @ coefficients[:-1] - coefficients[-1]
    return float(1 - (left @ left) / ((y - y.mean()) ** 2).sum())


def text(values: Sequence[float]) -> str:
    """The median, and the quartiles over the trials."""
    low, middle, high = (float(np.quantile(values, share)) for share in (0.25, 0.5, 0.75))
    return f"{_short(middle)} ({_short(low)} to {_short(high)})"


def _short(value: float) -> str:
    return f"{value:.3f}" if value > -10 else f"{value:,.0f}"


def main() -> None:
    """The command."""
    given, rng = arguments(__doc__), np.random.default_rng(2)
    for data in (diabetes(), marriages(), insured()):
        held = held_out(given.repeats, len(data.y))
        other = theirs(data, held, given.diffprivlib) if given.diffprivlib else [[]] * len(EPSILONS)
        plain = [r2(exact(data.x[~one], data.y[~one]), data.x[one], data.y[one]) for one in held]
        print(f"\n{data.name}, {len(data.y):,} rows: without noise R2 {text(plain)}\n")
        print("| epsilon | R2 | diffprivlib | runs with intervals |\n|---:|---|---|---:|")
        for epsilon, scores in zip(EPSILONS, other, strict=True):
            fits = [ours(data, data.x[~one], data.y[~one], epsilon, rng) for one in held]
            own = [
                r2(np.array(fit.coefficients), data.x[one], data.y[one]) for fit, one in zip(fits, held, strict=True)
            ]
            given_in = sum(fit.errors is not None for fit in fits)
            line = (f"{epsilon:g}", text(own), text(scores) if scores else "", f"{given_in} of {given.repeats}")
            print(f"| {' | '.join(line)} |", flush=True)


if __name__ == "__main__":
    main()
