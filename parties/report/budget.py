"""An owner's budget of epsilon as text: what was spent on what, and what is left."""

from __future__ import annotations

from collections.abc import Sequence

from parties.show.blocks import Block, Grid, Line, plural
from parties.trust.budget import DELTA, Account, Budget, Charge, Charged, runs_of, unit_of
from parties.trust.releases import Release
from protocols.privacy.accounting import epsilon_of


def budget_blocks(account: Account, released: Sequence[Release]) -> list[Block]:
    """The whole account.

    Args:
        released: this owner's list of releases.
    """
    known = {one.session for one in account.charges}
    uncounted = sum(not one.epsilon for one in released)
    lost = sum(one.epsilon > 0 and one.session not in known for one in released)
    blocks: list[Block] = [Line(_limit_text(account.budget)), Line(_spent_text(account))]
    if lost:
        text = f"{plural(lost, 'run')} with [privacy] in releases.jsonl, but not here: an older ledger was put back."
        blocks.append(Line(text, "bold red"))
    if uncounted:
        many = "1 entry" if uncounted == 1 else f"{uncounted} entries"
        text = f"No budget counts {many} of releases.jsonl: what is told without [privacy] has no epsilon."
        blocks.append(Line(text))
    if account.charges:
        blocks.append(_charges_grid(account.charges))
    return blocks


def budget_text(account: Account, charge: Charge) -> str:
    """A sentence on what a run leaves of the budget, for whoever approves it."""
    budget = account.budget
    if budget is None:
        spent = account.spent(DELTA, [charge])
        return f"{_limit_text(None)} With this run epsilon = {spent:.3g} will have been spent, at delta = {DELTA:g}."
    before, after = account.spent(budget.delta), account.spent(budget.delta, [charge])
    return (
        f"Your budget is epsilon = {budget.epsilon:g} at delta = {budget.delta:g}. Spent so far: {before:.3g}; with "
        f"this run: {after:.3g}."
    )


def _limit_text(budget: Budget | None) -> str:
    if budget is None:
        return "No budget of epsilon is set: runs are noted, and none is refused. `mpc budget --epsilon 5` sets one."
    when = f"set on {budget.time[:10]} by {budget.by}"
    return f"The budget is epsilon = {budget.epsilon:g} at delta = {budget.delta:g}, {when}."


def _spent_text(account: Account) -> str:
    delta = DELTA if account.budget is None else account.budget.delta
    count = len(runs_of(account.charges))
    if not count:
        return "Nothing was spent."
    whose = {"patient": "", "client": ", for all data together"}[unit_of(account.charges)]
    spent = account.spent(delta)
    return f"Spent{whose}: epsilon = {spent:.3g} at delta = {delta:g}, by {plural(count, 'run')} together."


def _charges_grid(charges: Sequence[Charged]) -> Grid:
    rows = []
    for run in runs_of(charges):
        first, times = run[0], len(run)
        epsilon = first.epsilon if times == 1 else epsilon_of([x for one in run for x in one.mechanisms], first.delta)
        when, rounds = first.time[:16].replace("T", " "), "" if times == 1 else f", {times} rounds"
        rows.append((when, first.scenario + rounds, first.party, first.data[:12], f"{epsilon:.3g}", f"{first.delta:g}"))
    heads = ("when", "scenario", "party", "rows' digest", "epsilon", "delta")
    return Grid("What was charged (UTC)", heads, tuple(rows), frozenset(range(4)))
