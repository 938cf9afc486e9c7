"""Two small made-up tables, to try `mpc new` without data: the same numbers on every machine."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mpc.errors import UsageError
from parties.base.bugs import reason_of

ROWS: Final = {"made_up_a.csv": 140, "made_up_b.csv": 110}
TARGET: Final = "readmitted"
IDENTIFIER: Final = "patient"
_SEED: Final = 1736


def write_example(folder: Path) -> list[Path]:
    """Write the two CSV files into an existing folder; returns their paths.

    Raises:
        UsageError: one of them is there already, or cannot be written.
    """
    there = next((folder / name for name in ROWS if (folder / name).exists()), None)
    if there is not None:
        raise UsageError(f"{there} is there already", "name it with --data, or name another folder")
    paths = []
    for place, (name, rows) in enumerate(ROWS.items()):
        try:
            with (folder / name).open("x", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows(_table(place, rows))
        except OSError as error:
            raise UsageError(f"{folder / name} cannot be written: {reason_of(error)}") from None
        paths.append(folder / name)
    return paths


def _table(place: int, rows: int) -> list[list[str]]:
    # random.Random().random() gives the same numbers in every version of Python.
    chance = random.Random(_SEED + place).random
    return [
        [IDENTIFIER, "age", "bmi", "systolic_pressure", "days_in_hospital", TARGET],
        *([f"{'AB'[place]}{number:03d}", *_patient(chance, place)] for number in range(1, rows + 1)),
    ]


def _patient(chance: Callable[[], float], place: int) -> list[str]:
    """One patient; those of the second table are younger and leave earlier."""
    age = round(_around(chance, 68 - 8 * place, 11))
    bmi = round(_around(chance, 26.5, 4), 1)
    pressure = round(_around(chance, 128, 16) + 0.3 * (age - 60))
    days = max(1, round(_around(chance, 7 - 2 * place, 3)))
    risk = 0.05 * (age - 62) + 0.08 * (bmi - 26) + 0.02 * (pressure - 130) + 0.35 * (days - 6) - 0.3
    return [str(age), str(bmi), str(pressure), str(days), str(int(risk + _around(chance, 0, 1.2) > 0))]


def _around(chance: Callable[[], float], middle: float, spread: float) -> float:
    """A number like one of a normal distribution, from sums only: no rounding that differs between machines."""
    return middle + spread * (sum(chance() for _ in range(12)) - 6.0)
