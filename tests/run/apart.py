"""Two hospitals and a helper, each started by a command of its own, as on machines of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parties.trust.keys import generate
from tests.ports import free_ports
from tests.run.command import Ran, Running, approving, asked, ends_of
from tests.run.scenarios import write_scenario

PARTIES = ("hospital_a", "hospital_b", "helper")


def separate(tmp_path: Path, **task: Any) -> Path:
    """A scenario with keys, and addresses for the two hospitals."""
    scenario = write_scenario(tmp_path, **task)
    scenario.write_text(with_keys(scenario.read_text(), tmp_path / "keys", PARTIES[:2]))
    return scenario


def with_keys(text: str, keys: Path, listening: Sequence[str], others: Sequence[str] = ("helper",)) -> str:
    """A scenario's text with public keys of these parties, and addresses of those that listen."""
    ports = dict(zip(listening, free_ports(len(listening)), strict=True))
    for name in (*listening, *others):
        _, key = generate(name, keys)
        address = f'address = "127.0.0.1:{ports[name]}"\n' if name in ports else ""
        text = text.replace(f"[parties.{name}]\n", f'[parties.{name}]\npublic_key = "{key}"\n{address}')
    return text


def party(scenario: Path, name: str, *more: str | Path) -> tuple[str | Path, ...]:
    """What starts a party."""
    return ("party", scenario, "--as", name, "--keys", scenario.parent / "keys", *more)


def approval(scenario: Path, name: str) -> str:
    """The digest that the refusal names."""
    return asked(*party(scenario, name))[1]


def start(scenario: Path, name: str, approve: str | None = None, *words: str) -> Running:
    """A party of a scenario that is approved as it is."""
    approval = ("--approve", approve) if approve is not None else approving(scenario, name)
    return Running(*party(scenario, name, "--out", scenario.parent / name, *approval, *words))


def all_started(scenario: Path) -> dict[str, Ran]:
    """How every party ends, each of which approves the scenario as it is."""
    return ends_of({name: start(scenario, name) for name in PARTIES})
