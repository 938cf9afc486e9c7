"""diffprivlib's LogisticRegression on pooled rows: reads trials from a file, prints each model's metrics as JSON.

    PYTHON benchmarks/peers/diffprivlib_models.py TRIALS.npz

For each epsilon it tries some norms and penalties, and gives the metrics of all of them: the caller takes the best.
"""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np
from diffprivlib.models import LogisticRegression
from sklearn.metrics import roc_auc_score

EPSILONS = (0.1, 0.3, 1.0, 3.0, 10.0)
NORMS = (0.25, 0.5, 1.0)
"""Of the root of the number of columns: rows that are longer are scaled down to it."""
PENALTIES = (0.1, 1.0, 10.0)


def main() -> None:
    """The program."""
    warnings.simplefilter("ignore")
    given = np.load(sys.argv[1])
    x, y, found = given["x"], given["y"], []
    for trial, held in enumerate(given["held"]):
        for epsilon in EPSILONS:
            for norm in NORMS:
                for penalty in PENALTIES:
                    model = LogisticRegression(
                        epsilon=epsilon, data_norm=norm * x.shape[1] ** 0.5, C=penalty, random_state=trial
                    ).fit(x[~held], y[~held])
                    scores = model.decision_function(x[held])
                    found.append(
                        {
                            "epsilon": epsilon,
                            "settings": [norm, penalty],
                            "accuracy": float(((scores > 0) == y[held]).mean()),
                            "auc": float(roc_auc_score(y[held], scores)),
                        }
                    )
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
