"""A Dask cluster, with this software on every worker.

Dask sends its messages as pickles. Whoever can reach the scheduler can run code on every worker, and the scheduler on
whoever connects to it. So it belongs into a private network, and its address is its user's own affair.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from mpc.errors import UsageError
from parties.base.version import VERSION

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

CONNECT_TIMEOUT: Final = 20
"""Seconds to find the scheduler, and then a worker."""

LOCAL: Final = "local"
"""The address that stands for a cluster of this machine, which ends with its user."""


@contextmanager
def connect(address: str) -> Iterator[tuple[Client, int]]:
    """Connect to a cluster; yield the client and the number of worker threads.

    Args:
        address: of its scheduler; "local" starts one on this machine, with a worker for each processor.

    Raises:
        UsageError: Dask is not installed, no scheduler or worker answers, or a worker has another version.
    """
    try:
        from distributed import Client
    except ImportError:
        hint = "pip install 'beaverlodge[dask]'"
        raise UsageError("a Dask cluster needs the package distributed, which is not installed", hint) from None
    with ExitStack() as stack:
        try:
            scheduler = stack.enter_context(_own_cluster()) if address == LOCAL else address
            client = stack.enter_context(Client(scheduler, timeout=CONNECT_TIMEOUT))
        except (OSError, ValueError) as problem:
            raise UsageError(
                f"no Dask scheduler answers at {address}: {str(problem).splitlines()[0]}",
                "start one with `dask scheduler`, and name the address that it prints",
            ) from None
        try:
            client.wait_for_workers(1, timeout=CONNECT_TIMEOUT)
        except TimeoutError:
            raise UsageError(f"the scheduler at {address} has no worker", "start some with `dask worker`") from None
        _check_versions(client)
        yield client, max(1, sum(client.nthreads().values()))


def _own_cluster() -> LocalCluster:
    """A cluster of this machine: each worker a process with one thread. Nobody else has the keys of its connections."""
    from distributed import LocalCluster

    return LocalCluster(threads_per_worker=1, dashboard_address=None, security=True, silence_logs=logging.ERROR)


def _check_versions(client: Client) -> None:
    hint = f"install version {VERSION} of beaverlodge on every worker"
    try:
        versions = client.run(installed_version)
    except Exception as problem:  # whatever the import of our code raised on a worker
        raise UsageError(f"a worker cannot run beaverlodge: {type(problem).__name__}", hint) from None
    for worker, version in versions.items():
        if version != VERSION:
            raise UsageError(f"the worker {worker} has version {version} of beaverlodge, and here is {VERSION}", hint)


def installed_version() -> str:
    """The version of this software on the machine that runs this function."""
    return VERSION
