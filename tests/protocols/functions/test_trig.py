"""Sines and cosines of ring elements: right, and the same bits whatever the CPU can do."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from mpc.errors import InternalError
from protocols.functions.trig import harmonic_weights, odd_harmonics, ring_coefficients
from tests.helpers import ROOT, cpu_features

LONG_PI = np.longdouble("3.14159265358979323846264338327950288")
EIGHTH = 1 << 61
EDGES = [0, 1, 2**53 + 1, 2**64 - 1] + [k * EIGHTH + d for k in range(1, 8) for d in (-1, 0, 1)]

# Prints what this process's numpy may use, and digests of our results and of what trig.py must not use.
DIGESTS = """
import hashlib, json
import numpy as np
from numpy._core import _multiarray_umath as build
from protocols.functions.sigmoid_fits import FITS
from protocols.functions.trig import harmonic_weights, odd_harmonics, ring_coefficients
from tests.helpers import cpu_features
ours, planted = hashlib.sha256(), hashlib.sha256()
for fit, rows in zip(FITS, (30, 128, 1500, 7)):
    angles = np.random.default_rng(rows).integers(0, 2**64, rows, dtype=np.uint64)
    waves = odd_harmonics(angles, len(fit.coefficients))
    ours.update(waves.tobytes())
    ours.update(ring_coefficients(waves, harmonic_weights(fit.coefficients, 2.0**40 / 3)).tobytes())
    reals = angles.astype(np.float64) * 2.0**-62
    for forbidden in (np.exp(reals), np.tanh(reals), np.exp(1j * reals) * waves[0, 0]):
        planted.update(forbidden.tobytes())
features = [name for name, on in build.__cpu_features__.items() if on]
print(json.dumps({"features": features, "ours": ours.hexdigest(), "planted": planted.hexdigest()}))
"""


def exact(angles: np.ndarray, count: int) -> np.ndarray:
    """The harmonics through the C library's long double, each angle's multiple reduced in the ring."""
    odd = (2 * np.arange(count) + 1).astype(np.uint64)[:, np.newaxis]
    radians = (angles * odd).view(np.int64).astype(np.longdouble) * (LONG_PI / np.longdouble(2) ** 63)
    return np.stack([np.sin(radians), np.cos(radians)])


@pytest.mark.parametrize("count", [1, 2, 3, 5, 16, 31, 32, 64, 100, 128])
def test_right_at_random_and_at_the_edges(count: int) -> None:
    angles = np.append(
        np.array(EDGES, dtype=np.uint64),
        np.random.default_rng(count).integers(0, 2**64, 2500, dtype=np.uint64),
    )
    waves = odd_harmonics(angles, count)
    assert waves.shape == (2, count, len(angles))
    assert float(np.abs(waves - exact(angles, count)).max()) <= 2e-15


def test_quarter_turns_of_the_first_harmonic_are_exact() -> None:
    waves = odd_harmonics(np.array([0, 1 << 62, 1 << 63, 3 << 62], dtype=np.uint64), 1)
    np.testing.assert_array_equal(waves[:, 0], [[0, 1, 0, -1], [1, 0, -1, 0]])


def test_the_result_depends_on_no_layout_or_company() -> None:
    wide = np.random.default_rng(5).integers(0, 2**64, (40, 6), dtype=np.uint64)
    whole = odd_harmonics(wide, 32)
    assert whole.shape == (2, 32, 40, 6)
    for view in (wide[:, 2], wide[::-3, 1], wide.T[4]):
        np.testing.assert_array_equal(odd_harmonics(view, 32), odd_harmonics(view.copy(), 32))
    np.testing.assert_array_equal(whole[..., 3], odd_harmonics(wide[:, 3], 32))
    np.testing.assert_array_equal(whole[..., 7, 5], odd_harmonics(np.array(wide[7, 5]), 32))
    assert odd_harmonics(wide[:0, 0], 32).shape == (2, 32, 0)


def test_more_angles_than_are_done_at_a_time() -> None:
    angles = np.random.default_rng(6).integers(0, 2**64, 2500, dtype=np.uint64)
    whole = odd_harmonics(angles, 16)
    for part in (slice(0, 700), slice(1000, 1100), slice(2040, 2500)):
        np.testing.assert_array_equal(whole[..., part], odd_harmonics(angles[part], 16))


def test_the_angles_are_left_alone() -> None:
    angles = np.array(EDGES, dtype=np.uint64)
    odd_harmonics(angles, 8)
    assert angles.tolist() == EDGES


def test_ring_coefficients_round_to_the_nearest_and_even() -> None:
    weights = harmonic_weights([0.5, -0.75], 2.0)
    waves = np.array([[0.5, 1.5, -0.5], [1.0, -1.0, 0.1]])
    assert ring_coefficients(waves, weights).view(np.int64).tolist() == [[0, 2, 0], [-2, 2, 0]]


@pytest.mark.parametrize("scale", [2.0**62, -(2.0**62), float("inf"), float("nan")])
def test_weights_that_a_word_cannot_hold_are_refused(scale: float) -> None:
    with pytest.raises(InternalError, match="do not fit"):
        harmonic_weights([0.25, 1.0], scale)


@pytest.mark.parametrize("kind,count", [(np.int64, 4), (np.float64, 4), (np.uint32, 4), (np.uint64, 0)])
def test_other_types_and_no_harmonics_are_refused(kind: type, count: int) -> None:
    with pytest.raises(InternalError, match="needs uint64"):
        odd_harmonics(np.zeros(3, dtype=kind), count)


def run_without(features: list[str]) -> dict:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NPY_")}
    if features:
        environment["NPY_DISABLE_CPU_FEATURES"] = " ".join(features)
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def runs() -> list[dict]:
    """One process with all that this CPU can do, and more with ever less of it."""
    usable = cpu_features()
    if not usable:
        pytest.skip("numpy has no CPU feature here that can be disabled")
    found = [run_without([])]
    for first in reversed(range(len(usable))):
        found.append(run_without(usable[first:]))
        assert not set(usable[first:]) & set(found[-1]["features"])
    return found


def test_the_same_bits_whatever_the_cpu_can_do(runs: list[dict]) -> None:
    assert len({run["ours"] for run in runs}) == 1


def test_what_is_avoided_does_differ(runs: list[dict]) -> None:
    # The reason for all this; and it shows that the processes above did run different instructions.
    if len({run["planted"] for run in runs}) == 1:
        pytest.skip("np.exp and its like give the same bits with every feature that this CPU can lose")
    assert runs[0]["planted"] != runs[-1]["planted"]
