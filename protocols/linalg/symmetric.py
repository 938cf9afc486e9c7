"""Symmetric matrices by their entries on and above the diagonal, and the inverse of one that all owners know.

All that follows from opened numbers is computed by single IEEE-754 operations in one order, the same at all owners.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mpc.errors import DataError
from mpc.ring.array import Array

_SMALLEST_PIVOT = 2.0**-40  # of a diagonal entry, for a column to be told apart from those before it

Matrix = list[list[float]]


def places(d: int) -> Array:
    """The place of entry (j, k) of a symmetric matrix among those on and above its diagonal (d, d)."""
    place = np.zeros((d, d), dtype=np.int64)
    j, k = np.triu_indices(d)
    place[j, k] = place[k, j] = np.arange(len(j))
    return place


def symmetric(entries: Sequence[float], d: int) -> Matrix:
    """The symmetric matrix with these entries on and above its diagonal, in the order of `pairs`."""
    matrix = identity(d)
    for j, k, value in zip(*pairs(d), entries, strict=True):
        matrix[j][k] = matrix[k][j] = value
    return matrix


def identity(d: int) -> Matrix:
    """The identity (d, d)."""
    return [[float(j == k) for k in range(d)] for j in range(d)]


def invert(matrix: Matrix, singular: DataError) -> Matrix:
    """The inverse of a positive definite matrix, by Cholesky's factor L: L^-T L^-1.

    Raises:
        DataError: `singular`, if the matrix is not positive definite, or hardly.
    """
    d = len(matrix)
    lower = [[0.0] * d for _ in range(d)]
    for j in range(d):
        for k in range(j):
            inner = math.fsum(a * b for a, b in zip(lower[j][:k], lower[k][:k], strict=True))
            lower[j][k] = (matrix[j][k] - inner) / lower[k][k]
        pivot = matrix[j][j] - math.fsum(a * a for a in lower[j][:j])
        if not pivot > _SMALLEST_PIVOT * matrix[j][j]:
            raise singular
        lower[j][j] = math.sqrt(pivot)
    below = identity(d)
    for column in range(d):
        for j in range(column, d):
            inner = math.fsum(lower[j][k] * below[k][column] for k in range(column, j))
            below[j][column] = ((1.0 if j == column else 0.0) - inner) / lower[j][j]
    return [[math.fsum(below[i][j] * below[i][k] for i in range(max(j, k), d)) for k in range(d)] for j in range(d)]


def pairs(columns: int) -> tuple[Array, Array]:
    """j and k of the products x_j x_k, j <= k, in their order."""
    return np.triu_indices(columns)
