"""One party of SecretFlow SPU: jax programs over its own process link. Runs in SPU's environment.

Each step is one compiled program, as a jax function is in SPU: compiled before the clock starts. The inputs are
shared by the party that owns them and sent over SPU's own link.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from common import Order, Report, parts_of, read_order, steps_of
from spu import api, libspu
from spu.utils import frontend


class Runner:
    """SPU's runtime at one party."""

    def __init__(self, order: Order) -> None:
        self.rank = order.rank
        self.world = len(order.addresses)
        protocol = libspu.ProtocolKind.__members__[order.options.get("protocol", "SEMI2K")]
        self.config = libspu.RuntimeConfig(protocol=protocol, field=libspu.FieldType.FM64)
        if "exp" in order.options:
            self.config.fxp_exp_mode = libspu.RuntimeConfig.ExpMode.__members__[order.options["exp"]]
        desc = libspu.link.Desc()
        desc.recv_timeout_ms = 120_000
        if "certificate" in order.options:
            self._encrypt(desc, order.options["certificate"], order.options["key"])
        for number, address in enumerate(order.addresses):
            desc.add_party(f"party{number}", address)
        self.link = libspu.link.create_brpc(desc, self.rank)
        self.runtime = api.Runtime(self.link, self.config)
        self.io = api.Io(self.world, self.config)

    @staticmethod
    def _encrypt(desc: Any, certificate: str, key: str) -> None:
        """TLS on the link; one certificate, which all parties have and check each other's by."""
        desc.enable_ssl = True
        for options in (desc.server_ssl_opts, desc.client_ssl_opts):
            options.cert.certificate_path = certificate
            options.cert.private_key_path = key
            options.verify.ca_file_path = certificate
            options.verify.verify_depth = 1

    def share(self, name: str, owner: int, value: Any, shape: tuple[int, ...]) -> None:
        """The owner's array, shared among all under a name; the others give None."""
        mine = None
        if owner == self.rank:
            assert value.shape == shape
            shares = self.io.make_shares(np.ascontiguousarray(value), libspu.Visibility.VIS_SECRET)
            mine = shares[self.rank]
            for other in range(self.world):
                if other != self.rank:
                    self.link.send(other, shares[other].meta)
                    self.link.send(other, b"".join(shares[other].share_chunks))
        else:
            mine = libspu.Share()
            mine.meta = self.link.recv(owner)
            mine.share_chunks = [self.link.recv(owner)]
        self.runtime.set_var(name, mine)

    def compile(self, function: Any, inputs: dict[str, tuple[int, ...]], outputs: list[str]) -> Any:
        """A jax function of secret arrays as a program of SPU."""
        shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in inputs.values()]
        executable, _ = frontend.compile(
            frontend.Kind.JAX,
            function,
            shapes,
            {},
            list(inputs),
            [libspu.Visibility.VIS_SECRET] * len(inputs),
            lambda flat: outputs,
        )
        return executable

    def reveal(self, name: str) -> Any:
        """A shared value, opened at the first party (None elsewhere)."""
        share = self.runtime.get_var(name)
        if self.rank != 0:
            self.link.send(0, share.meta)
            self.link.send(0, b"".join(share.share_chunks))
            return None
        shares = [share]
        for other in range(1, self.world):
            one = libspu.Share()
            one.meta = self.link.recv(other)
            one.share_chunks = [self.link.recv(other)]
            shares.append(one)
        return self.io.reconstruct(shares)


def train(runner: Runner, order: Order, report: Report) -> Any:
    """Mini-batch gradient descent; every step is one run of a compiled program."""
    arrays = order.arrays()
    steps, parts, columns = steps_of(arrays), parts_of(arrays), arrays["x"].shape[1]
    rate = float(arrays["rate"])

    def choose(x: list[Any], y: list[Any]) -> Any:
        xs, ys = jnp.concatenate(x), jnp.concatenate(y)
        return [xs[rows] for rows in steps], [ys[rows] for rows in steps], jnp.zeros(columns) * ys[0]

    def step(x: Any, y: Any, w: Any) -> Any:
        return w - rate * (x.T @ (jax.nn.sigmoid(x @ w) - y) / x.shape[0])

    inputs = {f"{name}{owner}": arrays[name][part] for name in "xy" for owner, part in enumerate(parts)}
    shapes = {name: value.shape for name, value in inputs.items()}
    names, owners = [f"{name}_{t}" for name in "xy" for t in range(len(steps))], len(parts)
    chooser = runner.compile(lambda *flat: choose(list(flat[:owners]), list(flat[owners:])), shapes, [*names, "w"])
    compiled = {
        size: runner.compile(step, {"x": (size, columns), "y": (size,), "w": (columns,)}, ["w"])
        for size in sorted(set(map(len, steps)))
    }
    programs = [
        libspu.Executable(f"step{t}", [f"x_{t}", f"y_{t}", "w"], ["w"], compiled[len(rows)].code)
        for t, rows in enumerate(steps)
    ]
    runner.link.barrier()
    report.mark("connected")
    for name, value in inputs.items():
        runner.share(name, int(name[1:]), value, value.shape)
    runner.runtime.run(chooser)
    report.mark("steps")
    for program in programs:
        runner.runtime.run(program)
    report.mark("done")
    return runner.reveal("w")


MICRO = {
    "multiply": lambda x, y: x * y,
    "matmul": lambda x, y: x @ y,
    "less_than": lambda x, y: x < y,
    "sigmoid": lambda x, y: jax.nn.sigmoid(x),
}


def micro(runner: Runner, order: Order, report: Report) -> Any:
    """One operation, again and again."""
    arrays = order.arrays()
    program = runner.compile(MICRO[order.operation], {name: arrays[name].shape for name in "xy"}, ["z"])
    runner.link.barrier()
    report.mark("connected")
    for owner, name in enumerate("xy"):
        runner.share(name, owner, arrays[name], arrays[name].shape)
    for _ in range(order.repeats):
        runner.runtime.run(program)
    report.mark("done")
    return runner.reveal("z")


def main() -> None:
    """Follow the order."""
    order = read_order()
    runner, report = Runner(order), Report(order)
    report.write((train if order.task == "train" else micro)(runner, order, report))
    runner.link.stop_link()


if __name__ == "__main__":
    main()
