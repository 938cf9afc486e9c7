"""Hosts as network namespaces, each with a cable to one router whose packets pass through the wire (tests.hosts.wire).

`World` makes them with `ip` (iproute2) and `nft` (nftables), and takes them away. Needs root.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.hosts.wire import DEVICE
from tests.run.command import LONG, MPC, ROOT, Ran, environment

_TABLE: Final = "77"  # the router's routes for what hosts send: to the wire, wherever it goes
_CLOSED: Final = """
table inet guard {
    chain input {
        type filter hook input priority 0; policy drop;
        iif lo accept
        ct state established,related accept
        meta l4proto ipv6-icmp accept
    }
}
"""


class NotPermitted(Exception):
    """This process cannot make namespaces here; says why."""


def run(*words: str | Path, feed: str = "") -> str:
    """Run a tool to its end; returns what it printed."""
    done = subprocess.run([*map(str, words)], input=feed, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotPermitted(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout


def check_permitted() -> None:
    """Raises `NotPermitted` where namespaces cannot be made, with the reason."""
    for tool, package in (("ip", "iproute2"), ("tc", "iproute2"), ("nft", "nftables")):
        if shutil.which(tool) is None:
            raise NotPermitted(f"there is no `{tool}` (package {package})")
    if os.geteuid() != 0:
        raise NotPermitted("only root may make network namespaces")
    if not Path("/dev/net/tun").exists():
        raise NotPermitted("there is no /dev/net/tun")
    name = f"bl{os.getpid()}-try"
    run("ip", "netns", "add", name)
    try:
        run("ip", "netns", "exec", name, "nft", "list", "ruleset")
    finally:
        run("ip", "netns", "del", name)


class Command:
    """A `mpc` command that is going on, on some host."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Until the condition holds; the command must still be running."""
        end = time.monotonic() + LONG
        while not condition():
            assert self.process.poll() is None, f"ended before {what}: {self.process.communicate()}"
            assert time.monotonic() < end, f"no {what} in {LONG} s"
            time.sleep(0.005)  # a poll of the file system, not a wait for a length of time

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    def end(self) -> Ran:
        """Wait for the command to end."""
        started = time.monotonic()
        out, err = self.process.communicate(timeout=LONG)
        return Ran(self.process.returncode, out, err, time.monotonic() - started)

    def kill(self) -> None:
        """End it, if it has not ended."""
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate()


class Host:
    """One host: a namespace with a cable, an IPv4 and an IPv6 address, a folder of its own, and its hosts file."""

    def __init__(self, name: str, number: int, folder: Path) -> None:
        self.name = name
        self.space = f"bl{os.getpid()}-{name}"
        self.cable = f"to{number}"  # the router's end
        self.ipv4, self.ipv6 = f"10.77.{number}.2", f"fd77:{number}::2"
        self.router_ipv4, self.router_ipv6 = f"10.77.{number}.1", f"fd77:{number}::1"
        self.folder = folder
        self._started: list[Command] = []

    def ip(self, *words: str) -> None:
        """Run `ip` in this host."""
        run("ip", "-n", self.space, *words)

    def command(self, *words: str | Path) -> list[str]:
        """A command as this host runs it."""
        return ["ip", "netns", "exec", self.space, *map(str, words)]

    def mpc(self, *words: str | Path) -> Ran:
        """Run `mpc WORDS` here to its end, in the host's folder."""
        started = self.start(*words)
        return started.end()

    def start(self, *words: str | Path) -> Command:
        """Start `mpc WORDS` here, in the host's folder."""
        running = Command(self.command(*MPC, *words), self.folder)
        self._started.append(running)
        return running

    def stop(self) -> None:
        """Kill what was started here and has not ended."""
        for running in self._started:
            running.kill()
        self._started.clear()

    def close_inbound(self) -> None:
        """A firewall that lets nobody in: only answers to what this host asked."""
        run(*self.command("nft", "-f", "-"), feed=_CLOSED)

    def open_inbound(self) -> None:
        """No firewall any more."""
        run(*self.command("nft", "-f", "-"), feed="delete table inet guard")

    def rate(self, mbit: float) -> None:
        """What this host sends leaves at so many Mbit/s."""
        tbf = ["tbf", "rate", f"{mbit}mbit", "burst", "32kb", "latency", "200ms"]
        run("tc", "-n", self.space, "qdisc", "replace", "dev", "eth0", "root", *tbf)


class World:
    """A router, the wire, and hosts that reach each other through both."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.hosts = {name: Host(name, number, folder / name) for number, name in enumerate(names, 1)}
        self.router = f"bl{os.getpid()}-router"
        self._wire: subprocess.Popen[str] | None = None

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def __enter__(self) -> World:
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._wire is not None:
            self._wire.communicate()
        for space in [self.router, *(host.space for host in self.hosts.values())]:
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)
            shutil.rmtree(f"/etc/netns/{space}", ignore_errors=True)

    def wire(self, **what: Any) -> dict[str, int]:
        """Give the wire an order (see `Wire.order`); returns how many packets it lost and altered so far."""
        assert self._wire is not None and self._wire.stdin is not None and self._wire.stdout is not None
        self._wire.stdin.write(json.dumps(what) + "\n")
        self._wire.stdin.flush()
        answer: dict[str, int] = json.loads(self._wire.stdout.readline())
        return answer

    def stop(self) -> None:
        """Kill what was started on any host and has not ended, and mend what was cut."""
        for host in self.hosts.values():
            host.stop()
        self.mend()

    def cut(self, *names: str, how: str = "drop") -> None:
        """From now on the router drops (or rejects "with tcp reset") what goes to and from these hosts."""
        rules = "\n".join(
            f'iifname "{self[name].cable}" {verdict}\noifname "{self[name].cable}" {verdict}'
            for name in names
            for verdict in ([how] if how == "drop" else [f"meta l4proto tcp {how}", "drop"])
        )
        chain = f"chain forward {{ type filter hook forward priority 0; policy accept;\n{rules}\n }}"
        self._nft(f"table inet cut {{\n{chain}\n}}")

    def mend(self) -> None:
        """The router lets everything pass again."""
        self._nft("table inet cut {}\ndelete table inet cut")  # also where nothing is cut

    def _nft(self, text: str) -> None:
        run("ip", "netns", "exec", self.router, "nft", "-f", "-", feed=text)

    def _build(self) -> None:
        run("ip", "netns", "add", self.router)
        in_router = ["ip", "netns", "exec", self.router]
        settings = ["ipv4.ip_forward=1", "ipv6.conf.all.forwarding=1", "ipv4.conf.all.rp_filter=0"]
        run(*in_router, "sysctl", "-qw", *(f"net.{setting}" for setting in settings))
        words = [*in_router, sys.executable, "-m", "tests.hosts.wire"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._wire = subprocess.Popen(words, cwd=ROOT, env=environment(), text=True, **pipes)  # type: ignore[call-overload]
        assert self._wire is not None and self._wire.stdout is not None
        if not self._wire.stdout.readline():
            raise NotPermitted("the wire found no TUN device")
        router = ["ip", "-n", self.router]
        run(*in_router, "sysctl", "-qw", f"net.ipv4.conf.{DEVICE}.rp_filter=0")
        run(*router, "link", "set", DEVICE, "up")
        run(*router, "link", "set", "lo", "up")
        for family in ("-4", "-6"):
            run(*router, family, "route", "add", "default", "dev", DEVICE, "table", _TABLE)
        for host in self.hosts.values():
            self._plug_in(host)

    def _plug_in(self, host: Host) -> None:
        host.folder.mkdir(parents=True, exist_ok=True)
        run("ip", "netns", "add", host.space)
        router = ["ip", "-n", self.router]
        run(*router, "link", "add", host.cable, "type", "veth", "peer", "name", "eth0", "netns", host.space)
        run("ip", "netns", "exec", self.router, "sysctl", "-qw", f"net.ipv4.conf.{host.cable}.rp_filter=0")
        run(*router, "addr", "add", f"{host.router_ipv4}/24", "dev", host.cable)
        run(*router, "addr", "add", f"{host.router_ipv6}/64", "dev", host.cable, "nodad")
        run(*router, "link", "set", host.cable, "up")
        host.ip("addr", "add", f"{host.ipv4}/24", "dev", "eth0")
        host.ip("addr", "add", f"{host.ipv6}/64", "dev", "eth0", "nodad")
        host.ip("link", "set", "lo", "up")
        host.ip("link", "set", "eth0", "up")
        host.ip("route", "add", "default", "via", host.router_ipv4)
        host.ip("-6", "route", "add", "default", "via", host.router_ipv6)
        for family in ("-4", "-6"):
            run(*router, family, "rule", "add", "iif", host.cable, "lookup", _TABLE)
        names = Path("/etc/netns") / host.space
        names.mkdir(parents=True, exist_ok=True)
        lines = ["127.0.0.1 localhost", "::1 localhost"]
        lines += [f"{other.ipv6} {other.name.replace('_', '-')}.example" for other in self.hosts.values()]
        (names / "hosts").write_text("\n".join(lines) + "\n")
        (names / "nsswitch.conf").write_text("hosts: files\n")  # nobody out there to ask
