"""A study's cells: every combination with every seed, each a scenario that is what `mpc run` would be given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mpc.errors import UsageError
from parties.cli.sweep_source import source_of
from parties.sweep.settings import read_settings
from parties.sweep.study import Study, read_study
from parties.tasks.registry import load_any
from tests.run.command import ROOT
from tests.run.scenarios import write_scenario
from tests.run.sums import write_sums


def study_of(path: Path, *said: str, repeats: int = 1, compare: bool = True) -> Study:
    return read_study(source_of(str(path), (), None, alone=False), read_settings(said), repeats, compare=compare)


def test_all_combinations_come_once_before_any_comes_again(tmp_path: Path) -> None:
    study = study_of(write_scenario(tmp_path), "task.l2=0,1", "task.epochs=1,2", repeats=2)
    values = [(*cell.values.values(), cell.seed) for cell in study.cells]
    assert values == [(l2, epochs, seed) for seed in (3, 4) for l2 in (0, 1) for epochs in (1, 2)]
    assert len({cell.name for cell in study.cells}) == 8
    assert study.processes == 3


def test_a_cells_file_is_the_scenario_with_its_settings(tmp_path: Path) -> None:
    """As one edited by hand has them, from another folder, on the same data."""
    path = write_scenario(tmp_path)
    cell = study_of(path, "task.l2=0.5", "network.latency_ms=7", repeats=2).cells[1]
    own = tmp_path / "elsewhere" / "cell.toml"
    own.parent.mkdir()
    own.write_text(cell.text)
    by_hand = tmp_path / "by_hand.toml"
    text = re.sub(r"^seed = 3$", "seed = 4", path.read_text(), flags=re.MULTILINE)
    by_hand.write_text(text.replace("[task]", "[network]\nlatency_ms = 7\n[task]\nl2 = 0.5"))
    mine, theirs = load_any(own), load_any(by_hand)
    assert mine.digest == theirs.digest == cell.digest
    data = [one.directory / str(one.parties["hospital_b"].data) for one in (mine, theirs)]
    assert data[0].read_bytes() == data[1].read_bytes()


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        ("task.epoch=1", "with task.epoch = 1: .*has no setting 'epoch'", "did you mean 'epochs'?"),
        ("network.latency=1", "has no setting 'latency'", "did you mean 'latency_ms'?"),
        ("netwrok.latency_ms=1", "has no setting 'netwrok'", "did you mean 'network'?"),
        ("task.solver=sgd,nwton", "with task.solver = nwton: ", 'did you mean "newton"?'),
        ("task.epochs=1,none", "with task.epochs = none: .*epochs must be a whole number", ""),
        ("l2=1", "has no setting 'l2'", "'l2' belongs in [task]"),
        ("parties.hospital_a.role=helper", "helper", None),
    ],
)
def test_what_makes_no_scenario_is_refused(tmp_path: Path, said: str, message: str, hint: str | None) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        study_of(write_scenario(tmp_path), said)
    assert hint is None or caught.value.hint == hint


def test_too_many_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="10,001 runs"):
        study_of(write_scenario(tmp_path), repeats=10_001)


def test_shares_of_a_model_have_one_place(tmp_path: Path) -> None:
    path = write_scenario(tmp_path, reveal=["metrics"], solver="newton")
    path.write_text(path.read_text().replace('data = "hospital_a.csv"', 'data = "hospital_a.csv"\nmodel = "a.share"'))
    with pytest.raises(UsageError, match=r"\[parties.hospital_a\] has model"):
        study_of(path)


def test_a_sum_has_no_seed_and_its_clients_data_are_found(tmp_path: Path) -> None:
    study = study_of(write_sums(tmp_path), "task.decimals=1,2", repeats=2)
    assert {cell.seed for cell in study.cells} == {None}
    assert study.cells[0].digest == study.cells[2].digest != study.cells[1].digest
    assert study.data


def digests(path: Path, **other: Any) -> str:
    return study_of(path, "task.l2=0,1", **other).digest


def test_the_digest_tells_whether_records_may_stand_together(tmp_path: Path) -> None:
    """More repeats are the same study; other settings, another comparison, other data are not."""
    path = write_scenario(tmp_path)
    first = digests(path)
    assert digests(path, repeats=3) == first
    assert digests(path, compare=False) != first
    assert study_of(path, "task.l2=0,2").digest != first
    data = tmp_path / "hospital_a.csv"
    before = data.read_text()
    data.write_text(before.replace("hospital_a0,", "hospital_a00,"))
    assert digests(path) != first
    data.write_text(before)
    assert digests(path) == first
    path.write_text(path.read_text() + "[session]\ndeadline = 50\n")
    assert digests(path) != first


def test_each_repeat_of_federated_learning_has_its_seed() -> None:
    study = study_of(ROOT / "scenarios" / "federated.toml", "task.method=fedavg,fedprox", repeats=2)
    assert [(one.values["task.method"], one.seed) for one in study.cells] == [
        (method, seed) for seed in (1, 2) for method in ("fedavg", "fedprox")
    ]
    assert len({one.digest for one in study.cells}) == 4
