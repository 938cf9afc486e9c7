"""What a run costs and who learns what, before it runs; and what an approval says, for which nothing is executed."""

from __future__ import annotations

from typing import Any

from parties.show.blocks import Block, Grid, Line, bytes_text, count_text, plural
from parties.tasks.program.star.data import shapes_of
from parties.tasks.program.star.play import pair_of, planned_run
from parties.tasks.program.star.record import revealed
from parties.tasks.program.star.settings import StarProgramScenario
from parties.tasks.star.plan import read_rows

SCHEMA = 1
SIZES_TOLD = (
    "THE SIZES OF MESSAGES DEPEND ON DATA: with other made-up inputs other numbers of bytes were sent. Whoever sees "
    "the link sees these sizes. Let every message be as long as the longest."
)


def star_plan(scenario: StarProgramScenario) -> dict[str, Any]:
    """The plan as `mpc plan --json` prints it. Executes the file, on made-up inputs."""
    pair = pair_of(scenario)
    planned = planned_run(scenario, pair)
    played = planned.played
    stages = [
        {"label": one.label, "sees": one.sees, "bytes_received": one.received, "bytes_sent": one.sent}
        for one in played.stages
    ]
    return {
        "schema": SCHEMA,
        "scenario": {
            "name": scenario.name,
            "digest": scenario.digest,
            "clients": scenario.count,
            "program": pair.file.facts,
            "inputs": list(scenario.task.inputs),
        },
        "shapes": [list(shape) for shape in shapes_of(scenario)],
        "stages": [one.label for one in played.stages],
        "server_sees": stages,
        "bytes": {
            "client_sends": played.up[0],
            "client_receives": played.down[0],
            "server_sends": played.sent,
            "server_receives": played.received,
            "exact": planned.exact,
        },
        "reveals": revealed(scenario, played.learnt),
    }


def plan_blocks(scenario: StarProgramScenario) -> list[Block]:
    """The whole plan, in order."""
    facts = star_plan(scenario)
    sizes = facts["bytes"]
    stages = tuple(
        (one["label"], bytes_text(one["bytes_received"]), bytes_text(one["bytes_sent"]), one["sees"])
        for one in facts["server_sees"]
    )
    traffic = (
        ("the first client", bytes_text(sizes["client_sends"]), bytes_text(sizes["client_receives"])),
        (scenario.server, bytes_text(sizes["server_sends"]), bytes_text(sizes["server_receives"])),
    )
    reveals = tuple((one["what"], one["why"]) for one in facts["reveals"])
    program = pair_of(scenario).file
    columns = ("stage", "messages' bytes", "answers' bytes", "a message shows it")
    return [
        Line(f"{scenario.name}: the plan. Nothing has been sent.", "bold"),
        Line(
            f"{plural(scenario.count, 'client')} and a server run {program.function} of {program.path.name}, in "
            f"{plural(len(stages), 'stage')}. Each client gives: {'; '.join(scenario.task.inputs)}."
        ),
        Line(f"The file's SHA-256, which all parties compare: {program.sha256}"),
        Grid("What the server sees, if nobody drops out", columns, stages, frozenset({0, 3})),
        Grid("Bytes, headers included", ("party", "sends", "receives"), traffic),
        *([] if sizes["exact"] else [Line(SIZES_TOLD, "bold red")]),
        Grid("What the server learns", ("what", "why"), reveals, frozenset({0, 1})),
        Line(""),
        Line("Server and clients start only with the same digest:"),
        Line(scenario.digest, wrap=False),
    ]


def protection_blocks(scenario: StarProgramScenario) -> list[Block]:
    """What is known of a protocol before anybody has read it: nothing of it is executed."""
    return [
        Line(
            f"{count_text(scenario.count)} clients and {scenario.server} run the program below. Whether it protects "
            "anybody is its author's word: each party reads it, and tests it (docs/clients.md)."
        )
    ]


def knowledge_blocks(scenario: StarProgramScenario) -> list[Block]:
    """Who learns what, as far as that is known."""
    return [
        Line(
            f"{scenario.server} learns what the clients send it, and the program says with `sees` and `reveal` what "
            "that is. The clients learn what it answers."
        )
    ]


def data_notice(scenario: StarProgramScenario, me: str) -> list[Block]:
    """What is asked of a party's data."""
    if me == scenario.server:
        return [Line(""), Line(f"{me} has no data: it takes and answers the clients' messages.")]
    rows = [("what a client gives", "; ".join(scenario.task.inputs))]
    if scenario.task.has_table:
        rows += [
            *read_rows(scenario, me),
            ("columns", ", ".join(scenario.task.columns or ())),
            ("rows", f"all of that file, {count_text(scenario.least_rows)} at least"),
        ]
    else:
        rows.append(("your data", "none: the inputs are made up, from the scenario's public seed"))
    return [Grid(f"What is asked of the data of {me}", ("what", "which"), tuple(rows), frozenset({0, 1}))]
