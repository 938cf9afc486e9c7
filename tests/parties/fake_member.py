"""A party that does what its order says, to try its launcher on. It imports little, to start fast."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

from mpc.errors import error_of_code
from parties.base.events import EVENTS_FD
from parties.base.reporter import Reporter
from parties.processes.party.lifeline import Lifeline, die_with_parent


def main() -> None:
    """One run of the party."""
    if os.environ.get("FAKE_UNBOUND") != "1":
        die_with_parent()
    lifeline = Lifeline(on_end=_ignore) if os.environ.get("FAKE_DEAF") == "1" else Lifeline()
    order = lifeline.order()
    reporter = Reporter.to_launcher()
    match order["act"]:
        case "fail_early":
            fail(reporter, order)
        case "stop_early":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "start_slowly":
            time.sleep(order["delay"])
    Path(order["out"], f"{order['name']}.pid").write_text(str(os.getpid()))
    reporter.listening(f"tcp://127.0.0.1/{order['name']}")
    peers = lifeline.peers()
    reporter.stage("training", 3, 40)
    act(order, reporter, peers)


def act(order: dict[str, Any], reporter: Reporter, peers: dict[str, str | None]) -> None:
    """What the order says, once all parties have met."""
    result = {
        "name": order["name"],
        "argv": sys.argv,
        "peers": peers,
        "keys": order.get("keys"),
    }
    match order["act"]:
        case "succeed" | "stop_early" | "start_slowly":
            reporter.done(result)
        case "interrupt_self":
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGHUP)
            reporter.done(result)
        case "threads":
            names = ("OPENBLAS_NUM_THREADS", "EXTRA")
            reporter.done({name: os.environ.get(name) for name in names})
        case "fail":
            fail(reporter, order)
        case "kill_self":
            os.kill(os.getpid(), order.get("signal", signal.SIGKILL))
            wait_for_ever()
        case "stop_self":
            reporter.log("info", "stopping")
            os.kill(os.getpid(), signal.SIGSTOP)
            reporter.done(result)
        case "hang":
            wait_for_ever()
        case "hang_hard":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            reporter.log("info", "hanging")
            wait_for_ever()
        case "crash":
            raise ValueError("a planted bug")
        case "exit":
            os._exit(order["code"])
        case "done_then_kill_self":
            reporter.done(result)
            os.kill(os.getpid(), signal.SIGKILL)
        case "done_then_stay":
            reporter.done(result)
            wait_for_ever()
        case "raw":
            raw(order["lines"], order.get("piece", 1 << 30))
            if order.get("then") == "hang":
                wait_for_ever()
        case "huge":
            reporter.done({"text": "x" * order["size"]})
        case "many":
            for number in range(order["count"]):
                reporter.log("info", str(number))
            reporter.done({})


def fail(reporter: Reporter, order: dict[str, Any]) -> NoReturn:
    """Reports the error that the order describes, waits if told to, and ends with the error's code."""
    error = error_of_code(order["code"])(order["message"], order.get("hint", ""), party=order.get("party"))
    time.sleep(order.get("delay", 0.0))
    reporter.failed(error, first_hand=order["first_hand"])
    if order.get("then") == "hang":
        wait_for_ever()
    sys.exit(error.exit_code)


def raw(text: str, size: int) -> None:
    """Writes text to the launcher in pieces, past everything that would keep it well-formed."""
    data, descriptor = text.encode(), int(os.environ[EVENTS_FD])
    for start in range(0, len(data), size):
        os.write(descriptor, data[start : start + size])


def wait_for_ever() -> NoReturn:
    """Waits until the process is ended."""
    while True:
        threading.Event().wait()


def _ignore() -> None:
    """Ends nothing: a party whose lifeline is of no use."""


if __name__ == "__main__":
    main()
