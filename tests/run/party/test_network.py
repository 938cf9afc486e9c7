"""`mpc run` over a network that is slower than this machine's, and `mpc party`, whose links are what they are."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from mpc.runtime.plan import Plan
from parties.processes.network.emulated import links_of, network_lines
from parties.processes.network.relay import NAME
from parties.scenario.network import NetworkSpec, preset_network
from parties.tasks.registry import load_scenario, planned
from parties.trust.consent import remember
from tests.run.apart import separate
from tests.run.command import ROOT, Ran, Running, mpc, record
from tests.run.scenarios import write_scenario

WAN = Path("scenarios/wan.toml")
SEED = "[testing]\ninsecure_seed = 11\n"
SLOW = "[network]\nlatency_ms = 4\nbandwidth_mbit = 100\n"


@pytest.fixture(scope="module")
def wan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, dict[str, Any]]:
    out = tmp_path_factory.mktemp("wan") / "record"
    ran = mpc("run", WAN, "--out", out, "--no-compare")
    return ran, record(out)


def test_the_wan_scenario_takes_as_long_as_its_plan_says(
    wan: tuple[Ran, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    ran, fields = wan
    assert ran.code == 0, ran.err
    scenario = load_scenario(ROOT / WAN)
    assert scenario.network is not None
    assert scenario.network.bandwidth_mbit is not None
    plan: Plan = planned(scenario)[1]
    latency, bandwidth = scenario.network.latency_ms / 1000, scenario.network.bandwidth_mbit * 1e6 / 8
    wire = plan.seconds(2 * latency, bandwidth)
    online = [fields["parties"][owner]["seconds"]["online"] for owner in scenario.owners]
    with capsys.disabled():
        said = f"{wire:.2f} s on the wire and {plan.handling:.2f} s besides"
        print(f"\n  wan.toml: {max(online):.2f} s online; by the plan {said}")
    # A party may enter the online phase one latency after another.
    assert min(online) >= wire - 2 * latency
    assert max(online) < 4 * wire


@pytest.mark.soak
@pytest.mark.speed
def test_the_plans_estimate_is_within_a_quarter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the quickest of a few runs: whatever else this machine does makes a run slower, and none faster."""
    scenario = load_scenario(ROOT / WAN)
    assert scenario.network is not None and scenario.network.bandwidth_mbit is not None
    plan: Plan = planned(scenario)[1]
    round_trip, bandwidth = scenario.network.latency_ms / 500, scenario.network.bandwidth_mbit * 1e6 / 8
    estimate = plan.seconds(round_trip, bandwidth) + plan.handling
    took = []
    for number in range(5):
        assert mpc("run", WAN, "--out", tmp_path / str(number), "--no-compare").code == 0
        parties = record(tmp_path / str(number))["parties"]
        took.append(max(parties[owner]["seconds"]["online"] for owner in scenario.owners))
    with capsys.disabled():
        said = ", ".join(f"{one:.2f}" for one in took)
        print(f"\n  wan.toml: the plan says {estimate:.2f} s; measured {said} s, {min(took) / estimate - 1:+.0%}")
    assert abs(min(took) / estimate - 1) < 0.25


def test_the_network_is_on_the_screen_and_is_no_party(wan: tuple[Ran, dict[str, Any]]) -> None:
    ran, fields = wan
    assert "10 ms one way and 100 Mbit/s each way" in ran.err
    assert NAME not in ran.err + ran.out
    assert list(fields["parties"]) == ["hospital_a", "hospital_b", "helper"]
    assert {name: party["bytes_sent"] for name, party in fields["parties"].items()} == fields["plan"]["bytes"]


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (NetworkSpec(latency_ms=0.5), "0.5 ms one way"),
        (NetworkSpec(bandwidth_mbit=8.0), "0 ms one way and 8 Mbit/s each way"),
        (NetworkSpec(latency_ms=10.0, bandwidth_mbit=100.0), "10 ms one way and 100 Mbit/s each way"),
        (NetworkSpec(latency_ms=9.0, jitter_ms=3.0), "9 ms one way, up to 3 ms more or less"),
        (preset_network("mobile"), "26.5 ms one way, up to 8 ms more or less, and 13.6 Mbit/s each way"),
    ],
)
def test_conditions_are_in_seconds_and_bytes(network: NetworkSpec, text: str) -> None:
    links = links_of(network)
    assert links is not None
    made = links("a", "b")
    assert (made.latency, made.jitter) == (network.latency_ms / 1000, network.jitter_ms / 1000)
    assert made.bandwidth == (None if network.bandwidth_mbit is None else network.bandwidth_mbit * 125_000)
    assert list(network_lines(network)) == [f"every link is made to have {text}"]


@pytest.mark.parametrize("network", [None, NetworkSpec()])
def test_a_network_that_asks_for_nothing_needs_no_relay(network: NetworkSpec | None) -> None:
    assert links_of(network) is None
    assert list(network_lines(network)) == []


UNEVEN = """[network]
latency_ms = 2
bandwidth_mbit = 100
[network.links.hospital_b-hospital_a]
latency_ms = 30
"""


def test_links_by_pair_take_as_long_as_planned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Were the slow link that of another pair, or counted as all are, the bounds would be missed by far."""
    scenario = write_scenario(tmp_path, epochs=4, batch_size=16, extra=UNEVEN)
    ran = mpc("run", scenario, "--out", tmp_path / "record", "--no-compare")
    assert ran.code == 0, ran.err
    assert "hospital_b-hospital_a is made to have 30 ms one way and 100 Mbit/s each way" in ran.err
    loaded = load_scenario(scenario)
    assert loaded.network is not None
    plan: Plan = planned(loaded)[1]
    wire = plan.seconds_over(loaded.network.speed)
    parties = record(tmp_path / "record")["parties"]
    online = [parties[owner]["seconds"]["online"] for owner in loaded.owners]
    with capsys.disabled():
        print(f"\n  links by pair: {max(online):.2f} s online; by the plan {wire:.2f} s on the wire")
    assert wire > 5 * plan.seconds(0.004, 12.5e6)
    assert min(online) >= wire - 2 * 0.03
    assert max(online) < 4 * wire


def test_a_cut_holds_a_run_up(tmp_path: Path) -> None:
    """All links of an owner are down for two seconds, from before the parties can have met."""
    cuts = "".join(
        f'[[network.cuts]]\nlink = "{link}"\nat = 0\nseconds = 2.0\n'
        for link in ("hospital_b-hospital_a", "helper-hospital_b")
    )
    scenario = write_scenario(tmp_path, epochs=1, extra=cuts)
    ran = mpc("run", scenario, "--out", tmp_path / "record", "--no-compare")
    assert ran.code == 0, ran.err
    assert "helper-hospital_b is cut from 0 s to 2 s" in ran.err
    total = record(tmp_path / "record")["parties"]["hospital_b"]["seconds"]["total"]
    assert total >= 2.0, "the links were laid after its part began"


def test_a_preset_of_the_command_line(tmp_path: Path) -> None:
    """It goes before the file's, in the plan, in the run and in what solver = "auto" chooses at every party."""
    scenario = write_scenario(tmp_path, epochs=1, extra=SLOW)
    ran = mpc("run", scenario, "--network", "lan", "--out", tmp_path / "record", "--no-compare")
    assert ran.code == 0, ran.err
    assert "every link is made to have 0.1 ms one way and 1000 Mbit/s each way" in ran.err
    plan = json.loads(mpc("plan", scenario, "--network", "lan", "--json").out)
    assert plan["seconds"]["network"] == plan["seconds"]["lan"]
    assert plan["digest"] == record(tmp_path / "record")["plan"]["digest"]
    assert plan["scenario"]["digest"] == record(tmp_path / "record")["scenario"]["digest"]
    wrong = mpc("plan", scenario, "--network", "mobil")
    assert wrong.code == 2 and 'no network called "mobil"' in wrong.err and "did you mean 'mobile'?" in wrong.err


def test_a_plan_tells_the_most_of_a_network_that_varies(tmp_path: Path) -> None:
    cut = '[[network.cuts]]\nlink = "helper-hospital_b"\nat = 0\nseconds = 3.0\n'
    scenario = write_scenario(tmp_path, epochs=1, extra=f"[network]\nlatency_ms = 5\njitter_ms = 1\n{cut}")
    ran = mpc("plan", scenario, "--json")
    assert ran.code == 0, ran.err
    seconds = json.loads(ran.out)["seconds"]
    assert seconds["network_at_most"] == pytest.approx(seconds["network"] * 6 / 5 + 3)
    assert "with all of the jitter and 1 cut" in " ".join(mpc("plan", scenario).out.split())


def in_training(tmp_path: Path) -> Running:
    """A run in the middle of its training, which takes some ten seconds more of waiting."""
    scenario = write_scenario(tmp_path, epochs=40, extra="[network]\nlatency_ms = 25\n")
    run = Running("run", scenario, "--out", tmp_path / "record", "--no-compare")
    log = tmp_path / "record" / "hospital_a.log"
    run.wait_for(lambda: log.exists() and "training" in log.read_text(), "training")
    assert set(run.parties()) == {"hospital_a", "hospital_b", "helper", NAME}
    return run


def test_a_killed_relay_ends_the_run(tmp_path: Path) -> None:
    run = in_training(tmp_path)
    run.party(NAME).send_signal(signal.SIGKILL)
    ran = run.end()
    assert ran.code == 70
    assert f"mpc: the emulated network failed: {NAME} was killed (signal 9)" in ran.err
    assert "Traceback" not in ran.err
    assert run.all_gone(within=0.5)
    assert record(tmp_path / "record")["error"]["code"] == "internal"


def test_a_party_says_once_that_its_links_are_what_they_are(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    text = scenario.read_text() + SLOW + "[session]\nconnect_timeout = 0.2\n"
    scenario.write_text(text)
    remember(load_scenario(scenario), "helper", tmp_path / "keys")
    ran = mpc("party", scenario, "--as", "helper", "--keys", tmp_path / "keys", "--out", tmp_path / "helper")
    assert ran.code == 4
    for where in (ran.err, (tmp_path / "helper" / "helper.log").read_text()):
        assert where.count("[network] is for `mpc run` only") == 1
