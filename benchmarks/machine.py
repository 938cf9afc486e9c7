"""The machine and the versions that a report was made with."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

from parties.base.version import VERSION

_OURS = ("numpy", "pyzmq", "cryptography")
_TUNING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "NPY_DISABLE_CPU_FEATURES", "OMP_NUM_THREADS")
_IDLING = Path("/sys/devices/system/cpu/cpuidle/current_driver")
_LONGEST_WAIT = Path("/sys/module/haltpoll/parameters/guest_halt_poll_ns")


def describe() -> dict[str, str]:
    """What a reader has to know of the machine."""
    import zmq

    facts = {
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{_memory_gib():.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "beaverlodge": f"{VERSION}, Python {platform.python_version()}",
        "its libraries": ", ".join([*(f"{name} {version(name)}" for name in _OURS), f"libzmq {zmq.zmq_version()}"]),
    }
    if waits := _idling():
        facts["a core that idles"] = waits
    tuned = [f"{name}={os.environ[name]}" for name in _TUNING if name in os.environ]
    if tuned:
        facts["environment"] = ", ".join(tuned)
    return facts


def _idling() -> str:
    """In a virtual machine: for how long a core that has nothing to do waits before the host takes it back."""
    try:
        driver = _IDLING.read_text(encoding="utf-8").strip()
        longest = int(_LONGEST_WAIT.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return f"{driver}, guest_halt_poll_ns {longest}" if driver == "haltpoll" else ""


def load() -> str:
    """The load averages of the last 1, 5 and 15 minutes: other work on the machine shows here."""
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
