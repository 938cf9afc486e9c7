"""A study on several hosts, done as their administrators would: keys, one scenario copied to each, `mpc party`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parties.tasks.registry import load_scenario
from parties.trust.consent import consent_digest
from tests.hosts.machines import Command, World
from tests.run.command import Ran, record

SCENARIO = "study.toml"
SEED = "[testing]\ninsecure_seed = 11\n"
PARTIES = ("hospital_a", "hospital_b", "helper")
PORT = 7101


@dataclass(frozen=True)
class Study:
    """Hosts with their keys, and the scenario that they share."""

    world: World
    keys: Mapping[str, str]  # party -> public_key

    @staticmethod
    def at(world: World) -> Study:
        """Make each party's keys on its own host."""
        runs = {name: host.start("keygen", name) for name, host in world.hosts.items()}
        keys = {}
        for name, run in runs.items():
            ran = run.end()
            assert ran.code == 0, ran.err
            (world[name].folder / "keys" / "policy.toml").write_text("insecure_seed = true\n")  # these are tests
            keys[name] = ran.out.strip().removeprefix('public_key = "').removesuffix('"')
        return Study(world, keys)

    def text(self, scenario: Path, addresses: Mapping[str, str], extra: str = "") -> str:
        """The scenario for `mpc run`, with public keys and addresses."""
        text = scenario.read_text()
        for name, key in self.keys.items():
            address = f'address = "{addresses[name]}"\n' if name in addresses else ""
            lines = f'[parties.{name}]\npublic_key = "{key}"\n{address}'
            text, count = re.subn(rf"(?m)^\[parties\.{name}\].*\n", lines, text)
            assert count == 1
        return text + extra

    def copy(self, scenario: Path, text: str, only: Collection[str] = PARTIES) -> None:
        """Write the text as every host's scenario, and give each owner its own data."""
        for name in only:
            host = self.world[name]
            (host.folder / SCENARIO).write_text(text)
            for own in re.findall(rf'"([\w/]*{name}\.csv)"', text):
                (host.folder / own).parent.mkdir(exist_ok=True)
                shutil.copy(scenario.parent / own, host.folder / own)

    def digest(self, name: str) -> str:
        """What a party approves of the scenario as its host has it."""
        return consent_digest(load_scenario(self.world[name].folder / SCENARIO), name)

    def start(self, name: str, *more: str) -> Command:
        """Start a party on its host, where its scenario is approved."""
        shutil.rmtree(self.world[name].folder / "record", ignore_errors=True)
        words = ("party", SCENARIO, "--as", name, "--out", "record")
        return self.world[name].start(*words, "--approve", self.digest(name), *more)

    def look(self, name: str, *more: str) -> Command:
        """Start a party's doctor on its host, where its scenario is approved."""
        words = (SCENARIO, "--as", name)
        ran = self.world[name].mpc("approve", *words, "--digest", self.digest(name))
        assert ran.code == 0, ran.err
        return self.world[name].start("doctor", *words, *more)

    def log(self, name: str) -> str:
        """What a party's log says so far."""
        path = self.world[name].folder / "record" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def record(self, name: str) -> dict[str, Any]:
        """A party's result.json."""
        return record(self.world[name].folder / "record")

    def all(self, *order: str) -> dict[str, Ran]:
        """Start all parties, in this order, and wait until each has ended."""
        return ends({name: self.start(name) for name in order or PARTIES})

    def wait_for(self, running: Command, name: str, text: str) -> None:
        """Until a party's log says so."""
        running.wait_for(lambda: text in self.log(name), f"'{text}' in the log of {name}")


def ends(runs: Mapping[str, Command]) -> dict[str, Ran]:
    """How each party ended."""
    return {name: run.end() for name, run in runs.items()}


def done(ran: Mapping[str, Ran]) -> None:
    """Check that every party ended well."""
    for name, one in ran.items():
        assert one.code == 0, (name, one.err)
