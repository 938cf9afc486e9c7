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
def trace(folder: Path, other: Path | None, out: Path | None, chrome: Path | None) -> None:
    """Make a page of the rounds of RUN, which was recorded with --trace: who computed, sent and waited when.

    The page is one file, and loads nothing. --chrome writes the same for https://ui.perfetto.dev. Under a test seed the
    page has the values of each round, too. Of two runs, say where they first differ.
    """
    from parties.base.private_files import replace_file
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
    replace_file(path, trace_html(lanes, record).encode("utf-8", "backslashreplace"), sync=False)
    click.echo(f"{path}")
    if chrome is not None:
        replace_file(chrome, chrome_trace(lanes).encode(), sync=False)
        click.echo(f"{chrome}")
