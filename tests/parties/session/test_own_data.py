"""An owner's own word on where its data are: it wins, is shown and approved, and no scenario leads elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc.errors import UsageError
from parties.report.consent import consent_blocks
from parties.scenario.file import PartySpec, Scenario, SqlSource
from parties.session.own_data import ENDING, apply_own_data
from parties.show.blocks import Grid, Line
from parties.tasks.registry import load_any, load_scenario
from parties.trust.consent import consent_digest
from tests.run.scenarios import write_scenario
from tests.run.sums import write_separate

A, HELPER = "hospital_a", "helper"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    folder.mkdir()
    (tmp_path / "keys").mkdir(mode=0o700)
    (tmp_path / "own.csv").write_text("x")
    return write_scenario(folder)


def here(study: Path, me: str = A, data: Path | None = None, sql: Path | None = None) -> Scenario:
    found = apply_own_data(load_scenario(study), me, study.parent.parent / "keys", data, sql)
    assert isinstance(found, Scenario)
    return found


def said(study: Path, text: str, me: str = A) -> Path:
    path = study.parent.parent / "keys" / f"{me}{ENDING}"
    path.write_text(text)
    return path


def refusal(study: Path, me: str = A, data: Path | None = None, sql: Path | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        here(study, me, data, sql)
    assert caught.value.exit_code == 2 and caught.value.hint
    return caught.value


def spec(scenario: Scenario) -> PartySpec:
    return scenario.parties[A]


def test_command_line_before_file_before_scenario(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agreed = load_scenario(study)
    assert (spec(here(study)).data, here(study).data_from) == ("hospital_a.csv", None)
    path = said(study, 'data = "../own.csv"\nencoding = "latin-1"\ndecimal = ","\n')
    of_file = here(study)
    assert spec(of_file).data == str(path.parent / "../own.csv") and of_file.data_from == str(path)
    assert (spec(of_file).encoding, spec(of_file).decimal) == ("latin-1", ",")
    monkeypatch.chdir(study.parent.parent)
    typed = here(study, data=Path("other.csv"))
    assert spec(typed).data == str(study.parent.parent / "other.csv") and typed.data_from == "--data"
    assert spec(typed).encoding == "latin-1"
    assert spec(here(study, data=Path("other.parquet"))).encoding == "utf-8"
    for one in (of_file, typed):
        assert one.digest == agreed.digest and one.agreement() == agreed.agreement()
        assert consent_digest(one, A) != consent_digest(agreed, A)
    assert consent_digest(of_file, A) != consent_digest(typed, A)


def test_a_database_and_its_query(study: Path, tmp_path: Path) -> None:
    said(study, "data = { database = 'x.duckdb', sql = 'select 1' }")
    assert spec(here(study)).data == SqlSource(database=str(tmp_path / "keys" / "x.duckdb"), sql="select 1")
    query = tmp_path / "q.sql"
    query.write_text("select *\nfrom p")
    found = spec(here(study, data=tmp_path / "y.duckdb", sql=query))
    assert found.data == SqlSource(database=str(tmp_path / "y.duckdb"), sql="select *\nfrom p")


def test_it_is_shown_as_this_partys_own(study: Path) -> None:
    path = said(study, 'data = "/srv/p.csv"\ndecimal = ","\nthousands = "."\n')
    blocks = consent_blocks(here(study), A, {A: "k", "hospital_b": "k", HELPER: "k"})
    rows = [row for block in blocks if isinstance(block, Grid) for row in block.rows]
    assert ("read", "/srv/p.csv") in rows
    assert ("as this party itself says", f"{path}; the scenario has no say in it") in rows
    assert ("written in", "utf-8, decimal ',', thousands '.'") in rows
    assert any(isinstance(block, Line) and block.text == consent_digest(here(study), A) for block in blocks)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("data = 3", "data must be a file's path"),
        ("dato = 'x'", "did you mean 'data'?"),
        ("encoding = 'utf-8'", "needs a value for 'data'"),
        ("data = { database = 'x' }", "needs a value for 'sql'"),
        ("data = 'x.csv'\ndecimal = ','\nthousands = ','", "decimal and thousands are both"),
        ("data = 'x.parquet'\ndecimal = ','", "are not a text file"),
        ("data = ", "is not valid TOML"),
        ("data = 'x.csv'\nsql = 'select 1'", "has no setting 'sql'"),
    ],
)
def test_a_file_that_says_it_wrongly_is_named(study: Path, text: str, says: str) -> None:
    path = said(study, text)
    with pytest.raises(UsageError) as caught:
        here(study)
    assert str(path) in caught.value.message and says in str(caught.value)


def test_others_cannot_change_what_it_says(study: Path) -> None:
    said(study, 'data = "x.csv"').chmod(0o666)
    assert "others than its owner can change" in refusal(study).message


def test_who_has_no_data_names_none_and_a_query_needs_a_database(study: Path, tmp_path: Path) -> None:
    assert (
        "helper has no data of its own, but --data names some" in refusal(study, HELPER, tmp_path / "own.csv").message
    )
    assert "--sql goes with --data" in refusal(study, sql=tmp_path / "own.csv").message
    assert "cannot be read: no such file" in refusal(study, data=tmp_path / "x", sql=tmp_path / "none.sql").message
    (tmp_path / "none.sql").write_text(" \n")
    assert "is empty" in refusal(study, data=tmp_path / "x", sql=tmp_path / "none.sql").message
    said(study, 'data = "x.csv"', HELPER)
    assert "helper has no data of its own" in refusal(study, HELPER).message


@pytest.mark.parametrize(
    "path", ["hospital_a.csv", "./hospital_a.csv", "deep/er/x.csv", "x/../hospital_a.csv", "inner.csv"]
)
def test_what_is_in_its_folder_is_taken(study: Path, path: str) -> None:
    (study.parent / "inner.csv").symlink_to(study.parent / "hospital_a.csv")
    study.write_text(study.read_text().replace('"hospital_a.csv"', f'"{path}"'))
    assert spec(here(study)).data == path


def test_a_client_of_a_sum_says_it_too(tmp_path: Path) -> None:
    path = write_separate(tmp_path)
    loaded, keys = load_any(path), tmp_path / "keys"
    one = apply_own_data(loaded, "c1", keys, tmp_path / "mine.csv")
    assert one.parties["c1"].data == str(tmp_path / "mine.csv") and one.digest == loaded.digest
    assert consent_digest(one, "c1") != consent_digest(loaded, "c1")
    for text in ("data = { database = 'x', sql = 'select 1' }", "data = 'x.csv'\ndecimal = ','"):
        (keys / f"c1{ENDING}").write_text(text)
        with pytest.raises(UsageError, match="the data of a secure sum are a plain file"):
            apply_own_data(loaded, "c1", keys)
    with pytest.raises(UsageError, match="server has no data of its own"):
        apply_own_data(loaded, "server", keys, tmp_path / "mine.csv")
    path.write_text(path.read_text().replace('data = "c2.csv"', 'data = "../c2.csv"'))
    with pytest.raises(UsageError, match="leads out of the study's folder"):
        apply_own_data(load_any(path), "c2", keys)
