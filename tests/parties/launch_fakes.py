"""A launcher in a process of its own, for tests that kill or interrupt it, and of copies of its process.

Its arguments: how a party is started, OUT, and as JSON the orders of each of the runs that it is to launch.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mpc.errors import BeaverlodgeError
from parties.base.events import Event, describe_error
from parties.processes.child import Program
from parties.processes.children import Orders
from parties.processes.launcher import launch
from tests.parties import fake_member

MODULE = "tests.parties.fake_member"
PROGRAMS = {"new": Program(MODULE), "copy": Program(MODULE, fake_member.main)}


def main() -> int:
    """Launches the fakes, says what they say and how each run ended, and ends with the last error's exit code."""
    how, out = sys.argv[1], Path(sys.argv[2])
    code = 0
    for orders in json.loads(sys.argv[3]):
        error = ended(how, out, orders)
        print(json.dumps(error and describe_error(error)), flush=True)
        code = error.exit_code if error else 0
    return code


def ended(how: str, out: Path, orders: Orders) -> BeaverlodgeError | None:
    """The error of a run."""
    try:
        launch(out / "s.toml", orders, lambda: orders, out=out, program=PROGRAMS[how], on_event=show)
    except BeaverlodgeError as error:
        return error
    return None


def show(name: str, event: Event) -> None:
    """Prints an event for the test to wait for."""
    print(name, json.dumps(event), flush=True)


if __name__ == "__main__":
    sys.exit(main())
