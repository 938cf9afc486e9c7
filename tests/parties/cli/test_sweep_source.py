"""What `mpc sweep` is given: a scenario or a protocol; what does not go together is said before anything is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc.errors import UsageError
from parties.cli.sweep_source import source_of
from parties.sweep.settings import read_settings
from parties.sweep.study import Study, read_study
from tests.run.scenarios import write_scenario

PROTOCOL = """
async def same(p, x):
    (opened,) = await p.reveal(x[0], what="one", why="a test", label="one")
    return opened


async def total_client(me, x):
    await me.send(x, label="numbers")


async def total_server(s):
    got = await s.gather("numbers", size=16, sees="its numbers")
    return s.reveal(len(got), what="clients", why="a test")


async def looks(p, x):
    if x[0] > 0:
        return 1
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(PROTOCOL)


def study_of(named: str, *said: str, inputs: tuple[str, ...] = ("reals:2",), program: str | None = None) -> Study:
    return read_study(source_of(named, inputs, program, alone=False), read_settings(said), 1, compare=True)


def test_each_number_of_owners_is_a_scenario_of_its_own() -> None:
    study = study_of("own.py:same", "owners=2,4", "network.latency_ms=3")
    assert [text.count('role = "owner"') for text in (cell.text for cell in study.cells)] == [2, 4]
    assert all("latency_ms = 3" in cell.text for cell in study.cells)
    assert study.program is not None and study.program.function == "same"
    assert study.processes == 5


def test_each_number_of_clients_is_a_scenario_of_its_own() -> None:
    study = study_of("own.py:total", "clients=3,40", "network.latency_ms=3")
    assert ["count = 3\n" in cell.text for cell in study.cells] == [True, False]
    assert all('kind = "star_program"' in cell.text and "latency_ms = 3" in cell.text for cell in study.cells)
    assert study.program is not None and study.program.function == "total"
    assert study.processes == 3 and not study.insecure
    assert study_of("own.py:total", "clients=3", "testing.insecure_seed=1").insecure


def test_another_text_of_the_protocol_is_another_study() -> None:
    first = study_of("own.py:same").digest
    Path("own.py").write_text(PROTOCOL + "# changed")
    assert study_of("own.py:same").digest != first


@pytest.mark.parametrize(
    ("named", "said", "words"),
    [
        ("own.py:same", "owners=1", "--set owners = 1 is no number of owners"),
        ("own.py:same", "owners=two", "--set owners = two is no number"),
        ("own.py:same", "task.input=1", "with task.input = 1: .*no setting 'input'"),
        ("own.py:total", "owners=2", "nothing says how many clients there are"),
        ("own.py:total", "clients=many", "--set clients is no number of them"),
        ("own.py:sum", "owners=2", "no async function 'sum'"),
        ("own.py:looks", "owners=2,3", "with owners = 2: own.py, line 17, while it was planned"),
        ("none.py:same", "owners=2", "no file none.py"),
    ],
)
def test_what_cannot_be_run_is_refused(named: str, said: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        study_of(named, said)


def test_options_that_do_not_go_together_are_refused() -> None:
    path = str(write_scenario(Path.cwd()))
    with pytest.raises(UsageError, match="--input is for a protocol"):
        study_of(path)
    with pytest.raises(UsageError, match='--program is for kind = "program"'):
        study_of(path, inputs=(), program="own.py:same")
    with pytest.raises(UsageError, match="--program is for a scenario file"):
        study_of("own.py:same", program="own.py:same")


def test_a_scenario_of_a_program_needs_one() -> None:
    study = study_of("own.py:same")
    Path("study.toml").write_text(study.cells[0].text)
    with pytest.raises(UsageError, match="runs a protocol that whoever takes part names"):
        study_of("study.toml", inputs=())
    assert study_of("study.toml", inputs=(), program="own.py:same").cells[0].digest == study.cells[0].digest


def test_a_protocol_for_a_cluster_is_one_file() -> None:
    """A worker gets nothing else."""
    Path("own.py").write_text("import beside\n" + PROTOCOL)
    with pytest.raises(UsageError, match="imports beside"):
        source_of("own.py:same", ("reals:2",), None, alone=True)
