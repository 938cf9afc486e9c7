"""What `mpc party` makes of a malicious partner's scenario, one by one: shown or refused, in a sentence, at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import duckdb
import pytest

from parties import take_part
from parties.any_scenario import load_any
from parties.cli import carry_out
from parties.consent import consent_digest
from tests.parties.hostile_scenarios import ASKED, SCENARIOS, Hostile
from tests.run.test_party import separate

ADDED = "[session]\nconnect_timeout = 0.2\n"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scenario for three machines, with keys, in a folder with a database, a pipe and links that lead out."""
    home = tmp_path_factory.mktemp("home")
    folder = home / "study"
    folder.mkdir()
    path = separate(folder)
    (home / "secret.csv").write_text((folder / "hospital_a.csv").read_text())
    (folder / "link.csv").symlink_to(home / "secret.csv")
    (folder / "away").symlink_to(home)
    os.mkfifo(folder / "pipe.csv")
    with duckdb.connect(str(folder / "x.duckdb")) as connection:
        connection.execute("create table p as select 1 as a")
        connection.execute("create view v as select content as a from read_text('/etc/hostname')")
    return path


def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["mpc", *map(str, words)])
    code = carry_out()
    out, err = capfd.readouterr()
    return code, out, err


@pytest.mark.parametrize("one", SCENARIOS, ids=[one.what for one in SCENARIOS])
def test_it_ends_in_a_sentence_and_reaches_nothing(
    study: Path, one: Hostile, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder, home = study.parent, study.parent.parent
    path = folder / "hostile.toml"
    text = study.read_text()
    path.write_text(one.text(text if "[session]" in str(one.changes) else text + ADDED, folder, home))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(take_part, "_LINGER", 0.0)
    before = {entry for entry in home.rglob("*") if "keys" not in entry.parts}
    words = ("party", path, "--as", "hospital_a", "--keys", folder / "keys", "--out", tmp_path / "out")
    code, out, err = run(monkeypatch, capfd, *words)
    code_expected, says = one.ends
    said = " ".join(err.split())
    assert code == code_expected and any(each in said for each in says.split("|")), (code, err)
    if says == ASKED:
        shown = " ".join(out.split())
        assert "what hospital_a is asked to take part in. Nothing has been opened or sent." in shown
        assert all(" ".join(words.split()) in shown for words in one.shows), out
    else:
        assert out == "" and one.approved is None
    if one.approved is not None:
        digest = consent_digest(load_any(path), "hospital_a")
        code, out, err = run(monkeypatch, capfd, *words, "--approve", digest)
        assert code == one.approved[0] and one.approved[1] in " ".join(err.split()), (code, err)
    for line in (out + err).split("\n"):
        assert line.isprintable(), ascii(line)
    assert "Traceback" not in err and "secret" not in {entry.stem for entry in tmp_path.rglob("*")}
    assert {entry for entry in home.rglob("*") if "keys" not in entry.parts} == before


def test_there_are_sixty_of_them_for_every_place_where_a_files_text_is_used() -> None:
    assert len(SCENARIOS) >= 60
    assert len({one.what for one in SCENARIOS}) == len(SCENARIOS)
