"""Arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path

import click

SCENARIO = click.argument("scenario", type=click.Path(path_type=Path))
AS = click.option("--as", "name", required=True, help="Which party of the scenario this machine is.")
OUT = click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the run's record (default: runs/NAME-TIME)."
)
KEYS = click.option(
    "--keys", type=click.Path(path_type=Path), default=Path("keys"), show_default=True, help="Folder of key files."
)
DATA = click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="This party's own table, instead of the scenario's `data`: CSV, Parquet, or with --sql a DuckDB database.",
)
SQL = click.option("--sql", type=click.Path(path_type=Path), help="A file with the query of that database.")
POLICY = click.option(
    "--policy", type=click.Path(path_type=Path), help="What to refuse (default: policy.toml beside the keys)."
)
QUIET = click.option(
    "--quiet", is_flag=True, help="Print how the run ended and where its record is, and nothing of its result."
)
NETWORK = click.option(
    "--network", metavar="PRESET", help="Links as in lan, wan, mobile or hospital-dsl, whatever the scenario's are."
)
PROGRAM = click.option(
    "--program",
    metavar="PROGRAM",
    help='The protocol of a kind = "program" as FILE:FUNCTION, such as median.py:median: no scenario names one.',
)
STEP = click.option(
    "--step",
    metavar="STEP",
    help="The clients' own learner in federated learning as FILE:NAME, such as boosted.py:learner.",
)
START = click.option(
    "--start",
    type=click.Path(path_type=Path),
    help="The weights that the server starts federated learning from: a file of numpy's (.npy).",
)
TRACE = click.option(
    "--trace", is_flag=True, help="Record every round in the run's folder: `mpc trace` makes a page of it."
)
