"""Federated learning as a malicious partner might write it: what is not in `hostile_sums.py` already."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.parties.hostile_scenarios import ASKED, PLACES, Hostile
from tests.parties.hostile_sums import SESSION, both, client, hosted

TASK: Final = 'kind = "federated"\n'
DATA: Final = 'data = "c1.csv"'
FEATURES: Final = 'features = ["x", "z"]'
RANGE: Final = "range = [-5, 5]"
ROUNDS: Final = "rounds = 5"
KEYLESS: Final = (2, "has a public_key of client_1")
"""On machines of their own nobody is hosted: each client has a key in a roster that somebody else signed."""


def task(what: str, line: str, says: str) -> Hostile:
    """A setting of the task that is refused."""
    return client(what, ((TASK, f"{TASK}{line}\n"),), (2, says))


_EVERY: Final = (
    # Paths, and addresses.
    *(
        client(f"of a model, {what}", ((DATA, f'data = "{PLACES[what][0]}"'),), *filter(None, PLACES[what][1:]))
        for what in ("a link that leads out", "a party's key", "a pipe, whose reader waits", "an address")
    ),
    *both(
        client(
            "clients on somebody's cluster",
            hosted('count = 9\ndata = "x.csv"\nsplit = "labels"\nalpha = 0.1\ncluster = "tcp://127.0.0.1:9"'),
            KEYLESS,
        )
    ),
    client("a cluster that is no address", hosted('count = 9\ncluster = "rm -rf"'), (2, "cluster must be")),
    client(
        "rows dealt from a file elsewhere",
        hosted('count = 9\ndata = "../secret.csv"\nsplit = "quantity"\nalpha = 1.0'),
        KEYLESS,
    ),
    task("a learner that the scenario names", 'step = "evil.py:learner"', "has no setting 'step'"),
    task("weights that the scenario names", 'start = "evil.npy"', "has no setting 'start'"),
    # Names.
    *both(client("a feature that moves the cursor", ((FEATURES, 'features = ["a\\u001b[2Jb"]'),), shows=r"a\x1b[2Jb")),
    client("a feature of two lines", ((FEATURES, 'features = ["a\\nc1: approved"]'),), shows=r"a\nc1: approved"),
    client("a target that is SQL", (('target = "y"', 'target = "y\' or 1 --"'),), (2, ASKED), (3, "y' or 1")),
    client(
        "a range of another's columns",
        ((RANGE, 'range = { "\\u001b[1m" = [0, 1] }'),),
        (2, r"range and features differ in"),
    ),
    # Numbers.
    task("a layer of all there is", 'model = "mlp"\nhidden = [1000000000]', "hidden must be"),
    task("layers without end", f'model = "mlp"\nhidden = [{"4096, " * 100_000}]', "100,000,000 are the most"),
    task("a model of all there is", f'model = "own"\nsize = {10**12}', "size must be"),
    task("classes without end", f'model = "mlp"\nhidden = [4]\nclasses = {10**9}', "classes must be"),
    task("a step of no number", "learning_rate = nan", "learning_rate must be"),
    task("a norm of all there is", "clip = 1e300", "clip must be"),
    task("a grid without end", "precision = 1e-300", "precision must be"),
    task("rows without end", f"most_rows = {2**62}", "most_rows must be"),
    client("rounds of training without end", ((ROUNDS, f"rounds = {10**9}"),), (2, "rounds must be")),
    client("a range of a feature of no numbers", ((RANGE, "range = [nan, inf]"),), (2, "from -2^40 to 2^40")),
    client("a seed of a thousand digits", (("seed = 3", f"seed = {10**1000}"),), (2, "seed must be")),
    client(
        "rows dealt by no number",
        hosted('count = 9\ndata = "x.csv"\nsplit = "labels"\nalpha = nan'),
        (2, "alpha must be"),
    ),
    client(
        "noise of nothing",
        ((SESSION, f"[privacy]\nepsilon = 1e300\ndelta = 0.9\n{SESSION}"),),
        (2, "epsilon must be"),
    ),
)

FEDERATED: Final = tuple(replace(one, study="federated") for one in _EVERY)
