"""`mpc trace`: a page of what each party did in each round of a recorded run."""

from __future__ import annotations

from pathlib import Path

import click

from mpc.errors import plain_text


@click.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("other", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Where the page goes (default: RUN/trace.html).")
@click.option("--chrome", type=click.Path(path_type=Path), metavar="FILE", help="Write Chrome's trace format, too.")
@click.option("--view", metavar="PARTY", help="Draw what PARTY sees of a protocol, FILE:FUNCTION in the place of RUN.")
@click.option("--owners", type=click.IntRange(2, 60), default=3, show_default=True, help="With --view: how many.")
@click.option("--input", "inputs", metavar="INPUT", multiple=True, help="With --view: as `mpc simulate` takes it.")
def trace(
    folder: Path,
    other: Path | None,
    out: Path | None,
    chrome: Path | None,
    view: str | None,
    owners: int,
    inputs: tuple[str, ...],
) -> None:
    """Draw the rounds of a run that was recorded with --trace.

    The page shows who computed, sent and waited when. It is one file, and loads nothing; --chrome writes the same for
    https://ui.perfetto.dev. Under a test seed it has the values of each round, too. With two runs, prints where they
    first differ.

    `mpc trace --view owner0 median.py:median --input reals:5` runs a protocol many times with each of two secrets of
    equal outputs, and draws what owner0 saw with the one and with the other, with the verdict of the test kit.
    """
    from parties.base.private_files import replace_text

    if view is not None:
        from parties.cli.view import view_by
        from parties.trace.view_page import view_html

        seen = view_by(str(folder), view, owners, inputs)
        page = out or Path("view.html")
        replace_text(page, view_html(seen))
        click.echo(f"{seen}\n{page}")
        return
    from parties.trace.chrome import chrome_trace
    from parties.trace.lanes import read_lanes
    from parties.trace.page import trace_html
    from parties.trace.record import record_beside

    if other is not None:
        from parties.trace.compare import first_difference

        click.echo(plain_text(first_difference(read_lanes(folder), read_lanes(other))))
        return
    lanes, record = read_lanes(folder), record_beside(folder)
    path = out or folder / "trace.html"
    replace_text(path, trace_html(lanes, record))
    click.echo(f"{path}")
    if chrome is not None:
        replace_text(chrome, chrome_trace(lanes))
        click.echo(f"{chrome}")
