"""The made-up data of the secure sums are what their tool writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tools import make_clients, make_hip_registry

DATA = Path(__file__).resolve().parent.parent / "scenarios" / "data"


def test_the_files_are_what_the_tool_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_clients, "DATA", tmp_path)
    make_clients.registry(np.random.default_rng(20))
    make_clients.devices(np.random.default_rng(1000))
    make_clients.implants(np.random.default_rng(12))
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.csv"))
    assert len(made) == 22
    for path in made:
        assert (tmp_path / path).read_text().splitlines()[0] == (DATA / path).read_text().splitlines()[0]
        assert (tmp_path / path).read_text().count("\n") == (DATA / path).read_text().count("\n")


def test_the_hip_registry_is_what_its_tool_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_hip_registry, "DATA", tmp_path)
    for name in make_hip_registry.HOSPITALS:
        make_hip_registry.hospital(name, np.random.default_rng(0))
        made, there = ((folder / f"hips_{name}.csv").read_text().splitlines() for folder in (tmp_path, DATA))
        assert made[0] == there[0] and len(made) == len(there)
