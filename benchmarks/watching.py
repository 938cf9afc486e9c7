"""Runs a command and watches all of its processes: time by the clock, processor time, and memory."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.running import PeerFailure, last_words

_EVERY = 0.25
_MEMORY_EVERY = 4  # turns; reading it takes longer


@dataclass(frozen=True)
class Watched:
    """What a command took.

    Args:
        seconds: by the clock.
        processor: seconds of all its processes, as far as they were seen.
        memory: the most bytes that all its processes had at once; what several share counts once.
        out: what it wrote.
    """

    seconds: float
    processor: float
    memory: int
    out: str


def watch(words: Sequence[str], folder: Path, environment: Mapping[str, str], longest: float) -> Watched:
    """Run a command to its end.

    Raises:
        PeerFailure: it ended with an error, or not in time.
    """
    import psutil

    folder.mkdir(parents=True, exist_ok=True)
    log, said = folder / "log.txt", folder / "out.txt"
    spent: dict[int, float] = {}
    memory, turn = 0, 0
    began = time.monotonic()
    with open(log, "wb") as errors, open(said, "wb") as output:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=dict(environment), cwd=folder
        )
        try:
            root = psutil.Process(process.pid)
            while process.poll() is None:
                if time.monotonic() - began > longest:
                    raise PeerFailure(f"not done within {longest:g} s")
                memory = max(memory, _look(root, spent, weigh=turn % _MEMORY_EVERY == 0))
                turn += 1
                time.sleep(_EVERY)
        finally:
            process.kill()
            process.wait()
    seconds = time.monotonic() - began
    if process.returncode:
        raise PeerFailure(f"exit code {process.returncode}: {last_words(log)}")
    return Watched(seconds, sum(spent.values()), memory, said.read_text(encoding="utf-8"))


def _look(root: object, spent: dict[int, float], *, weigh: bool) -> int:
    """Note the processor time that each process has spent so far; the memory that they have now, if it is weighed."""
    import psutil

    memory = 0
    assert isinstance(root, psutil.Process)
    try:
        there = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for one in there:
        try:
            times = one.cpu_times()
            spent[one.pid] = times.user + times.system
            if weigh:
                memory += one.memory_full_info().pss
        except psutil.Error:
            continue  # it has just ended
    return memory
