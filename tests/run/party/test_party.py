"""`mpc party` and `mpc keygen`: three commands, as on three machines."""

from __future__ import annotations

import re
from pathlib import Path

from parties.trace.lanes import read_lanes
from tests.run.apart import PARTIES, approval, separate, start
from tests.run.command import ends_of, mpc, record


def test_three_commands_make_one_model(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    runs = {name: start(scenario, name, approval(scenario, name), "--trace") for name in PARTIES}
    for name, run in runs.items():
        ran = run.end()
        assert ran.code == 0, (name, ran.err)
    a, b, helper = (record(tmp_path / name) for name in PARTIES)
    assert a["model"] == b["model"]
    assert a["session"] == b["session"] == helper["session"]
    assert helper["model"] is None
    assert list(a["parties"]) == ["hospital_a"]
    for name, fields in zip(PARTIES, (a, b, helper), strict=True):
        assert fields["parties"][name]["bytes_sent"] == fields["plan"]["bytes"][name]
        (lane,) = read_lanes(tmp_path / name)  # its own record of the rounds, and no other's
        assert (lane.party, len(lane.protocol)) == (name, fields["parties"][name]["rounds"])


def test_an_edited_scenario_is_refused_in_words(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    edited = tmp_path / "edited.toml"
    edited.write_text(scenario.read_text().replace("epochs = 3", "epochs = 4"))
    runs = {name: start(edited if name == "hospital_b" else scenario, name) for name in PARTIES}
    ends = ends_of(runs)
    assert {ran.code for ran in ends.values()} == {5}
    assert any("task.epochs" in ran.err and "3" in ran.err and "4" in ran.err for ran in ends.values())


def test_a_wrong_key_is_refused(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    (tmp_path / "keys" / "hospital_b.key").unlink()
    other = mpc("keygen", "hospital_b", "--keys", tmp_path / "keys").out.strip()
    ran = start(scenario, "hospital_b").end()
    assert ran.code == 2
    assert "does not match" in ran.err
    lying = tmp_path / "lying.toml"
    lying.write_text(re.sub(r'(\[parties.hospital_b\]\n)public_key = "[^"]+"', rf"\g<1>{other}", scenario.read_text()))
    first = start(scenario, "hospital_a")
    ran = start(lying, "hospital_b").end()
    assert ran.code == 5
    assert "hospital_a" in ran.err
    first.process.terminate()
    first.end()


def test_a_lost_party_ends_the_others(tmp_path: Path) -> None:
    scenario = separate(tmp_path, epochs=100, batch_size=8)
    scenario.write_text(scenario.read_text() + "\n[session]\npatience = 3.0\n")
    runs = {name: start(scenario, name) for name in PARTIES}
    runs["hospital_a"].wait_for(lambda: "connecting" in _log(tmp_path, "hospital_a"), "a start")
    runs["hospital_b"].wait_for(lambda: "training" in _log(tmp_path, "hospital_b"), "training")
    runs["hospital_b"].process.kill()
    for name in ("hospital_a", "helper"):
        ran = runs[name].end()
        assert ran.code == 4, ran.err
        assert "hospital_b" in ran.err
        assert ran.seconds < 10
        assert record(tmp_path / name)["error"]["party"] == "hospital_b"
    runs["hospital_b"].end()


def _log(folder: Path, name: str) -> str:
    path = folder / name / f"{name}.log"
    return path.read_text() if path.exists() else ""
