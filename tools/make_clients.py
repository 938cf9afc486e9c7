"""Make up the data of the secure sums in scenarios/: no person or device is behind them.

python tools/make_clients.py        rewrite scenarios/data/registry/, scenarios/data/devices.csv and implants.csv
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parent.parent / "scenarios" / "data"
HOSPITALS, DEVICES, CLINICS = 20, 1000, 12


def registry(rng: np.random.Generator) -> None:
    """Patients with a new hip, at hospitals of different size."""
    folder = DATA / "registry"
    folder.mkdir(exist_ok=True)
    for hospital in range(1, HOSPITALS + 1):
        with open(folder / f"hospital_{hospital:02d}.csv", "w", newline="", encoding="ascii") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["age", "days_in_hospital", "infection", "revision"])
            for _ in range(int(rng.integers(20, 90))):
                age = int(np.clip(rng.normal(69, 9), 35, 97))
                days = round(float(np.clip(rng.gamma(4.0, 1.4), 1, 60)), 1)
                rows.writerow([age, days, int(rng.random() < 0.02), int(rng.random() < 0.04)])


def devices(rng: np.random.Generator) -> None:
    """A week of wearable devices: a row a day that the device was worn."""
    with open(DATA / "devices.csv", "w", newline="", encoding="ascii") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["device", "steps", "resting_pulse", "hours_asleep"])
        for device in range(1, DEVICES + 1):
            pulse = rng.normal(64, 8)
            for _ in range(int(rng.integers(2, 8))):
                steps = int(np.clip(rng.gamma(3.0, 2400), 0, 40_000))
                pulse_now = round(float(np.clip(pulse + rng.normal(0, 2), 35, 120)), 1)
                asleep = round(float(np.clip(rng.normal(7.1, 1.1), 0, 14)), 1)
                rows.writerow([f"client_{device:04d}", steps, pulse_now, asleep])


def implants(rng: np.random.Generator) -> None:
    """Patients with one kind of implant, and what became of them: much of it rare, and something that never was."""
    with open(DATA / "implants.csv", "w", newline="", encoding="ascii") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["clinic", "age", "revision", "infection", "fracture", "recall"])
        for clinic in range(1, CLINICS + 1):
            for _ in range(int(rng.integers(15, 60))):
                age = int(np.clip(rng.normal(69, 9), 35, 97))
                revision, infection, fracture = (int(rng.random() < chance) for chance in (0.04, 0.02, 0.006))
                rows.writerow([f"client_{clinic:02d}", age, revision, infection, fracture, 0])


if __name__ == "__main__":
    registry(np.random.default_rng(20))
    devices(np.random.default_rng(1000))
    implants(np.random.default_rng(12))
