"""Sums of waves: compiled for any processor and by numpy, the same words."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.functions import waves
from protocols.functions.sigmoid_fits import FITS
from protocols.functions.trig import harmonic_weights, odd_harmonics
from protocols.functions.waves import scaled_by_numpy, scaled_waves, sums_by_numpy, wave_sums
from tests.examples import steady
from tests.helpers import ROOT

SOURCE = ROOT / "protocols" / "functions" / "wave_sums.c"
HEADERS = ROOT / "mpc" / "ring"
EDGES = [0, 1, 2**64 - 1, *(k * 2**61 + d for k in range(1, 8) for d in (-1, 0, 1))]
# What a processor can do, and how its name is for the compiler.
PROCESSORS = {"sse2": "x86-64", "avx2": "x86-64-v3", "avx512bw": "x86-64-v4"}

needs_compiled = pytest.mark.skipif(not waves.COMPILED, reason="no C compiler with Python's headers was here")


def some(seed: int, size: int, count: int, bits: float | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Angles (size,), edges among them; waves (2 count, size); weights (2, count) at a scale of so many bits."""
    rng = np.random.default_rng(seed)
    angles = rng.integers(0, 2**64, size, dtype=np.uint64)
    edges = np.array(EDGES, dtype=np.uint64)[: size // 2]
    angles[: edges.size] = edges
    shares = rng.integers(0, 2**64, (2 * count, size), dtype=np.uint64)
    weights = rng.uniform(-1, 1, (2, count)) * 2.0 ** (rng.integers(0, 49) if bits is None else bits)
    return angles, shares, np.stack([harmonic_weights(row.tolist(), 1.0) for row in weights])


def compiler() -> str | None:
    """The C compiler that Python extensions are built with here, if it and Python's headers are."""
    command = str(sysconfig.get_config_var("CC") or "cc").split()[0]
    found = shutil.which(command) is not None and Path(sysconfig.get_path("include"), "Python.h").exists()
    return command if found else None


def built(folder: Path, *flags: str) -> Any:
    """wave_sums.c built with other flags, as a module of its own."""
    command = compiler()
    if command is None:
        pytest.skip("no C compiler with Python's headers is here")
    module = folder / f"_wave_sums{len(list(folder.iterdir()))}.so"
    include = [f"-I{folder}" for folder in (sysconfig.get_path("include"), HEADERS)]
    arguments = [command, "-shared", "-fPIC", "-DONE_CPU", *flags, *include, str(SOURCE), "-o", str(module)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    spec = spec_from_file_location("_wave_sums", module)
    assert spec is not None and spec.loader is not None
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@needs_compiled
@steady(60)
@given(seed=st.integers(0, 10**6), size=st.integers(0, 70), count=st.integers(1, 130), first=st.booleans())
def test_compiled_and_numpy_give_the_same_words(seed: int, size: int, count: int, first: bool) -> None:
    angles, shares, weights = some(seed, size, count)
    np.testing.assert_array_equal(
        wave_sums(angles, shares, weights, cosines_first=first),
        sums_by_numpy(angles, shares, weights, cosines_first=first),
    )
    np.testing.assert_array_equal(
        scaled_waves(angles, weights, cosines_first=first), scaled_by_numpy(angles, weights, cosines_first=first)
    )


@needs_compiled
@pytest.mark.parametrize("fit", FITS, ids=lambda fit: f"reach{fit.reach:g}")
def test_the_same_words_for_every_fit_at_many_angles(fit: Any) -> None:
    angles, shares, _ = some(5, 3000, len(fit.coefficients))
    half = harmonic_weights(fit.coefficients, 2.0**35 / 128)  # as in a training
    weights = np.stack((half, -half))
    np.testing.assert_array_equal(wave_sums(angles, shares, weights), sums_by_numpy(angles, shares, weights))


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("way", [wave_sums, sums_by_numpy])
def test_the_sum_is_that_of_the_rounded_waves(way: Any, first: bool) -> None:
    angles, shares, weights = some(3, 37, 12)
    waves = odd_harmonics(angles, 12)[:: -1 if first else 1]
    rounded = np.rint(waves * weights[..., np.newaxis]).astype(np.int64).reshape(24, -1)
    expected = [
        sum(int(r) * int(s) for r, s in zip(rounded[:, i], shares[:, i], strict=True)) % 2**64 for i in range(37)
    ]
    assert way(angles, shares, weights, cosines_first=first).tolist() == expected
    np.testing.assert_array_equal(scaled_waves(angles, weights, cosines_first=first).view(np.int64), rounded)


@pytest.mark.parametrize("flags", [("-O0",), *((f"-march={name}", "-O3") for name in PROCESSORS.values())], ids=str)
def test_the_same_words_from_any_processors_instructions(tmp_path: Path, flags: tuple[str, ...]) -> None:
    if platform.machine() != "x86_64" and flags != ("-O0",):
        pytest.skip("these processors' instructions are not this one's")
    wanted = {f"-march={name}": feature for feature, name in PROCESSORS.items()}.get(flags[0], "")
    if wanted and wanted not in Path("/proc/cpuinfo").read_text(encoding="utf-8").split():
        pytest.skip(f"this processor has no {wanted}")
    module = built(tmp_path, *flags, "-ffp-contract=off")
    angles, shares, weights = some(7, 1000, 32, bits=49)
    out = np.empty(1000, dtype=np.uint64)
    module.sums(angles, shares, weights, out, False)
    np.testing.assert_array_equal(out, sums_by_numpy(angles, shares, weights))
    assert waves.COMPILED  # where this could be built, so could what is installed


def test_sums_that_are_rounded_once_with_their_product_do_differ(tmp_path: Path) -> None:
    # What -ffp-contract=off is for; and it shows that the comparison above could fail.
    if platform.machine() != "x86_64" or "fma" not in Path("/proc/cpuinfo").read_text(encoding="utf-8").split():
        pytest.skip("this processor has no instruction for a product and a sum")
    module = built(tmp_path, "-O3", "-march=x86-64-v3", "-ffp-contract=fast")
    angles, shares, weights = some(7, 1000, 32, bits=49)
    out = np.empty(1000, dtype=np.uint64)
    module.sums(angles, shares, weights, out, False)
    assert (out != sums_by_numpy(angles, shares, weights)).any()


@needs_compiled
def test_arrays_of_any_order_and_at_any_address() -> None:
    angles, shares, weights = some(2, 50, 9)
    expected = sums_by_numpy(angles, shares, weights)
    odd = np.frombuffer(b"x" + shares.tobytes(), dtype=np.uint8)[1:].view(np.uint64).reshape(shares.shape)
    assert not odd.flags.aligned
    np.testing.assert_array_equal(wave_sums(angles, odd, weights), expected)
    np.testing.assert_array_equal(wave_sums(angles, np.asfortranarray(shares), weights), expected)
    np.testing.assert_array_equal(wave_sums(np.repeat(angles, 2)[::2], shares, weights), expected)


@needs_compiled
@pytest.mark.parametrize(
    "sizes", [(8, 31, 2, 8), (8, 32, 2, 7), (8, 32, 2, 9), (8, 0, 0, 8), (9, 32, 2, 9), (8, 8 * 2048, 1024, 8)], ids=str
)
def test_arrays_that_do_not_fit_are_refused(sizes: tuple[int, int, int, int]) -> None:
    from protocols.functions import _wave_sums

    angles, shares, count, out = sizes
    with pytest.raises(ValueError, match=r"do not fit|1023"):
        _wave_sums.sums(
            np.zeros(angles, dtype=np.uint64),
            np.zeros(shares, dtype=np.uint64),
            np.zeros((2, count)),
            np.zeros(out, dtype=np.uint64),
            False,
        )


@needs_compiled
def test_a_result_that_cannot_be_written_is_refused() -> None:
    from protocols.functions import _wave_sums

    out = np.zeros((4, 8), dtype=np.uint64)
    out.flags.writeable = False
    with pytest.raises((BufferError, ValueError, TypeError), match=r"read-?only|writ"):
        _wave_sums.scaled(np.zeros(8, dtype=np.uint64), np.zeros((2, 2)), out, False)
    assert sys.getrefcount(out) <= 3  # and nothing holds on to it
