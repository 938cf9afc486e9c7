"""The gate before a listener, where descriptors stay few for long."""

from __future__ import annotations

import socket

import pytest

from mpc.links.zmq import gate


def test_a_gate_stays_shut_for_as_long_as_descriptors_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """It turns out twice as many at each look, but a count of connections and not beyond what a count can be."""
    monkeypatch.setattr(gate, "_in_use", lambda: float("inf"))
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener, ours, theirs:
        kept = gate.Gate(listener.fileno(), lambda _: ours.shutdown(socket.SHUT_RDWR), 1e6)
        kept.took(ours.fileno(), 0.0)
        assert kept.shut
        assert theirs.recv(1) == b""  # turned out
        for look in range(1, 200):
            kept.look(float(look))
        assert kept.shut
        monkeypatch.setattr(gate, "_in_use", lambda: 0.0)
        kept.ended(ours.fileno())
        kept._room = 1.0
        kept.look(200.0)
        assert not kept.shut
        kept.close()
