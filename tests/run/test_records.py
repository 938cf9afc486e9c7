"""A run's folder: for its user alone, for one run alone, and what of a run is printed, by the command."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.run.apart import PARTIES, party, separate
from tests.run.command import LONG, MPC, Ran, Running, approving, ends_of, environment, mpc, record
from tests.run.scenarios import write_scenario
from tests.run.sums import write_rounds, write_sums

KEYS = {"time", "level", "party", "text"}


def contents(folder: Path) -> dict[str, bytes]:
    """Each file in a folder, with its bytes."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def modes(folder: Path) -> dict[str, str]:
    """The rights of a folder and of all in it."""
    return {path.name: f"{path.stat().st_mode & 0o777:o}" for path in (folder, *folder.iterdir())}


def open_to_all(command: str, folder: Path) -> None:
    """Do a command in a shell whose new files anybody could read and write."""
    words = ["bash", "-c", f"umask 0; {command}"]
    done = subprocess.run(
        words,
        cwd=folder,
        env=environment({"MPC": " ".join(MPC)}),
        capture_output=True,
        text=True,
        timeout=LONG,
    )
    assert done.returncode == 0, done.stderr


def approved(folder: Path, *more: str, **task: object) -> dict[str, Ran]:
    """A run of three parties, each approved at its start."""
    scenario = separate(folder, **task)
    words = {name: [*approving(scenario, name), *more] for name in PARTIES}
    runs = {name: Running(*party(scenario, name, "--out", folder / name, *words[name])) for name in PARTIES}
    return ends_of(runs)


def test_a_folder_that_was_used_is_never_written_into(tmp_path: Path) -> None:
    scenario, out = write_scenario(tmp_path), tmp_path / "out"
    first = mpc("run", scenario, "--out", out, "--no-compare")
    assert first.code == 0, first.err
    before = contents(out)
    (tmp_path / "sums").mkdir()
    sums = write_sums(tmp_path / "sums")
    for words in (
        ("run", scenario, "--out", out),
        ("run", sums, "--out", out),
        ("party", scenario, "--as", "hospital_a", "--out", out),
        ("party", sums, "--as", "server", "--out", out),
    ):
        ran = mpc(*words)
        assert ran.code == 2, ran.err
        assert f"mpc: the folder {out} holds the record of another run, which is never written over" in ran.err
        assert ran.out == ""
        assert contents(out) == before
    assert mpc("report", out).code == 0
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").touch()
    ran = mpc("run", scenario, "--out", tmp_path / "notes")
    assert ran.code == 2 and "is not empty: it holds mine.txt" in ran.err
    assert list((tmp_path / "notes").iterdir()) == [tmp_path / "notes" / "mine.txt"]


def test_all_in_a_folder_is_for_its_user_alone(tmp_path: Path) -> None:
    write_scenario(tmp_path)
    open_to_all("$MPC run small.toml --no-compare && mv runs/* out", tmp_path)
    private = dict.fromkeys(("result.json", "report.html", *(f"{name}.log" for name in PARTIES)), "600")
    assert modes(tmp_path / "out") == {"out": "700", **private}
    open_to_all("rm out/report.html; $MPC report out", tmp_path)
    assert modes(tmp_path / "out") == {"out": "700", **private}


def test_all_in_a_folder_of_sums_is_for_its_user_alone(tmp_path: Path) -> None:
    write_rounds(tmp_path).rename(tmp_path / "sums.toml")
    open_to_all("$MPC run sums.toml --out deep/out", tmp_path)
    found = modes(tmp_path / "deep" / "out")
    assert {"result.json", "report.html", "round_1.json", "server.log"} <= found.keys()
    assert found.pop("out") == "700" and set(found.values()) == {"600"}


def test_a_partys_folder_is_for_its_user_alone(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    words = {name: f"--as {name} --out {name} {' '.join(approving(scenario, name))}" for name in PARTIES}
    each = " & ".join(f"$MPC party small.toml {words[name]}" for name in PARTIES)
    open_to_all(f"{each} & wait", tmp_path)
    for name in PARTIES:
        found = modes(tmp_path / name)
        assert found.pop(name) == "700" and set(found.values()) == {"600"}, found
        assert record(tmp_path / name)["status"] == "ok"
    found = modes(tmp_path / "keys")
    assert found.pop("keys") == "700" and set(found.values()) == {"600"}, found


def numbers(fields: Mapping[str, object]) -> list[str]:
    """The first digits of every weight and metric in a record."""
    text = json.dumps([fields["model"], fields["metrics"]])
    return [found[:5] for found in re.findall(r"\d+\.\d{3,}", text)]


def test_a_quiet_run_prints_nothing_of_its_result(tmp_path: Path) -> None:
    scenario, out = write_scenario(tmp_path), tmp_path / "out"
    ran = mpc("run", scenario, "--out", out, "--quiet")
    assert (ran.code, ran.out, ran.err) == (0, f"small: done. Record: {out / 'result.json'}\n", "")
    assert len(numbers(record(out))) > 10
    refused = mpc("run", tmp_path / "absent.toml", "--quiet")
    assert refused.code == 2 and "absent.toml" in refused.err


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_quiet_party_prints_nothing_of_its_result(tmp_path: Path, form: str) -> None:
    ran = approved(tmp_path, "--quiet", "--log-format", form)["hospital_a"]
    assert ran.code == 0, ran.err
    said = ran.out + ran.err
    last = ran.out.splitlines()[-1]
    text = json.loads(last)["text"] if form == "json" else last
    assert text == f"small: done. Record: {tmp_path / 'hospital_a' / 'result.json'}"
    results = numbers(record(tmp_path / "hospital_a"))
    assert len(results) > 10 and not [number for number in results if number in said]
    assert "trained" not in said and "training" not in ran.err


def test_with_json_all_that_is_printed_is_an_object_a_line(tmp_path: Path) -> None:
    for name, ran in approved(tmp_path, "--log-format", "json").items():
        assert ran.code == 0, ran.err
        out, err = (list(map(json.loads, text.splitlines())) for text in (ran.out, ran.err))
        assert all(one.keys() >= KEYS and one["party"] == name for one in out + err)
        assert {one["text"] for one in err} >= {"data", "connecting", "done"}
        texts = [one["text"] for one in out]
        assert f"small: what {name} is asked to take part in. Nothing has been opened or sent." in texts
        assert any(text.startswith("small: done. 1 owner") or "helper" in text for text in texts)
        tables = {one["text"]: one for one in out if "rows" in one}
        assert tables["Who takes part"]["columns"][0] == "party"
        assert [row[0] for row in tables["Who takes part"]["rows"]] == list(PARTIES)
        log = (tmp_path / name / f"{name}.log").read_text().splitlines()
        assert all(json.loads(line).keys() == KEYS for line in log)


def test_with_json_an_error_is_an_object_too(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    form = ("--log-format", "json")
    unapproved = mpc(*party(scenario, "hospital_a", *form))
    scenario.write_text(scenario.read_text() + "[session]\nconnect_timeout = 0.3\n")
    alone = mpc(*party(scenario, "hospital_a", *form, *approving(scenario, "hospital_a")))
    scenario.write_text(scenario.read_text().replace("seed = 3", "sed = 3").replace("epochs", "epoch"))
    wrong = mpc(*party(scenario, "hospital_a", *form))
    errors = [json.loads((ran.out + ran.err).splitlines()[-1]) for ran in (unapproved, alone, wrong)]
    assert [ran.code for ran in (unapproved, alone, wrong)] == [2, 4, 2]
    assert [one["code"] for one in errors] == ["usage", "peer-lost", "usage"]
    for words, one in zip(("has not approved", "hospital_b", "2 problems"), errors, strict=True):
        assert one.keys() == KEYS | {"code", "hint", "points"}
        assert (one["level"], one["party"]) == ("error", "hospital_a") and words in one["text"]
    assert [len(one["points"]) for one in errors] == [0, 0, 2]
    for ran in (unapproved, alone, wrong):
        assert all(json.loads(line).keys() >= KEYS for line in (ran.out + ran.err).splitlines())
