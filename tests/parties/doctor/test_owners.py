"""What `mpc doctor` makes of a scenario, a machine and its links, part by part."""

from __future__ import annotations

import errno
import resource
import socket
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mpc.errors import DataError
from mpc.links.wire import WIRE_VERSION
from mpc.links.zmq.curve import Identity, new_identity
from mpc.links.zmq.transport import Transport
from parties.base.version import VERSION
from parties.doctor import checks as doctor_checks
from parties.doctor import estimate as doctor_estimate
from parties.doctor.estimate import PlanEstimate, check_disk, check_memory, check_time, estimate_plan, memory_free
from parties.doctor.findings import Finding, finding_of, first_code, ok, problem, warning
from parties.doctor.links import LinkReport, Meeting, probe_links
from parties.doctor.peers import Side, find_key_holder, megabits, peer_findings
from parties.scenario.file import Scenario
from parties.tasks.registry import load_scenario
from tests.links.over_zmq import ANYWHERE, LONG, at_once, values
from tests.run.scenarios import write_scenario

FACTS = {"name": "small", "task.epochs": 3}
PEERS = {"a": "127.0.0.1:7101", "b": "127.0.0.1:7102", "c": None}


def scenario_of(folder: Path, changes: Mapping[str, str] | None = None, extra: str = "") -> Scenario:
    """A scenario, with lines below the heads of its tables."""
    path = write_scenario(folder, extra=extra)
    text = path.read_text()
    for head, lines in (changes or {}).items():
        text = text.replace(f"[{head}]\n", f"[{head}]\n{lines}\n")
    path.write_text(text)
    return load_scenario(path)


def texts(findings: Iterable[Finding], level: str) -> str:
    return "\n".join(finding.text for finding in findings if finding.level == level)


def test_the_first_problem_gives_the_exit_code() -> None:
    found = [ok("x"), warning("y", "do"), finding_of(DataError("z", "mend it")), problem("w", "do", 4)]
    assert (first_code(found), first_code(found[:2])) == (3, 0)
    assert found[2].lines == ["problem  z", "         -> mend it"]
    assert problem("a\x1b[2Jb", "").lines == ["problem  a\\x1b[2Jb"]


def test_every_pair_without_an_address_is_named(tmp_path: Path) -> None:
    found = list(doctor_checks.check_file(scenario_of(tmp_path)))
    for pair in (("hospital_a", "hospital_b"), ("hospital_a", "helper"), ("hospital_b", "helper")):
        assert f"neither {pair[0]} nor {pair[1]} has an address" in texts(found, "problem")
    assert "no public_key of hospital_a, hospital_b, helper" in texts(found, "problem")


def test_a_local_address_and_a_test_seed_are_warned_of(tmp_path: Path) -> None:
    addresses = {"parties.hospital_a": 'address = "127.0.0.1:7101"', "parties.helper": 'address = "10.0.0.5:7101"'}
    found = list(doctor_checks.check_file(scenario_of(tmp_path, addresses, "[testing]\ninsecure_seed = 1\n")))
    assert "the address of hospital_a is for one machine" in texts(found, "warning")
    assert "insecure_seed makes all secrets known" in texts(found, "warning")


def test_host_names_are_problems_only_where_this_side_dials_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(host: str, *_: Any, **__: Any) -> list[Any]:
        if host == "good.example":
            return [(0, 0, 0, "", ("10.0.0.9", 1))]
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    addresses = {"parties.hospital_a": 'address = "bad.example:1"', "parties.hospital_b": 'address = "good.example:1"'}
    scenario = scenario_of(tmp_path, addresses)
    dialling = list(doctor_checks.check_names(scenario, "hospital_b"))
    assert "bad.example (hospital_a) is not known" in texts(dialling, "problem")
    assert texts(dialling, "ok") == "good.example (hospital_b) is 10.0.0.9"
    assert "bad.example" in texts(doctor_checks.check_names(scenario, "hospital_a"), "warning")


@pytest.mark.parametrize(("limit", "level"), [(70, "problem"), (900, "warning"), (1024, "ok"), (-1, "ok")])
def test_descriptor_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, level: str) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert "descriptors: " in texts(doctor_checks.check_machine(scenario_of(tmp_path)), level)


def test_data_that_all_may_read_are_warned_of(tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path)
    path = tmp_path / "hospital_a.csv"
    closed = [folder for folder in path.resolve().parents if not folder.stat().st_mode & 0o001]
    path.chmod(0o644)
    table, found = doctor_checks.check_data(scenario, "hospital_a")
    assert table is not None and table.rows == 60
    assert ("can read" in texts(found, "warning")) is not bool(closed)
    path.chmod(0o600)
    assert texts(doctor_checks.check_data(scenario, "hospital_a")[1], "warning") == ""
    assert doctor_checks.check_data(scenario, "helper")[1][0].level == "ok"


def test_a_plan_says_what_it_takes_for_granted(tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path)
    missing = estimate_plan(scenario, None)
    assert isinstance(missing, Finding) and "`features` in [task] and each owner's `rows`" in missing.hint
    table, _ = doctor_checks.check_data(scenario, "hospital_a")
    guessed = estimate_plan(scenario, table)
    assert isinstance(guessed, PlanEstimate)
    assert guessed.assumed == ", as if hospital_b had 60 rows and all owners had the same 3 columns"
    stated = {"parties.hospital_a": "rows = 60", "parties.hospital_b": "rows = 67"}
    features = {"task": 'features = ["years", "dose", "marker"]'}
    known = estimate_plan(scenario_of(tmp_path, stated | features), None)
    assert isinstance(known, PlanEstimate) and known.assumed == ""


def test_memory_disk_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = scenario_of(tmp_path)
    known = estimate_plan(scenario, doctor_checks.check_data(scenario, "hospital_a")[0])
    assert isinstance(known, PlanEstimate)
    monkeypatch.setattr(doctor_estimate, "memory_free", lambda: 1_000_000)
    assert check_memory(known, owner=True).level == check_memory(known, owner=False).level == "problem"
    monkeypatch.setattr(doctor_estimate, "memory_free", lambda: 1 << 40)
    assert check_memory(known, owner=True).level == "ok"
    assert check_disk(tmp_path).level == "ok"
    monkeypatch.setattr(doctor_estimate, "DISK_NEEDED", 1 << 60)
    assert check_disk(tmp_path).level == "problem"
    slow = LinkReport(dialled=True, connected=True, round_trip=0.02, up=1.25e6, down=1.25e7)
    (said,) = check_time(known, [slow, replace(slow, round_trip=0.01, up=1.25e8)])
    assert f"about {known.plan.seconds(0.02, 1.25e6):.2g} s on the wire (20 ms round trip, 10 Mbit/s)" in said.text
    (unknown,) = check_time(known, [replace(slow, up=None, down=None)])
    assert unknown.level == "warning"


def test_memory_is_the_least_of_the_machine_and_its_group(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable: 8000 kB\n")
    assert memory_free(meminfo, tmp_path) == 8000 * 1024
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    assert memory_free(meminfo, tmp_path) == 2_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_free(meminfo, tmp_path) == 8000 * 1024
    assert memory_free(tmp_path / "none", tmp_path) is None


def side_of(identity: Identity, keys: Mapping[str, bytes], dialled: Mapping[str, str]) -> Side:
    return Side("a", identity, keys, PEERS, dialled, FACTS)


def about(**changes: Any) -> dict[str, Any]:
    return {"version": VERSION, "facts": FACTS, "doing": "waiting", **changes}


def looked(seen: LinkReport, *, strangers: frozenset[str] = frozenset(), broken: int = 0) -> list[Finding]:
    me = new_identity()
    return list(peer_findings(side_of(me, {"b": b""}, {}), Meeting({"b": seen}, strangers, broken), 8.0))


def test_what_is_said_of_a_peer_that_was_met() -> None:
    there = LinkReport(False, connected=True, about=about(), round_trip=0.01, up=1e7, down=2e7)
    assert first_code(looked(there)) == 0
    measured = "10 ms round trip (median of 9); 1 MB took 0.1 s (80 Mbit/s) to b, 0.05 s (160 Mbit/s) from it"
    assert f"link to b: {measured}" in texts(looked(there), "ok")
    other = looked(replace(there, about=about(version="0.0.9", facts={**FACTS, "task.epochs": 4})))
    assert first_code(other) == 5
    assert "version" in texts(other, "problem") and "task.epochs: 3 here, 4 there" in texts(other, "problem")
    assert "not measured" in texts(looked(replace(there, about=about(doing="running"))), "warning")
    assert "could not be measured" in texts(looked(replace(there, up=None)), "warning")
    assert "does not say what it runs" in texts(looked(replace(there, about={})), "warning")
    for silent in (there, replace(there, about={})):
        older = looked(replace(silent, other_version=6))
        assert first_code(older) == 5
        assert f"b speaks version 6 of the parties' protocol, and a version {WIRE_VERSION}" in texts(older, "problem")
    assert first_code(looked(replace(there, about=about(facts="nonsense", version=["x"] * 99)))) == 5


def test_what_is_said_of_a_peer_that_did_not_come() -> None:
    found = looked(LinkReport(False))
    assert first_code(found) == 4 and "did not come within 8 s" in texts(found, "problem")
    assert "TCP port 7101" in found[0].hint
    found = looked(LinkReport(False), strangers=frozenset({"key"}), broken=3)
    assert [finding.code for finding in found if finding.level == "problem"] == [4, 5]
    assert "broke off before a key was known: 3" in texts(found, "warning")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(), "nothing listens"),
        (TimeoutError(), "nobody answers"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "there is no way"),
        (OSError(errno.EACCES, "Permission denied"), "permission denied"),
    ],
)
def test_why_nobody_was_met_is_told_apart(monkeypatch: pytest.MonkeyPatch, error: OSError, words: str) -> None:
    def connect(*_: Any) -> None:
        raise error

    monkeypatch.setattr(socket, "create_connection", connect)
    side = side_of(new_identity(), {"b": new_identity().public}, {"b": "tcp://127.0.0.1:7102"})
    (found,) = peer_findings(side, Meeting({"b": LinkReport(True)}, frozenset(), 0), 8.0)
    assert words in found.text and found.code == 4 and found.hint


def test_addresses_that_were_swapped_are_seen() -> None:
    a, b, c = new_identity(), new_identity(), new_identity()
    listener = Transport(c, {"a": a.public}, ANYWHERE)
    try:
        found = values(
            at_once(
                {
                    "a": lambda: find_key_holder(str(listener.endpoint), {"b": b.public, "c": c.public}, a),
                    "c": lambda: [listener.poll(0.05) for _ in range(40)],
                }
            )
        )
    finally:
        listener.close(0)
    assert found["a"] == "c"


def test_doctors_of_four_parties_measure_all_links_and_end() -> None:
    names = ("a", "b", "c", "d")
    keys = {name: new_identity() for name in names}
    others = {me: {name: key.public for name, key in keys.items() if name != me} for me in names}
    # As in a scenario whose last party has no address: who is listed later dials.
    rooms = {me: Transport(keys[me], others[me], ANYWHERE if me != "d" else None, doctor=True) for me in names}
    told = {"version": "1", "facts": FACTS, "doing": "doctor"}

    def look(me: str) -> Meeting:
        dialled = {name: str(rooms[name].endpoint) for name in names[: names.index(me)]}
        return probe_links(rooms[me], dialled, dict.fromkeys(others[me], told), LONG)

    try:
        meetings = values(at_once({me: partial(look, me) for me in names}, LONG))
    finally:
        for room in rooms.values():
            room.close(0.5)
    for me, meeting in meetings.items():
        for peer, seen in meeting.peers.items():
            assert seen.about == {**told, "is": "about"}, (me, peer)
            assert seen.round_trip and seen.up and seen.down, (me, peer)
            assert seen.up == meetings[peer].peers[me].down


def test_rates_in_the_units_of_networks() -> None:
    assert (megabits(1.25e6), megabits(1.25e9), megabits(125.0)) == ("10 Mbit/s", "10 Gbit/s", "0.001 Mbit/s")
