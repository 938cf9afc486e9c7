"""A scenario's parties in threads of one process: quicker than processes, over the same links."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mpc.errors import BeaverlodgeError
from mpc.links.zmq.curve import Identity
from parties.base.logs import open_log
from parties.base.reporter import Reporter
from parties.cli.run_locally import orders
from parties.scenario.file import Scenario
from parties.session import take_part
from parties.trust.share_file import Vault

QUICK = 10.0


def run_in_threads(
    scenario: Scenario,
    folder: Path,
    scenarios: Mapping[str, Scenario] | None = None,
    prepared: Mapping[str, take_part.Prepared] | None = None,
) -> tuple[dict[str, dict[str, Any]], dict[str, BeaverlodgeError]]:
    """Every party's result, or how it failed. Some may have a scenario file of their own, or have prepared more."""
    names = list(scenario.parties)
    endpoints: dict[str, str | None] = {}
    all_listen = threading.Barrier(len(names), timeout=QUICK)
    results: dict[str, dict[str, Any]] = {}
    errors: dict[str, BeaverlodgeError] = {}

    def play(name: str) -> None:
        keys = orders_of[name]["keys"]

        def find(endpoint: str | None) -> dict[str, str]:
            endpoints[name] = endpoint
            all_listen.wait()
            return {peer: str(endpoints[peer]) for peer in names[: names.index(name)]}

        mine = Identity(keys["public"].encode(), keys["secret"].encode())
        peers = {peer: key.encode() for peer, key in keys["peers"].items()}
        where = take_part.Place(mine, peers, "tcp://127.0.0.1:*", find, local=True)
        log = open_log(folder, name)
        own = (prepared or {}).get(name, take_part.Prepared(vault=Vault(name, folder)))
        try:
            run = (scenarios or {}).get(name, scenario)
            results[name] = take_part.take_part(run, name, where, Reporter(lambda event: None), log, own)
        except BeaverlodgeError as error:
            errors[name] = error
        finally:
            for handler in list(log.handlers):
                log.removeHandler(handler)
                handler.close()

    orders_of = orders(scenario)
    threads = [threading.Thread(target=play, args=(name,), name=name) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3 * QUICK)
    assert not any(thread.is_alive() for thread in threads), "a party hangs"
    return results, errors
