"""A party's process under the launcher: `python -m parties.member --as NAME SCENARIO`; of a training or of a sum."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mpc.errors import InternalError
from parties.supervisor import Lifeline, Reporter, die_with_parent, first_hand


def main() -> int:
    """Follow the launcher's order; the exit code is the error's."""
    die_with_parent()
    reporter = Reporter.to_launcher()
    lifeline = Lifeline()
    order = lifeline.order()
    from parties.bugs import as_error  # after the order was read: imports take longer than the launcher's line
    from parties.logs import open_log
    from parties.sum_scenario import SumScenario, load_any

    log = open_log(Path(order["out"]), order["name"])
    try:
        scenario = load_any(Path(order["scenario"]))
        if isinstance(scenario, SumScenario):
            from parties.sum_member import part_in_sum

            result = part_in_sum(scenario, order, lifeline, reporter, log)
        else:
            from parties.share_file import Vault
            from parties.take_part import Own, take_part

            place = _place(order, scenario.parties, lifeline, reporter)
            own = Own(vault=Vault(order["name"], Path(order["out"])))
            result = take_part(scenario, order["name"], place, reporter, log, own)
    except Exception as problem:
        error = as_error(problem)
        reporter.failed(error, first_hand=first_hand(error))
        return error.exit_code
    reporter.done(result)
    logging.shutdown()
    return 0


def _place(order: Mapping[str, Any], parties: Mapping[str, Any], lifeline: Lifeline, reporter: Reporter) -> Any:
    """A party listens for those that come after it in the scenario, and dials those before it."""
    from parties.order_keys import read_keys
    from parties.take_part import Place

    names = list(parties)
    place = names.index(order["name"])

    def find(endpoint: str | None) -> dict[str, str]:
        reporter.listening(endpoint)
        endpoints = lifeline.peers()
        dial = {}
        for peer in names[:place]:
            where = endpoints.get(peer)
            if where is None:
                raise InternalError(f"{peer} does not listen")
            dial[peer] = where
        return dial

    identity, peers = read_keys(order["keys"])
    return Place(identity, peers, "tcp://127.0.0.1:*" if place < len(names) - 1 else None, find, local=True)


if __name__ == "__main__":
    sys.exit(main())
