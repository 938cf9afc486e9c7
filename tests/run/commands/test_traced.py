"""`--trace` and `mpc trace`, as a user types them: of a protocol, of a sum, and of a run that a death ends."""

from __future__ import annotations

import signal
import stat
from pathlib import Path

from parties.trace.lanes import read_lanes
from parties.trace.totals import spent
from tests.run.command import Running, mpc, record
from tests.run.sums import write_sums

PROGRAM = """
from beaverlodge.protocol import Party, Public, Share, multiply


async def energy(p: Party, x: tuple[Share, ...]) -> Public:
    total = x[0] + x[1]
    p.watch("total", total)
    square = await multiply(p, total, total)
    p.watch("square", square)
    (out,) = await p.reveal(square, what="energy", why="agreed", label="energy")
    return out


def energy_reference(x, watch=lambda label, value: None):
    watch("total", x[0] + x[1])
    watch("square", (x[0] + x[1]) ** FACTOR)
    return (x[0] + x[1]) ** 2
"""


def simulate(folder: Path, out: str, *words: str, factor: str = "2") -> Path:
    path = folder / "energy.py"
    path.write_text(PROGRAM.replace("FACTOR", factor))
    simulated = ("simulate", f"{path}:energy", "--input", "reals:3", "--trace", "--out", folder / out)
    assert mpc(*simulated, *words).code == 0
    return folder / out


def test_processes_and_one_thread_record_the_same(tmp_path: Path) -> None:
    one = simulate(tmp_path, "one", "--insecure-seed", "4")
    other = simulate(tmp_path, "other", "--insecure-seed", "4", "--lockstep")
    ran = mpc("trace", one, other)
    assert ran.out == "no difference in 2 rounds of 3 parties (values, too)\n"
    assert mpc("trace", one, "--chrome", tmp_path / "chrome.json").code == 0
    page = (one / "trace.html").read_text()
    assert "INSECURE" in page and "2 values are their reference" in page
    assert "energy.py:8 → protocols/core/beaver.py:" in page
    assert {stat.S_IMODE(path.stat().st_mode) for path in one.glob("*.trace")} == {0o600}
    lanes = read_lanes(one)
    parties = record(one)["parties"]
    for lane in lanes:
        assert spent(lane).total >= 0 and lane.closed
        assert len(lane.protocol) == parties[lane.party]["rounds"]


def test_the_label_that_leaves_the_reference_is_marked(tmp_path: Path) -> None:
    run = simulate(tmp_path, "run", "--insecure-seed", "4", factor="3")
    assert mpc("trace", run).code == 0
    assert "leaves its reference at &#x27;square&#x27;" in (run / "trace.html").read_text()


def test_a_sums_server_and_clients_are_lanes(tmp_path: Path) -> None:
    ran = mpc("run", write_sums(tmp_path), "--trace", "--out", tmp_path / "run")
    assert ran.code == 0, ran.err
    server, *clients = read_lanes(tmp_path / "run")
    assert server.party == "server" and server.peers == len(clients) == 12
    counted = record(tmp_path / "run")["parties"]["server"]
    assert sum(size for one in server.protocol for size in one.sent.values()) == counted["bytes_sent"]
    assert sum(size for one in server.protocol for size, _ in one.came.values()) == counted["bytes_received"]
    assert not any(lane.values or lane.told for lane in (server, *clients))
    for lane in clients:
        stages = [one for one in server.protocol if one.came]  # the last one tells the clients, and expects nothing
        assert [one.label for one in lane.protocol] == [one.label for one in stages]
        for mine, theirs in zip(lane.protocol, stages, strict=True):
            assert mine.sent == {"server": theirs.came[lane.party][0]}


def test_a_killed_partys_peers_say_what_they_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "slow.py"
    path.write_text(
        PROGRAM.replace("    square =", "    import time; p.dry or p.name != 'owner1' or time.sleep(60)\n    square =")
    )
    run = Running("simulate", f"{path}:energy", "--input", "reals:3", "--trace", "--out", tmp_path / "run")
    run.wait_for(lambda: "owner1" in run.parties(), "a process of owner1")
    log = tmp_path / "run" / "owner0.log"
    run.wait_for(lambda: log.exists() and "running" in log.read_text(), "the protocol")
    run.party("owner1").send_signal(signal.SIGKILL)
    assert run.end().code == 4
    assert mpc("trace", tmp_path / "run").code == 0
    page = (tmp_path / "run" / "trace.html").read_text()
    assert "Failed: owner1 was killed (signal 9)" in page
    assert "The record of owner1 is cut off: killed" in page
    assert "waiting for owner1" in page


def test_a_view_is_drawn_with_its_verdict(tmp_path: Path) -> None:
    path = tmp_path / "energy.py"
    path.write_text(PROGRAM.replace("x[0] + x[1]", "x[0] + x[1] + x[2]"))
    drawn = ("--view", "owner0", f"{path}:energy", "--input", "reals:2", "--out", tmp_path / "view.html")
    ran = mpc("trace", *drawn)
    assert ran.code == 0, ran.err
    assert "energy, as seen by owner0 in 100 runs with each secret" in ran.out and "\npassed\n" in ran.out
    page = (tmp_path / "view.html").read_text()
    assert "The check found nothing" in page and "<script" not in page


def test_secrets_with_other_outputs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "energy.py"
    path.write_text(PROGRAM)
    ran = mpc("trace", "--view", "owner0", f"{path}:energy", "--input", "reals:2", "--out", tmp_path / "view.html")
    assert ran.code == 2
    assert "two secrets with equal outputs are not known of energy" in ran.err and "energy_secrets" in ran.err
    assert mpc("trace", "--view", "owner7", f"{path}:energy", "--input", "reals:2").code == 2
