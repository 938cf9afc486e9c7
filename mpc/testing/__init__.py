"""A test kit for protocols, yours too: correctness, cost, leaks, and behaviour under faults.

    check_correct   the same as a plaintext reference, for owners, shapes, signs and edges that Hypothesis chooses
    check_cost      declared rounds and bytes = the plan's = those of every run
    check_view      no party, and no parties together, see anything that depends on the others' secrets
    check_server    no server, alone or with clients, sees more of them than the result
    check_faults    every frame lost, late, repeated, altered ..., and every death: the same result or a clear error

`show_plan` prints what a protocol costs and reveals, before anything is run. See docs/testing.md and docs/protocols.md.

Read first: `correct.py`, then `cases/` (what is run), `faults/` and `views/`, which hold the other checks.

May import: all of `mpc`.
"""

from __future__ import annotations

from mpc.runtime.inputs import Input, bits, each, integers, own, reals, words
from mpc.testing.cases.failure import CheckFailed
from mpc.testing.cases.programs import to_each
from mpc.testing.correct import Correct, check_correct
from mpc.testing.cost import Cost, check_cost
from mpc.testing.faults.check import KINDS, Faults, check_faults
from mpc.testing.shown_plan import show_plan
from mpc.testing.views.check import Viewed, check_view
from mpc.testing.views.drawn import SeenItem, View, view_of
from mpc.testing.views.server_view import Known, check_server
from mpc.testing.views.star_view import Summed, check_sums
from mpc.testing.views.structure import Structure

__all__ = [
    "KINDS",
    "CheckFailed",
    "Correct",
    "Cost",
    "Faults",
    "Input",
    "Known",
    "SeenItem",
    "Structure",
    "Summed",
    "View",
    "Viewed",
    "bits",
    "check_correct",
    "check_cost",
    "check_faults",
    "check_server",
    "check_sums",
    "check_view",
    "each",
    "integers",
    "own",
    "reals",
    "show_plan",
    "to_each",
    "view_of",
    "words",
]
