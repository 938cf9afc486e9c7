"""Sets up each peer from the package registry, in an environment of its own under build/."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.running import last_words

_PROBE = "import sys, ensurepip, ssl, venv; sys.exit(sys.version_info[:2] != (3, 11))"
_SLOWEST_INSTALL = 900.0


@dataclass(frozen=True)
class Environment:
    """A peer's virtual environment.

    Args:
        key: its name among folders and programs.
        title: the peer's name.
        installs: the arguments of `pip install`, one call after another.
        shown: the packages whose versions the report names.
        check: a Python line that must run in it.
    """

    key: str
    title: str
    installs: tuple[tuple[str, ...], ...]
    shown: tuple[str, ...]
    check: str


ENVIRONMENTS = (
    Environment("spu", "SecretFlow SPU", (("spu==0.9.5",),), ("spu", "jax", "numpy"), "import spu"),
    Environment(
        "crypten",
        "CrypTen",
        # Its wheel asks for a package named sklearn that cannot be installed any more, and for more that is not needed.
        (("--no-deps", "crypten==0.4.1"), ("torch==2.13.0", "numpy", "pyyaml", "omegaconf")),
        ("crypten", "torch", "numpy"),
        "import torch.distributed, omegaconf, yaml",
    ),
    Environment("flower", "Flower", (("flwr[simulation]==1.41.0",),), ("flwr", "ray", "numpy"), "import flwr, ray"),
    Environment("mpyc", "MPyC", (("mpyc==0.11", "numpy", "gmpy2"),), ("mpyc", "numpy", "gmpy2"), "import mpyc"),
)


def set_up(environment: Environment, folder: Path) -> str:
    """Make the environment ready, if it is not: its versions, or why it cannot be had; never raises."""
    place = folder / f"venv-{environment.key}"
    stamp, wanted = place / ".ready", repr(environment)
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        if failure := _install(environment, place, folder / f"setup-{environment.key}.log"):
            return f"could not be set up: {failure}"
        stamp.write_text(wanted, encoding="utf-8")
    return _versions(python_of(folder, environment.key), environment.shown)


def python_of(folder: Path, key: str) -> Path:
    """The interpreter of a peer's environment."""
    return folder.resolve() / f"venv-{key}" / "bin" / "python"


def find_python() -> str | None:
    """A Python 3.11 that can make environments: all three peers have wheels for it."""
    named = os.environ.get("PYTHON")
    for candidate in (sys.executable, *([named] if named else []), "python3.11", "python3"):
        if shutil.which(candidate) and subprocess.run([candidate, "-c", _PROBE], capture_output=True).returncode == 0:
            return candidate
    return None


def _install(environment: Environment, place: Path, log: Path) -> str:
    """Why it failed, or nothing."""
    python = find_python()
    if python is None:
        return "no Python 3.11 was found to set it up with (name one, as in: make bench PYTHON=/path/to/python3.11)"
    log.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(place, ignore_errors=True)
    inside = str(place / "bin" / "python")
    pip = [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    commands = [[python, "-m", "venv", str(place)], *([*pip, *install] for install in environment.installs)]
    commands.append([inside, "-c", environment.check])
    with open(log, "wb") as output:
        for command in commands:
            failure = _run(command, output, log)
            if failure:
                return failure
    return ""


def _run(command: Sequence[str], output: object, log: Path) -> str:
    try:
        code = subprocess.run(command, stdout=output, stderr=output, timeout=_SLOWEST_INSTALL).returncode  # type: ignore[call-overload]
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"`{' '.join(command[1:])}`: {type(error).__name__}"
    return f"`{' '.join(command[1:])[:80]}` ended with exit code {code}: {last_words(log)}" if code else ""


def _versions(python: Path, packages: Sequence[str]) -> str:
    script = "import sys, importlib.metadata as m; print(', '.join(f'{p} {m.version(p)}' for p in sys.argv[1:]))"
    done = subprocess.run([str(python), "-c", script, *packages], capture_output=True, text=True)
    return done.stdout.strip()
