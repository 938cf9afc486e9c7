"""How a process ends while a thread of it is still at work in a library."""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import suppress
from typing import Final, NoReturn

LIFELINE: Final = "lifeline"
"""The name of the thread that watches the launcher: it runs Python's own code alone, and is no hindrance."""


def end_process(code: int) -> NoReturn:
    """End this process with an exit code.

    A party that gives up does not wait for a thread that reads its data, or that ends ZeroMQ's connections. Python,
    once it has begun to tidy up, ends a thread that comes back from a library's code (before 3.14), and where that code
    is C++, as DuckDB's, the system then aborts the process: with another exit code, and a sentence of the C++ library.
    So while such a thread is left, Python does not tidy up.
    """
    others = set(threading.enumerate()) - {threading.main_thread()}
    if all(thread.name == LIFELINE for thread in others):
        sys.exit(code)
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
