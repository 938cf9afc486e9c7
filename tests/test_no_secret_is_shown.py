"""No key, seed or other secret is in what Python shows of an object, and so in no traceback, log or test's output."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator
from unittest.mock import MagicMock

import pytest

SECRET = re.compile(r"(^|_)(keys?|secrets?|seeds?|private|passphrase|password|signing)(_|$)")
PUBLIC = {
    "mpc.links.network.Stranger.key": "a public key",
    "mpc.testing.views.draws.Shake.seeds": "labels of public streams",
    "mpc.runtime.inputs.Input.private": "yes or no",
    "mpc.testing.views.noting.Note.key": "where a number was drawn",
    "parties.cli.here.Here.keys": "a folder",
    "parties.cli.run_star_party._Part.keys": "a folder",
    "parties.audit.attack.Audited.seed": "public: an audit comes out the same again",
    "parties.processes.network.delay_line.Conditions.seed": "public: of the jitter",
    "parties.doctor.peers.Side.keys": "public keys",
    "parties.sweep.settings.Setting.key": "a setting's name",
    "parties.sweep.study.Cell.seed": "public: it splits and orders rows",
    "parties.cli.simulation.ProtocolRun.seed": "public: made-up inputs are drawn from it",
    "parties.cli.simulation.ProtocolRun.insecure_seed": "stands in the scenario: who has it protects nothing",
    "parties.cli.simulation.Simulation.seed": "public: made-up inputs are drawn from it",
    "parties.cli.simulation.Simulation.insecure_seed": "stands in the scenario: who has it protects nothing",
    "parties.cli.star_simulation.StarSimulation.seed": "public: made-up inputs are drawn from it",
    "parties.cli.star_simulation.StarSimulation.insecure_seed": "stands in the scenario: who has it protects nothing",
    "parties.trust.share_file.Bound.keys": "public texts",
    "parties.trust.share_file.Vault.keys": "public texts",
    "protocols.aggregation.client._Neighbours.keys": "public keys",
    "protocols.aggregation.helper_messages.Facts.keys": "public keys",
    "protocols.aggregation.server._Round.keys": "public keys",
    "protocols.aggregation.server._Round.helper_key": "a public key",
    "protocols.training.batches.Batches.seed": "public: it orders rows",
    "protocols.rows.settings.TrainingSettings.seed": "public: it splits and orders rows",
}
MARK = "do-not-show-this"


def classes() -> Iterator[type]:
    """Every class of ours that shows its fields by itself."""
    for package in map(importlib.import_module, ("mpc", "protocols", "parties")):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for kind in vars(importlib.import_module(module.name)).values():
                if isinstance(kind, type) and kind.__module__ == module.name and fields(kind):
                    yield kind


def fields(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass or a named tuple; none of any other class."""
    if dataclasses.is_dataclass(kind):
        return tuple(one.name for one in dataclasses.fields(kind))
    return tuple(vars(kind).get("_fields", ()))


def secrets(kind: type) -> tuple[str, ...]:
    """The fields whose names say that they are secret."""
    named = (name for name in fields(kind) if SECRET.search(name))
    return tuple(name for name in named if f"{kind.__module__}.{kind.__qualname__}.{name}" not in PUBLIC)


def shown(kind: type) -> str:
    """What Python shows of an object of this class, whose secret fields hold the mark."""
    values = {name: MARK if name in secrets(kind) else MagicMock() for name in fields(kind)}
    if not dataclasses.is_dataclass(kind):
        return repr(kind(**values))
    one = object.__new__(kind)
    for name, value in values.items():
        object.__setattr__(one, name, value)
    return repr(one)


HOLDERS = sorted((kind for kind in classes() if secrets(kind)), key=lambda kind: kind.__qualname__)


def test_the_walk_sees_those_that_hold_secrets() -> None:
    names = {kind.__qualname__ for kind in HOLDERS}
    assert names >= {"Identity", "KeyPair", "TagKey", "Agreement", "Vault", "_Own"}


def test_what_is_called_public_is_there() -> None:
    known = {f"{kind.__module__}.{kind.__qualname__}.{name}" for kind in classes() for name in fields(kind)}
    assert known >= PUBLIC.keys()


@pytest.mark.parametrize("kind", HOLDERS, ids=lambda kind: kind.__qualname__)
def test_it_is_not_shown(kind: type) -> None:
    assert MARK not in shown(kind)


def test_a_planted_secret_is_seen() -> None:
    planted = dataclasses.make_dataclass("Planted", [("dealing_seeds", bytes), ("name", str)])
    assert secrets(planted) == ("dealing_seeds",) and MARK in shown(planted)
