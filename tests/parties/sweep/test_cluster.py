"""A Dask cluster: the same table as here, to the digit; and what is said where there is none."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mpc.errors import UsageError
from parties.processes.party import cluster
from tests.run.command import mpc
from tests.run.scenarios import write_scenario

TIMES = ("seconds", "seconds online")


def test_without_the_package_it_is_refused_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match="needs the package distributed") as caught, cluster.connect("tcp://x:1"):
        pass
    assert "beaverlodge[dask]" in caught.value.hint


def test_where_no_scheduler_answers_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "CONNECT_TIMEOUT", 0.2)
    with pytest.raises(UsageError, match="no Dask scheduler answers"), cluster.connect("tcp://127.0.0.1:9"):
        pass


def rows(out: Path) -> list[Any]:
    found = json.loads((out / "sweep.json").read_text())
    return [
        (row["settings"], {name: one for name, one in row["figures"].items() if name not in TIMES})
        for row in found["table"]
    ]


@pytest.mark.sweep
def test_the_table_is_the_same_as_here(tmp_path: Path) -> None:
    """And so is what failed, to its code."""
    local_cluster = pytest.importorskip("distributed").LocalCluster
    path = write_scenario(tmp_path)
    words = ("--set", "task.l2=0,1", "--set", "testing.insecure_seed=5", "--repeats", "2")
    here, there, failing = tmp_path / "here", tmp_path / "there", tmp_path / "failing"
    assert mpc("sweep", path, *words, "--out", here).code == 0
    with local_cluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as local:
        ran = mpc("sweep", path, *words, "--out", there, "--dask", local.scheduler_address, new=True)
        assert ran.code == 0, ran.err
        failed = ("--set", "task.target=outcome,years", "--out", failing)
        ran = mpc("sweep", path, *failed, "--dask", local.scheduler_address, new=True)
        assert ran.code == 9, ran.err
    assert rows(there) == rows(here)
    assert (there / "cells" / "002-1" / "report.html").exists()
    errors = [run["error"] for run in json.loads((failing / "sweep.json").read_text())["runs"]]
    assert [None if one is None else one["code"] for one in errors] == [None, "data"]
