"""`mpc doctor` on three hosts far from each other, as their administrators type it, on links that lose packets."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.hosts.study import PARTIES, PORT, Study, ends
from tests.hosts.test_wide_area import DEMO, LOSS, MBIT, ROUND_TRIP
from tests.run.command import Ran

OTHERS = {name: [peer for peer in PARTIES if peer != name] for name in PARTIES}
SHAPES = 'features = ["mean_radius", "mean_texture"]\n'


@pytest.fixture(scope="module")
def looking(study: Study) -> Study:
    """hospital_b admits nobody; hospital_a has a name that stands for an IPv6 address."""
    study.world["hospital_b"].close_inbound()
    for host in study.world.hosts.values():
        host.rate(MBIT)
    addresses = {"hospital_a": f"hospital-a.example:{PORT}", "helper": f"{study.world['helper'].ipv4}:{PORT}"}
    text = study.text(DEMO, addresses)
    for name, rows in (("hospital_a", 300), ("hospital_b", 269)):
        text = text.replace(f"[parties.{name}]\n", f"[parties.{name}]\nrows = {rows}\n")
    study.copy(DEMO, text.replace("[task]\n", f"[task]\n{SHAPES}"))
    return study


@pytest.fixture
def closed(looking: Study) -> Iterator[Study]:
    """hospital_a, the only one of the two hospitals with an address, lets nobody in either."""
    looking.world["hospital_a"].close_inbound()
    yield looking
    looking.world["hospital_a"].open_inbound()


def look(study: Study, *more: str) -> dict[str, Ran]:
    """The doctors of all three, at the same time."""
    return ends({name: study.look(name, *more) for name in PARTIES})


def found(out: str, pattern: str) -> tuple[float, ...]:
    """The numbers in the line of this pattern, which must be there."""
    match = re.search(f"^ok +{pattern}$", out, re.MULTILINE)
    assert match, (pattern, out)
    return tuple(map(float, match.groups()))


@pytest.mark.soak
def test_links_that_lose_packets_are_met_and_measured(looking: Study) -> None:
    looking.world.wire(delay=ROUND_TRIP / 2, loss=LOSS, seed=7)
    for name, ran in look(looking, "--seconds", "30").items():
        assert ran.code == 0, ran.out
        assert "problem" not in ran.out
        for peer in OTHERS[name]:
            assert re.search(rf"^ok +{peer} is there \(.*\), under its own key: its doctor", ran.out, re.MULTILINE)
            trip, up, down = found(
                ran.out,
                rf"link to {peer}: (\S+) ms round trip \(median of \d+\); 1 MB took \S+ s \((\S+) Mbit/s\) to {peer}, "
                r"\S+ s \((\S+) Mbit/s\) from it",
            )
            assert ROUND_TRIP * 1000 <= trip < 10 * ROUND_TRIP * 1000
            assert min(up, down) > MBIT / 200 and max(up, down) < 1.3 * MBIT
        assert "hospital-a.example (hospital_a) is fd77:1::2" in ran.out
        found(ran.out, r"the run: (\d+) rounds, .*; about (\S+) s on the wire \(.*\), and computing on top")


def test_ten_seconds_are_enough_and_are_kept(looking: Study) -> None:
    """As it is typed, without --seconds; alone, for nobody else is there: all that there is to wait for."""
    looking.world.wire(delay=ROUND_TRIP / 2, loss=0.0)
    ran = looking.look("hospital_b").end()
    assert ran.code == 4
    assert ran.seconds < 15, "ten, and what a busy machine takes to start it"
    for peer in OTHERS["hospital_b"]:
        assert re.search(rf"^problem +nothing listens at \S+, the address of {peer}", ran.out, re.MULTILINE), ran.out


@pytest.mark.soak
def test_two_that_let_nobody_in_are_named_together(closed: Study) -> None:
    """The firewalls say nothing: that both ends are closed is seen from outside only."""
    closed.world.wire(delay=ROUND_TRIP / 2, loss=0.0)
    ran = look(closed)["hospital_b"]
    assert ran.code == 4
    where = f"hospital-a.example:{PORT}"
    assert f"nobody answers at {where}, the address of hospital_a" in ran.out
    assert "hospital_b has no address, so neither hospital_b nor hospital_a lets the other in" in ran.out
