"""The interval of an AUC, from the AUC and the number of rows of each class: nothing else has to be opened.

    var A = (A (1 - A) + (n1 - 1) (Q1 - A^2) + (n0 - 1) (Q2 - A^2)) / (n1 n0)
    Q1 = A / (2 - A)          Q2 = 2 A^2 / (1 + A)

for n1 rows of class 1 and n0 of class 0 (Hanley and McNeil, Radiology 143, 1982; these Q are those of scores that are
exponentially distributed). DeLong's variance would need the squares of the ranks as well.
"""

from __future__ import annotations

import math

from protocols.rows.results import QUANTILE


def auc_interval(auc: float | None, positives: int, negatives: int) -> dict[str, float | None]:
    """`auc_se`, and the ends of the 95 % interval, within 0 and 1; None where the AUC is undefined, or 0 or 1.

    For classes that the scores separate without a mistake this formula gives an error of 0, which is wrong.
    """
    if auc is None or not 0 < auc < 1:
        return {"auc_se": None, "auc_low": None, "auc_high": None}
    square = auc * auc
    of_positives = (positives - 1) * (auc / (2 - auc) - square)
    of_negatives = (negatives - 1) * (2 * square / (1 + auc) - square)
    se = math.sqrt((auc * (1 - auc) + of_positives + of_negatives) / (positives * negatives))
    return {"auc_se": se, "auc_low": max(0.0, auc - QUANTILE * se), "auc_high": min(1.0, auc + QUANTILE * se)}
