"""A launcher in a process of its own, for tests that kill or interrupt it: OUT and the orders as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mpc.errors import BeaverlodgeError
from parties.events import Event, describe_error
from parties.launcher import launch


def main() -> int:
    """Launches the fakes, says what they say, and ends with the error's exit code."""
    out, orders = Path(sys.argv[1]), json.loads(sys.argv[2])
    try:
        launch(out / "s.toml", orders, out=out, module="tests.parties.fake_member", on_event=show)
    except BeaverlodgeError as error:
        print(json.dumps(describe_error(error)), flush=True)
        return error.exit_code
    return 0


def show(name: str, event: Event) -> None:
    """Prints an event for the test to wait for."""
    print(name, json.dumps(event), flush=True)


if __name__ == "__main__":
    sys.exit(main())
