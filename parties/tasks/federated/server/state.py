"""The server's state between two rounds as bytes, kept in a sealed state (parties/trust/sealed_state.py).

It is kept before anything is asked to be released in a round (with the `pinned` survivors) and after the round. A
server that starts again goes on from there. Round numbers, sessions and keys are no part of it: each start has its own.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import is_dataclass, replace
from typing import Any, Final

import numpy as np

from mpc.errors import UsageError
from mpc.ring.array import Array
from parties.base.version import VERSION
from parties.tasks.federated.server.rounds import Best, ServerState
from parties.tasks.federated.settings import FederatedScenario
from parties.trust.sealed_state import SealedState
from protocols.federated.newton.steps import Newton, Pooled
from protocols.federated.optimise import Moments

_ENTRY: Final = "server"
_PARTS: Final = {"moments": Moments, "best": Best, "fit": Newton, "sums": Pooled}
_ARRAY: Final = "array"


def keeper(where: SealedState | None) -> Callable[[ServerState], None]:
    """Writes states there, if anywhere; each is on the disk when the call returns."""

    def keep(state: ServerState) -> None:
        if where is not None:
            where.write(_ENTRY, write_state(state))

    return keep


def kept_state(scenario: FederatedScenario, where: SealedState | None) -> ServerState | None:
    """The state with which the study goes on; None before its first round, or if it is kept nowhere.

    Raises:
        UsageError: the file cannot be used, or another version wrote it.
    """
    content = None if where is None else where.read(_ENTRY)
    if where is None or content is None:
        return None
    version = content.partition(b"\n")[0].decode(errors="replace")[:20]
    if version != VERSION:
        raise UsageError(
            f"{where.path} was written by version {version}",
            "finish the study with that version, at all parties",
            party=scenario.server,
        )
    return read_state(content)


def write_state(state: ServerState) -> bytes:
    """This version, and a state in numpy's format of several arrays (.npz): one of them is the rest, as JSON that names
    the others."""
    arrays: list[Array] = []

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays.append(value)
            return {_ARRAY: len(arrays) - 1}
        if is_dataclass(value):
            return {name: plain(one) for name, one in vars(value).items()}
        return sorted(value) if isinstance(value, frozenset) else value

    fields = {name: one if name == "history" else plain(one) for name, one in vars(state).items()}
    text = np.frombuffer(json.dumps(fields).encode(), dtype=np.uint8)
    packed = io.BytesIO()
    np.savez(packed, *arrays, allow_pickle=False, fields=text)
    return VERSION.encode() + b"\n" + packed.getvalue()


def read_state(content: bytes) -> ServerState:
    """The state that `write_state` of this version wrote. The file was sealed, so nobody else wrote it."""
    with np.load(io.BytesIO(content.partition(b"\n")[2]), allow_pickle=False) as found:
        arrays: dict[str, Array] = {name: found[name] for name in found.files}

    def built(name: str, value: Any) -> Any:
        if isinstance(value, dict) and _ARRAY in value:
            return arrays[f"arr_{value[_ARRAY]}"]
        if isinstance(value, dict):
            return _PARTS[name](**{key: built(key, one) for key, one in value.items()})
        return tuple(value) if isinstance(value, list) else value

    fields = json.loads(arrays["fields"].tobytes())
    history, pinned = tuple(fields.pop("history")), fields.pop("pinned")
    state = ServerState(**{name: built(name, one) for name, one in fields.items()})
    return replace(state, history=history, pinned=None if pinned is None else frozenset(pinned))
