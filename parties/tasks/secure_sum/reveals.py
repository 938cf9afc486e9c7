"""What a secure sum discloses to whom: for releases and record."""

from __future__ import annotations

from typing import Any

from parties.show.blocks import join_words
from parties.tasks.secure_sum.settings import SumScenario
from parties.tasks.secure_sum.small_cells import helper_view


def revealed(scenario: SumScenario) -> list[dict[str, Any]]:
    """What the server, and the helper, learn of the clients' data, as a record lists it."""
    columns = len(scenario.task.columns)
    kinds = join_words([f"{kind}s" for kind in scenario.kinds])
    small = "" if scenario.helper is None else ", but for small cells"
    noisy = "" if scenario.privacy is None else "noisy "
    with_noise = "" if scenario.privacy is None else f"; with noise: {scenario.privacy.text}"
    return [
        {
            "what": f"{noisy}{kinds} of {columns} columns{small}{_in_rounds(scenario)}",
            "to": [scenario.server],
            "shape": [len(scenario.entries)],
            "why": f"the agreed result: over {scenario.min_cohort} clients or more together, and of no one of them"
            f"{with_noise}",
        },
        {
            "what": "who took part, and who dropped out when",
            "to": [scenario.server, *([scenario.helper] if scenario.helper is not None else [])],
            "shape": [len(scenario.client_names)],
            "why": "it relays their messages",
        },
        *_helper_reveals(scenario),
    ]


def _helper_reveals(scenario: SumScenario) -> list[dict[str, Any]]:
    test = scenario.test
    if test is None:
        return []
    what = f"of each of {len(test.cells)} cells{_in_rounds(scenario)}, {helper_view(scenario, test.m)}"
    why = f"it compares; {scenario.server} learns which numbers are withheld for it"
    return [{"what": what, "to": [scenario.helper], "shape": [len(test.cells)], "why": why}]


def _in_rounds(scenario: SumScenario) -> str:
    return f", in each of {scenario.task.rounds} rounds" if scenario.task.rounds > 1 else ""
