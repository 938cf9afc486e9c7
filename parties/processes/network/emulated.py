"""From a scenario's [network] to the links that the relay lays, and what the screen says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mpc.faults.fault import Fault
from parties.processes.network.delay_line import Conditions
from parties.scenario.network import LinkSpec, NetworkSpec

Links = Callable[[str, str], Conditions]
"""The conditions of the link of two processes."""


def links_of(
    network: NetworkSpec | None, faults: Sequence[Fault] = (), called: Callable[[str], str] = str
) -> Links | None:
    """The link of each two processes, or None where the machine's own links will do.

    Args:
        faults: of the run: who is to lose a connection, has it by the relay.
        called: what a scenario calls a process.
    """
    if network is None or network.idle:
        drops = any(fault.kind == "drop" for fault in faults)
        return (lambda one, other: Conditions(0.0, None)) if drops else None
    return lambda one, other: _conditions(network, called(one), called(other))


def _conditions(network: NetworkSpec, one: str, other: str) -> Conditions:
    link = network.between(one, other)
    rate = None if link.bandwidth_mbit is None else link.bandwidth_mbit * 1e6 / 8
    seconds = (link.latency_ms or 0.0) / 1000, (link.jitter_ms or 0.0) / 1000
    return Conditions(seconds[0], rate, seconds[1], network.cuts_between(one, other), network.seed)


def network_lines(network: NetworkSpec | None) -> Iterator[str]:
    """The conditions of the links in words, a line each."""
    if network is None or network.idle:
        return
    yield f"every link is made to have {_text(network)}"
    for name in network.links:
        yield f"{name} is made to have {_text(network.between(*name.split('-')))}"
    for cut in network.cuts:
        yield f"{cut.link} is cut from {cut.at:g} s to {cut.at + cut.seconds:g} s"


def _text(link: LinkSpec | NetworkSpec) -> str:
    jitter = f", up to {link.jitter_ms:g} ms more or less," if link.jitter_ms else ""
    rate = "" if link.bandwidth_mbit is None else f" and {link.bandwidth_mbit:g} Mbit/s each way"
    return f"{link.latency_ms:g} ms one way{jitter if rate else jitter.rstrip(',')}{rate}"
