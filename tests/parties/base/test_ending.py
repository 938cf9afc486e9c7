"""A process ends with its own exit code, whatever its threads are doing."""

from __future__ import annotations

import subprocess
import sys

import pytest

READS = """
import threading

import duckdb

started = threading.Event()

def read():
    data = duckdb.connect()
    while True:
        data.execute("select sum(i) from range(100000) t(i)").fetchall()
        started.set()

threading.Thread(target=read, daemon=True).start()
started.wait()
print("said before", flush=False)
"""


def ended(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)


def test_a_thread_that_reads_data_does_not_change_the_exit_code() -> None:
    done = ended(f"{READS}\nfrom parties.base.ending import end_process\nend_process(5)")
    assert (done.returncode, done.stdout, done.stderr) == (5, "said before\n", "")


@pytest.mark.parametrize("threads", ["", "threading.Thread(target=time.sleep, args=(60,), name=LIFELINE, daemon=True)"])
def test_python_tidies_up_where_nothing_hinders(threads: str) -> None:
    start = f"{threads}.start()" if threads else ""
    done = ended(
        "import atexit, threading, time\n"
        "from parties.base.ending import LIFELINE, end_process\n"
        f"atexit.register(print, 'tidy')\n{start}\nend_process(3)"
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "tidy\n", "")
