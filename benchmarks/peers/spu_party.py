"""One party of SecretFlow SPU: jax programs over its own process link. Runs in SPU's environment.

Each step is one compiled program, as a jax function is in SPU: compiled before the clock starts. The inputs are
shared by the party that owns them and sent over SPU's own link.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import spu
from common import Order, Report, read_order, steps_of
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

    def barrier(self) -> None:
        """Wait for all parties."""
        self.link.barrier()

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


def train(runner: Runner, order: Order, report: Report) -> None:
    """Mini-batch gradient descent; every step is one run of a compiled program."""
    arrays = order.arrays()
    steps, counts, columns = steps_of(arrays), arrays["counts"], arrays["x"].shape[1]
    rate = float(arrays["rate"])

    def choose(x: list[Any], y: list[Any]) -> Any:
        xs, ys = jnp.concatenate(x), jnp.concatenate(y)
        return [xs[rows] for rows in steps], [ys[rows] for rows in steps], jnp.zeros(columns) * ys[0]

    def step(x: Any, y: Any, w: Any) -> Any:
        return w - rate * (x.T @ (jax.nn.sigmoid(x @ w) - y) / x.shape[0])

    stops = np.cumsum(counts)
    shapes: dict[str, tuple[int, ...]] = {}
    for name, value in (("x", arrays["x"]), ("y", arrays["y"])):
        for owner, stop in enumerate(stops):
            part = value[stop - counts[owner] : stop]
            shapes[f"{name}{owner}"] = part.shape
            runner.share(f"{name}{owner}", owner, part, part.shape)
    names = [f"{name}_{t}" for name in "xy" for t in range(len(steps))]
    owners = len(counts)
    chooser = runner.compile(lambda *flat: choose(list(flat[:owners]), list(flat[owners:])), shapes, [*names, "w"])
    compiled = {
        size: runner.compile(step, {"x": (size, columns), "y": (size,), "w": (columns,)}, ["w"])
        for size in sorted(set(map(len, steps)))
    }
    programs = [
        libspu.Executable(f"step{t}", [f"x_{t}", f"y_{t}", "w"], ["w"], compiled[len(rows)].code)
        for t, rows in enumerate(steps)
    ]
    runner.runtime.run(chooser)
    runner.barrier()
    report.ready(order)
    report.begin()
    for program in programs:
        runner.runtime.run(program)
    report.end()
    opened = runner.reveal("w")
    report.result = [] if opened is None else [float(value) for value in opened]


MICRO = {
    "multiply": lambda x, y: x * y,
    "matmul": lambda x, y: x @ y,
    "less_than": lambda x, y: x < y,
    "sigmoid": lambda x, y: jax.nn.sigmoid(x),
}


def micro(runner: Runner, order: Order, report: Report) -> None:
    """One operation, again and again, after a warm-up."""
    arrays = order.arrays()
    inputs = {"x": arrays["x"].shape, "y": arrays["y"].shape}
    for owner, name in enumerate(inputs):
        runner.share(name, owner, arrays[name], inputs[name])
    program = runner.compile(MICRO[order.task.rstrip("0123456789")], inputs, ["z"])
    runner.runtime.run(program)
    report.ready(order)
    for _ in range(order.repeats):
        runner.barrier()
        report.begin()
        runner.runtime.run(program)
        report.end()
    opened = runner.reveal("z")
    if opened is not None:
        report.keep(order, opened)


def main() -> None:
    """Follow the order."""
    order = read_order()
    runner = Runner(order)
    report = Report(notes={"spu": spu.__version__, "jax": jax.__version__})
    (train if order.task == "train" else micro)(runner, order, report)
    report.write(order.report)
    runner.link.stop_link()


if __name__ == "__main__":
    main()
