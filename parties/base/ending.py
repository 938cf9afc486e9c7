"""How a process ends while a thread of it is still at work in a library."""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import suppress
from typing import Final, NoReturn

LIFELINE: Final = "lifeline"
"""The name of the thread that watches the launcher. It runs only Python code, so Python can tidy up beside it."""


def end_process(code: int) -> NoReturn:
    """End this process with an exit code.

    A party that gives up does not wait for a thread that reads its data or ends ZeroMQ's connections. Before 3.14,
    Python ends a thread that returns from a library's code while Python tidies up. If that code is C++ (DuckDB), the
    system aborts the process, with another exit code and a message of the C++ library. So Python does not tidy up
    while such a thread is left.
    """
    others = set(threading.enumerate()) - {threading.main_thread()}
    if all(thread.name == LIFELINE for thread in others):
        sys.exit(code)
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
