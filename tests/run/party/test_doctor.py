"""`mpc doctor` as administrators type it: alone, together, and beside a party that waits."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

from parties.tasks.registry import load_scenario
from parties.trust.consent import remember
from tests.run.apart import PARTIES, separate, start
from tests.run.command import Ran, Running, approving, ends_of, mpc

KEYS = "keys"


def doctor(scenario: Path, name: str, *more: str) -> tuple[str | Path, ...]:
    """The doctor of a party that approved the scenario."""
    if name in PARTIES:
        remember(load_scenario(scenario), name, scenario.parent / KEYS)
    return unapproved(scenario, name, *more)


def unapproved(scenario: Path, name: str, *more: str) -> tuple[str | Path, ...]:
    return ("doctor", scenario, "--as", name, "--keys", scenario.parent / KEYS, *more)


def problems(ran: Ran) -> list[str]:
    return [line for line in ran.out.splitlines() if line.startswith("problem")]


def every_problem_says_what_to_do(ran: Ran) -> None:
    lines = ran.out.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith(("problem", "warning")):
            assert following.strip().startswith("-> "), line


def test_three_doctors_meet_and_measure_their_links(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    runs = {name: Running(*doctor(scenario, name, "--seconds", "40")) for name in PARTIES}
    for name, run in runs.items():
        ran = run.end()
        assert ran.code == 0, ran.out + ran.err
        assert problems(ran) == []
        every_problem_says_what_to_do(ran)
        for peer in set(PARTIES) - {name}:
            assert re.search(rf"^ok +{peer} is there .*under its own key: its doctor; beaverlodge \d", ran.out, re.M)
            assert re.search(rf"^ok +{peer} has the same scenario$", ran.out, re.M)
            assert re.search(rf"^ok +link to {peer}: \S+ ms round trip \(median of 9\); 1 MB took ", ran.out, re.M)
            way = r"\S+ s \(\S+ [MG]bit/s\)"
            assert re.search(rf" took {way} to {peer}, {way} from it$", ran.out, re.M)
        if name != "helper":
            assert re.search(r"^ok +the run: \d+ rounds, .* s on the wire", ran.out, re.M)
            assert re.search(r"^ok +data: .* 3 columns to learn from, target 'outcome'", ran.out, re.M)


def test_a_party_that_waits_answers_and_is_not_disturbed(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    waiting = start(scenario, "hospital_a")
    log = tmp_path / "hospital_a" / "hospital_a.log"
    waiting.wait_for(lambda: log.exists() and "connecting" in log.read_text(), "a start")
    for name in ("hospital_b", "helper"):  # one after the other, and each only a while
        ran = mpc(*doctor(scenario, name, "--seconds", "4"))
        assert re.search(r"^ok +hospital_a is there .*: it waits for the run", ran.out, re.M), ran.out
        assert re.search(r"^ok +link to hospital_a: ", ran.out, re.M), ran.out
    others = {name: start(scenario, name) for name in ("hospital_b", "helper")}
    for run in (waiting, *others.values()):
        ended = run.end()
        assert ended.code == 0, ended.err
    assert log.read_text().count("looks at its links with `mpc doctor`") == 2


def test_nobody_there_is_told_from_nobody_answering_in_time(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    ran = mpc(*doctor(scenario, "hospital_b", "--seconds", "3"))
    assert ran.code == 4
    assert "nothing listens at 127.0.0.1:" in ran.out and "the connection was refused" in ran.out
    assert "helper, which dials hospital_b, did not come" in ran.out
    every_problem_says_what_to_do(ran)


def test_an_edited_scenario_is_named_setting_by_setting(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    edited = tmp_path / "edited.toml"
    edited.write_text(scenario.read_text().replace("epochs = 3", "epochs = 4"))
    runs = {
        name: Running(*doctor(edited if name == "hospital_b" else scenario, name, "--seconds", "40"))
        for name in PARTIES
    }
    ends = ends_of(runs)
    for name in ("hospital_a", "hospital_b"):
        assert ends[name].code == 5, ends[name].out
        assert re.search(r"the scenarios of \w+ and \w+ differ: task.epochs: \d here, \d there", ends[name].out)


def test_another_key_and_a_key_that_is_not_admitted_are_named(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    (tmp_path / KEYS / "hospital_b.key").unlink()
    other = mpc("keygen", "hospital_b", "--keys", tmp_path / KEYS).out.strip()
    lying = tmp_path / "lying.toml"
    lying.write_text(re.sub(r'(\[parties.hospital_b\]\n)public_key = "[^"]+"', rf"\g<1>{other}", scenario.read_text()))
    first = Running(*doctor(scenario, "hospital_a", "--seconds", "20"))
    refused = mpc(*doctor(lying, "hospital_b", "--seconds", "8"))
    first.process.terminate()
    first.end()
    assert refused.code == 5, refused.out
    assert "hospital_a answers at 127.0.0.1:" in refused.out and "refuses the key of hospital_b" in refused.out


def test_something_else_at_a_peers_address(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    port = int(re.findall(r'address = "127.0.0.1:(\d+)"', scenario.read_text())[0])
    with socket.create_server(("127.0.0.1", port)):
        ran = mpc(*doctor(scenario, "hospital_b", "--seconds", "5"))
    assert ran.code == 5, ran.out
    assert "is not hospital_a with its public_key" in ran.out


def test_what_is_wrong_on_this_machine(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    key = tmp_path / KEYS / "hospital_b.key"
    key.chmod(0o644)
    ran = mpc(*doctor(scenario, "hospital_b", "--seconds", "3"))
    assert ran.code == 2 and "others than its owner can read" in ran.out and "-> chmod 600" in ran.out
    key.chmod(0o600)
    (tmp_path / "hospital_b.csv").unlink()
    ran = mpc(*doctor(scenario, "hospital_b", "--seconds", "3"))
    assert ran.code == 3 and "there is no file" in ran.out
    every_problem_says_what_to_do(ran)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    port = int(re.findall(r'address = "127.0.0.1:(\d+)"', scenario.read_text())[0])
    with socket.create_server(("127.0.0.1", port)):
        ran = mpc(*doctor(scenario, "hospital_a", "--seconds", "3"))
    assert ran.code == 2 and "in use" in ran.out and "ss -ltnp" in ran.out


def test_the_file_alone_names_pairs_that_cannot_meet(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    assert mpc("doctor", scenario).code == 0
    text = scenario.read_text()
    scenario.write_text(re.sub(r'address = "[^"]+"\n', "", text, count=1))
    ran = mpc("doctor", scenario)
    assert ran.code == 2
    assert "neither hospital_a nor helper has an address" in ran.out
    scenario.write_text(re.sub(r'(\[parties.helper\]\n)public_key = "[^"]+"\n', r"\1", text))
    ran = mpc("doctor", scenario)
    assert ran.code == 2 and "no public_key of helper" in ran.out


def test_json_logs_hold_one_object_a_line_and_no_value(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    values = {cell for path in tmp_path.glob("*.csv") for cell in re.findall(r"-?\d+\.\d{3,}", path.read_text())}
    assert len(values) > 100
    words = ("--keys", tmp_path / KEYS, "--log-format", "json")
    runs = {
        name: Running("party", scenario, "--as", name, "--out", tmp_path / name, *words, *approving(scenario, name))
        for name in PARTIES
    }
    for run in runs.values():
        ended = run.end()
        assert ended.code == 0, ended.err
    for name in PARTIES:
        lines = [json.loads(line) for line in (tmp_path / name / f"{name}.log").read_text().splitlines()]
        assert lines and all(line.keys() == {"time", "level", "party", "text"} for line in lines)
        assert {line["party"] for line in lines} == {name}
        assert any(line["text"].startswith("done: ") for line in lines)
        assert not [value for value in values if any(value in line["text"] for line in lines)]


def test_a_folder_that_others_can_change(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    (tmp_path / KEYS).chmod(0o777)
    ran = mpc(*doctor(scenario, "hospital_a", "--seconds", "3"))
    assert ran.code == 2 and "chmod go-w" in ran.out


def test_before_an_approval_the_doctor_opens_no_data(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    (tmp_path / "hospital_a.csv").unlink()
    text = scenario.read_text()
    scenario.write_text(re.sub(r'address = "127.0.0.1:(\d+)"', r'address = "no-such-host.invalid:\1"', text))
    (tmp_path / KEYS / "policy.toml").write_text("minimum_owners = 3\n")
    ran = mpc(*unapproved(scenario, "hospital_a", "--seconds", "3"))
    assert ran.code == 2 and ran.seconds < 3
    said = " ".join(ran.out.split())
    for words in (
        "hospital_a.key is yours alone",
        "descriptors: ",
        "refuses this run: minimum_owners = 3",
        "hospital_a has not approved the scenario 'small': until then the data, host names and links that it names",
        "--approve",
    ):
        assert words in said, words
    for words in ("no-such-host.invalid (", "there is no file", "the port is free", "looking at the links"):
        assert words not in said + ran.err, words
    assert "no-such-host.invalid (" not in mpc("doctor", scenario).out  # nobody could have approved it
