"""What surrounds a command is not as it should be: closed streams, a full disk, names that only look right."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

import pytest

from tests.run.command import MPC, environment, mpc, record
from tests.run.mistakes import same_data, scenario, write_folder
from tests.run.scenarios import write_scenario

SMALLEST = 4096
"""More than the first, empty record takes, and less than a whole one."""


def shell(line: str, here: Path) -> subprocess.CompletedProcess[str]:
    """A line of a shell in which $MPC is the command."""
    words = ["bash", "-c", line]
    known = environment({"MPC": " ".join(MPC)})
    return subprocess.run(words, cwd=here, env=known, capture_output=True, text=True, timeout=60)


def with_room_for(size: int, here: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """A run in which no file can be longer than this."""
    return subprocess.run(
        [*MPC, "run", "small.toml", "--out", "record", *more],
        cwd=here,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )


@pytest.mark.parametrize("closed", ["1>&-", "0<&- 1>&- 2>&-"])
def test_closed_streams_lead_nowhere(tmp_path: Path, closed: str) -> None:
    """As those of a service may be: no file that is opened then is taken for one of them."""
    write_folder(tmp_path)
    ran = shell(f"$MPC plan small.toml {closed}", tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stdout.startswith("small: the plan.") == ("1" not in closed)


def test_a_run_whose_output_is_closed_leaves_its_record(tmp_path: Path) -> None:
    write_folder(tmp_path)
    assert shell("$MPC run small.toml --out record --no-compare 0<&- 1>&- 2>&-", tmp_path).returncode == 0
    assert record(tmp_path / "record")["status"] == "ok"


def test_no_room_for_the_output(tmp_path: Path) -> None:
    write_folder(tmp_path)
    ran = shell("$MPC plan small.toml > /dev/full", tmp_path)
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[0] == "mpc: no room for what is written: no space left on device"
    assert len(ran.stderr.splitlines()) == 2
    assert shell("$MPC plan nothing.toml 2> /dev/full", tmp_path).returncode == 2


def test_no_room_for_the_record(tmp_path: Path) -> None:
    """What stands there then says that the run did not finish."""
    write_folder(tmp_path)
    ran = with_room_for(SMALLEST, tmp_path)
    assert ran.returncode == 8, ran.stderr
    said = "mpc: the run is done, but its record could not be written: record/result.json cannot be written: File too"
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "together (this run)" in ran.stdout and "result.json" not in ran.stdout
    assert record(tmp_path / "record")["error"]["message"] == "did not finish"


def test_no_room_for_the_record_of_a_quiet_run(tmp_path: Path) -> None:
    write_folder(tmp_path)
    ran = with_room_for(SMALLEST, tmp_path, "--quiet")
    assert (ran.returncode, ran.stdout) == (8, "small: done.\n"), ran.stderr
    assert "with --quiet, nothing is" in ran.stderr


def test_no_room_for_an_owners_share(tmp_path: Path) -> None:
    """A share of a model is all that is left of its training."""
    write_scenario(tmp_path, reveal=["metrics"])
    ran = with_room_for(800, tmp_path)
    assert ran.returncode == 8, ran.stderr
    assert "mpc: the run is done, but not kept: record/hospital_" in ran.stderr
    assert ".share cannot be written: File too large" in ran.stderr
    assert record(tmp_path / "record")["status"] == "failed"


def test_no_room_for_the_summary(tmp_path: Path) -> None:
    write_folder(tmp_path)
    ran = shell("$MPC run small.toml --out record --no-compare > /dev/full", tmp_path)
    assert ran.returncode == 8
    *_, said, hint = ran.stderr.splitlines()
    assert said.startswith(
        "mpc: the run is done and its record is in record, but its summary could not be printed: no space"
    )
    assert hint == "     `mpc report record` prints it"
    assert record(tmp_path / "record")["status"] == "ok"


def test_two_owners_of_one_file_are_told(tmp_path: Path) -> None:
    write_folder(tmp_path)
    told = "hospital_a and hospital_b have the same data (hospital_b.csv): each row counts twice"
    same_data()(tmp_path)
    scenario(('data = "hospital_b.csv"', 'data = "./hospital_b.csv"'))(tmp_path)
    ran = mpc("run", "small.toml", "--out", "record", "--no-compare", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert told in ran.err


def test_a_roster_that_is_over_is_signed_with_a_word(tmp_path: Path) -> None:
    key = mpc("keygen", "admin", cwd=tmp_path).out
    for until, said in (("2020-01-01", True), ("2999-01-01", False)):
        (tmp_path / "r.toml").write_text(f"schema = 1\nvalid_until = {until}\n[parties.admin]\n{key}")
        ran = mpc("roster", "sign", "r.toml", "--as", "admin", cwd=tmp_path)
        assert ran.code == 0
        assert ("was valid until 2020-01-01: no party will take it" in ran.err) == said


def test_a_name_that_no_scenario_takes(tmp_path: Path) -> None:
    ran = mpc("keygen", "Klinik-A", cwd=tmp_path)
    assert ran.code == 0
    assert "Klinik-A can sign rosters, but cannot be a party's name in a scenario: use small letters" in ran.err
    assert "cannot" not in mpc("keygen", "klinik_a", cwd=tmp_path).err
    (tmp_path / "file").touch()
    ran = mpc("keygen", "klinik_a", "--keys", "file", cwd=tmp_path)
    assert (ran.code, ran.err) == (2, "mpc: the folder file is, or is in, a file\n     name another folder\n")


def test_too_few_open_files(tmp_path: Path) -> None:
    """A limit of the user's own is raised; one of the system's is named, before anybody waits for a connection."""
    write_folder(tmp_path)
    ran = shell("ulimit -n 24; $MPC run small.toml --out record --no-compare", tmp_path)
    assert ran.returncode == 2
    assert "2 connections in one process need 80 open files, and 24 is the limit" in ran.stderr
    assert "raise it (ulimit -Hn" in ran.stderr and "[clients]" not in ran.stderr
    assert record(tmp_path / "record")["status"] == "failed"
    assert shell("ulimit -Sn 24; $MPC run small.toml --out raised --no-compare", tmp_path).returncode == 0
