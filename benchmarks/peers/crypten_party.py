"""One party of CrypTen with its default provider (the first party deals). Runs in an environment of its own.

CrypTen talks over Gloo, which chooses its ports itself and tells the other party through a store. For the emulated
WAN the addresses are exchanged by `Addresses`, which puts the relay in front of each port.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import types
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from common import Order, Report, parts_of, read_order, steps_of
from torch.distributed.rendezvous import register_rendezvous_handler

# Its converter from ONNX, which nothing here uses, imports a module that this torch does not have any more.
_stub = types.ModuleType("crypten.nn.onnx_converter")
for _name in ("from_onnx", "from_pytorch", "from_tensorflow", "TF_AND_TF2ONNX"):
    setattr(_stub, _name, None)
sys.modules[_stub.__name__] = _stub
import crypten  # noqa: E402

_LISTENERS = 64
_LOOPBACK = socket.inet_aton("127.0.0.1")


class Addresses:
    """Gives the other party this one's addresses in Gloo's store, and takes its; a relay in front of each, if asked.

    Of two parties, the one with the larger address dials: a relay's port is chosen so that the order stays.
    """

    def __init__(self, order: Order) -> None:
        self.store = dist.HashStore()
        self._relay: list[str] | None = order.options.get("relay")
        self._root = order.options.get("root")
        self._relays: list[subprocess.Popen[str]] = []
        self._taken: set[str] = set()
        self._own: dict[str, int] = {}
        host, port = order.addresses[0].rsplit(":", 1)
        if order.rank == 0:
            with socket.create_server((host, int(port))) as listener:
                self._peer, _ = listener.accept()
        else:
            self._peer = _dial(host, int(port))
        for work in (self._give, self._take):
            threading.Thread(target=work, daemon=True).start()

    def close(self) -> None:
        """End the relays."""
        for relay in self._relays:
            assert relay.stdin is not None
            relay.stdin.close()
        for relay in self._relays:
            relay.wait(10)

    def _give(self) -> None:
        while True:
            for key in self.store.list_keys():
                if key not in self._taken and key not in self._own:
                    value = self.store.get(key)
                    self._own[key] = port = _port(value)
                    message = {"key": key, "value": value.hex(), "port": port, "relayed": self._in_front(port)}
                    self._peer.sendall(json.dumps(message).encode() + b"\n")
            time.sleep(0.01)

    def _take(self) -> None:
        for line in self._peer.makefile("rb"):
            message = json.loads(line)
            key, value, port = message["key"], bytes.fromhex(message["value"]), message["port"]
            self._taken.add(key)
            if message["relayed"]:
                mine = self._own_port(key)
                other = next(q for q in message["relayed"] if (_rank(q) > _rank(mine)) == (_rank(port) > _rank(mine)))
                value = value.replace(_address(port), _address(other))
            self.store.set(key, value)

    def _own_port(self, key: str) -> int:
        group = key.rsplit("/", 1)[0]
        while True:
            for own, port in list(self._own.items()):
                if own.rsplit("/", 1)[0] == group:
                    return port
            time.sleep(0.01)

    def _in_front(self, port: int) -> list[int]:
        if self._relay is None:
            return []
        command = [*self._relay, *(f"{number}=127.0.0.1:{port}" for number in range(_LISTENERS))]
        relay = subprocess.Popen(command, cwd=self._root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._relays.append(relay)
        assert relay.stdout is not None
        return [int(where.rsplit(":", 1)[1]) for where in json.loads(relay.stdout.readline()).values()]


def _address(port: int) -> bytes:
    """How Gloo writes a loopback address: the beginning of a `sockaddr_in`."""
    return port.to_bytes(2, "big") + _LOOPBACK


def _rank(port: int) -> int:
    """What Gloo compares: the port as it lies in memory, read as a number of this machine."""
    return int.from_bytes(port.to_bytes(2, "big"), sys.byteorder)


def _port(value: bytes) -> int:
    place = value.find(_LOOPBACK)
    if place < 2:
        raise RuntimeError(f"no loopback address in what Gloo stored: {value.hex()}")
    return int.from_bytes(value[place - 2 : place], "big")


def _dial(host: str, port: int) -> socket.socket:
    end = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection((host, port))
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def start(order: Order) -> Addresses:
    """Connect the parties."""
    addresses = Addresses(order)

    def meet(url: str, **_: Any) -> Iterator[tuple[Any, int, int]]:
        yield addresses.store, order.rank, len(order.addresses)

    register_rendezvous_handler("benchmark", meet)
    os.environ.update(
        RENDEZVOUS="benchmark://",
        WORLD_SIZE=str(len(order.addresses)),
        RANK=str(order.rank),
        GLOO_SOCKET_IFNAME="lo",
    )
    torch.set_num_threads(1)
    crypten.init()
    return addresses


def share(owner: int, rank: int, value: Any) -> Any:
    """An owner's array as a shared tensor; the others give its shape only."""
    plain = torch.tensor(value, dtype=torch.float32) if owner == rank else torch.zeros(value.shape)
    return crypten.cryptensor(plain, src=owner)


def opened(value: Any) -> Any:
    """A shared value in the clear, decoded here: CrypTen's own decoding is one unit off just above negative numbers."""
    return value._tensor.reveal().numpy().astype("float64") / value._tensor.encoder.scale


def train(order: Order, report: Report) -> Any:
    """Mini-batch gradient descent."""
    arrays = order.arrays()
    parts, rate = parts_of(arrays), float(arrays["rate"])
    crypten.communicator.get().barrier()
    report.mark("connected")
    x = crypten.cat([share(owner, order.rank, arrays["x"][part]) for owner, part in enumerate(parts)])
    y = crypten.cat([share(owner, order.rank, arrays["y"][part, None]) for owner, part in enumerate(parts)])
    batches = [(x[torch.from_numpy(rows)], y[torch.from_numpy(rows)]) for rows in steps_of(arrays)]
    w = share(0, order.rank, arrays["x"][:1].T * 0)
    report.mark("steps")
    for xs, ys in batches:
        errors = xs.matmul(w).sigmoid() - ys
        w = w - xs.t().matmul(errors).div(len(xs)).mul(rate)
    report.mark("done")
    return opened(w).ravel()


MICRO = {
    "multiply": lambda x, y: x * y,
    "matmul": lambda x, y: x.matmul(y),
    "less_than": lambda x, y: x < y,
    "sigmoid": lambda x, y: x.sigmoid(),
}


def micro(order: Order, report: Report) -> Any:
    """One operation, again and again."""
    arrays = order.arrays()
    crypten.communicator.get().barrier()
    report.mark("connected")
    x, y = (share(owner, order.rank, arrays[name]) for owner, name in enumerate("xy"))
    result = x
    for _ in range(order.repeats):
        result = MICRO[order.operation](x, y)
    report.mark("done")
    return opened(result)


def main() -> None:
    """Follow the order."""
    order = read_order()
    addresses = start(order)
    report = Report(order)
    result = (train if order.task == "train" else micro)(order, report)
    crypten.communicator.get().barrier()
    addresses.close()
    report.write(result)
    os._exit(0)  # its threads and groups do not all end by themselves


if __name__ == "__main__":
    main()
