"""The made-up data of the secure sums are what their tool writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tools import make_clients

DATA = Path(__file__).resolve().parent.parent / "scenarios" / "data"


def test_the_files_are_what_the_tool_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_clients, "DATA", tmp_path)
    make_clients.registry(np.random.default_rng(20))
    make_clients.devices(np.random.default_rng(1000))
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.csv"))
    assert len(made) == 21
    for path in made:
        assert (tmp_path / path).read_text().splitlines()[0] == (DATA / path).read_text().splitlines()[0]
        assert (tmp_path / path).read_text().count("\n") == (DATA / path).read_text().count("\n")
