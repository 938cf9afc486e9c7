"""One party of CrypTen with the examples of docs/conformance.md. Runs in CrypTen's environment.

`max`, `var` and `sqrt` are CrypTen's. It has no sort, no inverse and no second price: numbers are sorted by counting
ranks, as ours are; the inverse is Newton's iteration, X (2 - G X). Rounds and bytes are those that CrypTen counts.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from common import Order, Report, read_order
from crypten_party import crypten, opened, share

LARGEST = 8
ROOT_SCALE = 32
_STEPS = 24


def start(order: Order) -> None:
    """Connect the parties, over the first one's port."""
    host, port = order.addresses[0].rsplit(":", 1)
    os.environ.update(
        RENDEZVOUS="env://",
        MASTER_ADDR=host,
        MASTER_PORT=port,
        WORLD_SIZE=str(len(order.addresses)),
        RANK=str(order.rank),
        GLOO_SOCKET_IFNAME="lo",
    )
    torch.set_num_threads(1)
    crypten.init()
    crypten.cfg.communicator.verbose = True


def given(order: Order) -> list[Any]:
    """The owners' arrays, shared."""
    arrays = order.arrays()
    return [share(owner, order.rank, arrays[key]) for owner, key in enumerate(sorted(arrays))]


def ranks(x: Any) -> Any:
    """How many numbers are smaller along the first axis, or equal and earlier."""
    n = x.size(0)
    less = x.unsqueeze(0) < x.unsqueeze(1)  # [i, j]: x_j < x_i
    i, j = np.tril_indices(n, -1)
    before = torch.zeros(n, n, *([1] * (x.dim() - 1)))
    before[i, j] = 1
    after = before.transpose(0, 1)
    # of equal ones the earlier counts: not x_i < x_j, for j < i
    return (less * after).sum(1) + ((1 - less.transpose(0, 1)) * before).sum(1)


def largest(x: list[Any]) -> list[Any]:
    """The largest number."""
    return [crypten.cat(x).max()]


def spread(x: list[Any]) -> list[Any]:
    """Mean and deviation, of numbers small enough for its root."""
    numbers = crypten.cat(x).div(ROOT_SCALE)
    return [numbers.mean() * ROOT_SCALE, numbers.var().sqrt() * ROOT_SCALE]


def sort(x: list[Any]) -> list[Any]:
    """All numbers in order."""
    numbers = crypten.cat(x)
    n = numbers.size(0)
    most = crypten.stack([ranks(numbers)] * n) <= torch.arange(n).unsqueeze(1).expand(n, n)
    # Two parties' == leaves its result with the scale of a bit, and what it is multiplied with, too.
    here = crypten.cat([most[:1], most[1:] - most[:-1]])
    return [(crypten.stack([numbers] * n) * here).sum(1)]


def inverse(x: list[Any]) -> list[Any]:
    """(X^T X + 1)^-1."""
    rows = crypten.cat(x)
    m, d = rows.size()
    gram = rows.t().matmul(rows) + torch.eye(d)
    two = 2 * torch.eye(d)
    result = crypten.cryptensor(torch.eye(d) / (d * (1 + m * LARGEST**2)))
    for _ in range(_STEPS):
        result = result.matmul(gram.matmul(result).neg() + two)
    return [result]


def auction(x: list[Any]) -> list[Any]:
    """Of each lot the winner and the price."""
    bids = crypten.stack(x)
    n = bids.size(0)
    rank = ranks(bids)
    number = torch.arange(n).float().reshape(n, 1)
    return [((rank == n - 1) * number).sum(0), (bids * (rank == n - 2)).sum(0)]


EXAMPLES = {"largest": largest, "spread": spread, "sort": sort, "inverse": inverse, "auction": auction}


def main() -> None:
    """Follow the order."""
    order = read_order()
    start(order)
    report = Report(order)
    counter = crypten.communicator.get()
    counter.barrier()
    counter.reset_communication_stats()
    report.mark("connected")
    results = [opened(one).ravel() for one in EXAMPLES[order.task](given(order))]
    report.mark("done")
    stats = counter.get_communication_stats()
    report.counts |= {"rounds": stats["rounds"], "bytes": stats["bytes"] / 2}  # each byte is counted at both its ends
    report.write(np.concatenate(results))
    counter.barrier()
    os._exit(0)  # its threads do not all end by themselves


if __name__ == "__main__":
    main()
