"""A party on its own machine: whom it knows, where it listens, and whom it dials."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from mpc.errors import UsageError
from parties.scenario.file import Scenario
from parties.session.separate import place
from parties.tasks.registry import load_scenario
from parties.trust import keys

NAMES = ("hospital_a", "hospital_b", "helper")
LOCAL = {"hospital_a": "127.0.0.1:7101", "hospital_b": "127.0.0.1:7102", "helper": "127.0.0.1:7103"}


class World:
    """Key files of all parties, and scenarios that name their public keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = folder / "keys"
        self.publics = {name: keys.generate(name, self.keys)[1] for name in NAMES}

    def scenario(
        self, addresses: Mapping[str, str | None], publics: Mapping[str, str | None] | None = None
    ) -> Scenario:
        lines = ["schema = 1", 'name = "separate"']
        for name in NAMES:
            lines += [f"[parties.{name}]", f'role = "{"helper" if name == "helper" else "owner"}"']
            text = {**self.publics, **(publics or {})}[name]
            if text is not None:
                lines.append(f'public_key = "{text}"')
            if addresses.get(name) is not None:
                lines.append(f'address = "{addresses[name]}"')
        lines += ["[task]", 'kind = "logistic_regression"', 'target = "malignant"']
        path = self.folder / "scenario.toml"
        path.write_text("\n".join(lines))
        return load_scenario(path)

    def dials(self, me: str, addresses: Mapping[str, str | None]) -> dict[str, str]:
        return dict(place(self.scenario(addresses), me, self.keys).find(None))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_party_knows_its_own_keys_and_the_others_public_ones(world: World) -> None:
    at = place(world.scenario(LOCAL), "hospital_b", world.keys)
    assert at.identity == keys.load("hospital_b", world.keys)[0]
    assert at.peers == {name: keys.curve_key(world.publics[name]) for name in ("hospital_a", "helper")}


def test_of_two_that_can_the_later_listed_dials(world: World) -> None:
    assert world.dials("hospital_a", LOCAL) == {}
    assert world.dials("hospital_b", LOCAL) == {"hospital_a": "tcp://127.0.0.1:7101"}
    assert world.dials("helper", LOCAL) == {
        "hospital_a": "tcp://127.0.0.1:7101",
        "hospital_b": "tcp://127.0.0.1:7102",
    }


def test_who_has_no_address_dials_all(world: World) -> None:
    addresses = {**LOCAL, "hospital_a": None}
    assert world.dials("hospital_a", addresses) == {
        "hospital_b": "tcp://127.0.0.1:7102",
        "helper": "tcp://127.0.0.1:7103",
    }
    assert world.dials("hospital_b", addresses) == {}
    assert world.dials("helper", addresses) == {"hospital_b": "tcp://127.0.0.1:7102"}
    assert place(world.scenario(addresses), "hospital_a", world.keys).listen is None


@pytest.mark.parametrize("without", [(), ("hospital_a",), ("hospital_b",), ("helper",)])
def test_of_each_pair_exactly_one_dials(world: World, without: tuple[str, ...]) -> None:
    addresses = {name: None if name in without else address for name, address in LOCAL.items()}
    pairs = sorted(tuple(sorted((me, peer))) for me in NAMES for peer in world.dials(me, addresses))
    assert pairs == [("helper", "hospital_a"), ("helper", "hospital_b"), ("hospital_a", "hospital_b")]


@pytest.mark.parametrize(
    ("address", "listen"),
    [
        ("10.0.0.5:7101", "tcp://10.0.0.5:7101"),
        ("[::1]:7101", "tcp://[::1]:7101"),
        ("[2001:db8:0::5]:7101", "tcp://[2001:db8::5]:7101"),
        ("localhost:7101", "tcp://127.0.0.1:7101"),
        ("mpc.hospital-a.example:7101", "tcp://*:7101"),
    ],
)
def test_where_a_party_listens(world: World, address: str, listen: str) -> None:
    assert place(world.scenario({**LOCAL, "hospital_a": address}), "hospital_a", world.keys).listen == listen


@pytest.mark.parametrize(
    ("number", "endpoint"), [("10.0.0.5", "tcp://10.0.0.5:7101"), ("fd77:1::2", "tcp://[fd77:1::2]:7101")]
)
def test_a_name_is_looked_up_once(world: World, monkeypatch: pytest.MonkeyPatch, number: str, endpoint: str) -> None:
    asked = []

    def known(host: str, port: int, **_: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        asked.append(host)
        return [(0, 0, 0, "", (number, port)), (0, 0, 0, "", ("192.0.2.1", port))]

    monkeypatch.setattr("socket.getaddrinfo", known)
    addresses = {**LOCAL, "hospital_a": "mpc.hospital-a.example:7101"}
    at = place(world.scenario(addresses), "hospital_b", world.keys)
    assert asked == []
    assert at.find(None) == {"hospital_a": endpoint}
    assert asked == ["mpc.hospital-a.example"]


def test_a_name_that_nobody_knows_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    with pytest.raises(UsageError) as caught:
        world.dials("hospital_b", {**LOCAL, "hospital_a": "nowhere.example:7101"})
    assert caught.value.message == (
        "the address of hospital_a, nowhere.example:7101, has a host name that is not known here: "
        "Name or service not known"
    )
    assert caught.value.party == "hospital_a"


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1", "localhost:1", "10.0.0.5:1"])
def test_no_address_proves_that_all_are_on_this_machine(world: World, address: str) -> None:
    """A tunnel to another machine ends at a loopback address."""
    assert not place(world.scenario({**LOCAL, "helper": address}), "hospital_a", world.keys).local


def test_a_party_that_the_scenario_does_not_have(world: World) -> None:
    with pytest.raises(UsageError) as caught:
        place(world.scenario(LOCAL), "hospital_c", world.keys)
    assert caught.value.message == "the scenario has no party 'hospital_c'"
    assert caught.value.hint == "its parties are hospital_a, hospital_b, helper"


@pytest.mark.parametrize("name", ["hospital_a", "hospital_b"])
def test_a_public_key_that_is_missing_in_the_scenario_is_named(world: World, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        place(world.scenario(LOCAL, {name: None}), "hospital_a", world.keys)
    assert caught.value.message == f"[parties.{name}] has no public_key" and f"mpc keygen {name}" in caught.value.hint
