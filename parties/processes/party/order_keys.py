"""Keys in the launcher's orders: the launcher writes them, and a started process reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mpc.links.zmq.curve import Identity


def write_identity(identity: Identity) -> dict[str, str]:
    """A key pair, for an order."""
    return {"public": identity.public.decode(), "secret": identity.secret.decode()}


def write_keys(identity: Identity, peers: Mapping[str, Identity]) -> dict[str, Any]:
    """A process's key pair and its peers' public keys, for an order."""
    return {**write_identity(identity), "peers": {name: peer.public.decode() for name, peer in peers.items()}}


def read_identity(fields: Mapping[str, str]) -> Identity:
    """The key pair that `write_identity` wrote."""
    return Identity(fields["public"].encode(), fields["secret"].encode())


def read_keys(fields: Mapping[str, Any]) -> tuple[Identity, dict[str, bytes]]:
    """The key pair and the peers' public keys by name that `write_keys` wrote."""
    return read_identity(fields), {name: key.encode() for name, key in fields["peers"].items()}
