"""`mpc audit`: attacks on what a study or a run discloses."""

from __future__ import annotations

from pathlib import Path

import click

from mpc.errors import ContradictedError
from parties.cli.options import DATA, KEYS, SQL
from parties.cli.output import Output


@click.command()
@click.argument("target", metavar="RUN|SCENARIO", type=click.Path(path_type=Path))
@click.option("--as", "owner", metavar="NAME", help="With this owner's data alone, and the record of its run.")
@KEYS
@DATA
@SQL
@click.option("--scenario", type=click.Path(path_type=Path), help="The scenario of RUN, where it is not found.")
@click.option(
    "--with",
    "beside",
    metavar="RUN",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Another run of it, which the attacker has, too; may be repeated.",
)
@click.option("--attack", "attacks", metavar="NAME", multiple=True, help="Try this attack only; may be repeated.")
@click.option("--shadows", type=click.IntRange(16, 100_000), default=256, show_default=True, help="Runs in the clear.")
@click.option(
    "--draws", type=click.IntRange(500, 1_000_000), help="Of each noisy mechanism (default: 10000, or as time allows)."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The audit's own, public.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def audit(
    target: Path,
    owner: str | None,
    keys: Path,
    data: Path | None,
    sql: Path | None,
    scenario: Path | None,
    beside: tuple[Path, ...],
    attacks: tuple[str, ...],
    shadows: int,
    draws: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """Attack what a study or a run discloses.

    Says what an attacker gains. All owners' data must be on this machine, as for `mpc run`; with --as one owner's are
    enough, and less can be said. Of SCENARIO, runs are made in the clear; of RUN, what it disclosed is read from its
    record, to which the findings are added. With [privacy] a lower bound of epsilon is measured: exit code 10 if it
    contradicts the claim.
    """
    from parties.processes.child import one_blas_thread

    one_blas_thread()  # before numpy is loaded
    import json

    from parties.audit.attack import Audited, Effort
    from parties.audit.conduct import attacks_named, conduct
    from parties.audit.target import audit_of, records_beside, target_of
    from parties.report.audit import audit_blocks
    from parties.report.page import write_report
    from parties.report.record import write_record
    from parties.show.blocks import Line

    tried = attacks_named(attacks)
    loaded, record = target_of(target, scenario)
    if owner is not None:
        from parties.session.own_data import apply_own_data

        loaded = apply_own_data(loaded, owner, keys, data, sql)
    others = records_beside(record, beside)
    output = Output()
    with output.progress(["audit"]) as progress:

        def say(stage: str, done: int | None = None, total: int | None = None) -> None:
            progress("audit", {"event": "stage", "stage": stage, "done": done, "total": total})

        offered = audit_of(loaded, owner)
        found = conduct(Audited(loaded, offered, record, Effort(shadows, draws), seed, owner, say, others), tried)
    if record is not None:
        renewed = {**record, "audit": found}
        write_record(target, renewed)
        write_report(renewed, target)
    if as_json:
        click.echo(json.dumps(found, indent=2, allow_nan=False))
    else:
        what = "a study, by runs in the clear" if record is None else f"the run in {target}"
        output.blocks([Line(f"{loaded.name}: {what}. {found['seconds']:.1f} s.", "bold"), *audit_blocks(found)])
    if found["contradicts"]:
        hint = "do not rely on the claim: look at the noise, at what is clipped, and at this machine's code"
        raise ContradictedError("an attack contradicts the scenario's claim of epsilon", hint)
