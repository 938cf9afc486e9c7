"""`mpc budget`: what an owner's runs with differential privacy have spent, and the most that they may."""

from __future__ import annotations

from pathlib import Path

import click

from parties.cli.options import KEYS


@click.command()
@KEYS
@click.option("--epsilon", type=float, help="Set the budget: the most that all runs together may cost.")
@click.option("--delta", type=float, help="The delta at which they are added up (default: 1e-5).")
def budget(keys: Path, epsilon: float | None, delta: float | None) -> None:
    """Show or limit what runs with [privacy] have spent.

    The ledger is beside the keys, and is for all data of the owner. A run that would cost more than is left is refused
    before anything is sent. What was charged is never given back.
    """
    from mpc.errors import UsageError
    from parties.report.budget import budget_blocks
    from parties.show.blocks import print_blocks
    from parties.trust.budget import DELTA, Ledger
    from parties.trust.releases import Releases

    if not keys.is_dir():
        raise UsageError(f"there is no folder {keys}", "name the folder of this owner's keys with --keys")
    ledger = Ledger(keys)
    if epsilon is None and delta is not None:
        raise UsageError("--delta goes with --epsilon", "write both")
    if epsilon is not None:
        delta = DELTA if delta is None else delta
        if not 0 < epsilon <= 1000 or not 1e-9 <= delta <= 1e-2:
            hint = "epsilon is above 0 and at most 1000, delta from 1e-9 to 1e-2"
            raise UsageError(f"epsilon = {epsilon:g} and delta = {delta:g} are no budget", hint)
        ledger.set_budget(epsilon, delta)
    print_blocks(budget_blocks(ledger.read(), Releases(keys).past))
