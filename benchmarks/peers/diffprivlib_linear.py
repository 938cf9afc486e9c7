"""diffprivlib's LinearRegression on pooled rows: reads trials from a file, prints each model's R2 as JSON.

PYTHON benchmarks/peers/diffprivlib_linear.py TRIALS.npz
"""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np
from diffprivlib.models import LinearRegression


def main() -> None:
    """The program: R2 on the held-out rows, by epsilon and trial."""
    warnings.simplefilter("ignore")
    given = np.load(sys.argv[1])
    x, y, found = given["x"], given["y"], []
    for epsilon in given["epsilons"]:
        scores = []
        for trial, held in enumerate(given["held"]):
            model = LinearRegression(
                epsilon=float(epsilon),
                bounds_X=(given["lows"], given["highs"]),
                bounds_y=tuple(map(float, given["target"])),
                random_state=trial,
            ).fit(x[~held], y[~held])
            scores.append(float(model.score(x[held], y[held])))
        found.append(scores)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
