"""A job with [privacy], by whichever method: what all of them do alike, and how the plan of a model says it.

A method's settings follow from the scenario alone. So a plan is made without data, and no message depends on a number
of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from mpc.links.meeting.handshake import Agreement
from mpc.randomness.streams import Stream
from mpc.runtime.party import Party
from mpc.runtime.plan import Plan, ProgramFactory, make_plan
from parties.scenario.file import Scenario
from parties.show.blocks import Block, Line, plural
from parties.tasks.base import Data, Job, Notice, PlanText, Run, Tab, outcome_for_all, own_rows_only
from parties.tasks.privacy.guarantee import SMALL_COUNTS, USES, NoisyRelease, outside_grid, releases_grid
from parties.tasks.privacy.rows import load_private_table, own_stream, private_counts, private_extent, private_rows
from parties.tasks.rows.extent import Rows
from parties.trust.budget import Charge
from protocols.privacy.accounting import AnyMechanism


class Parties(Protocol):
    """Public settings, which name the parties."""

    @property
    def owners(self) -> tuple[str, ...]:
        """All owners, in order."""

    @property
    def helper(self) -> str:
        """The helper."""


THE_SETTINGS: Final = "the scenario's settings, and when the owners ask for more"
"""What every helper learns."""

Set = TypeVar("Set", bound=Parties)
Res = TypeVar("Res")


def no_constants(settings: Any) -> str:
    """`constants` of a method that multiplies shares by none."""
    return ""


@dataclass(frozen=True)
class Method(Generic[Set, Res]):
    """What one method does its own way.

    Args:
        settings: the protocol's public settings; raises UsageError where the scenario does not fit.
        job: what an owner runs, on its data and its own randomness; a dry party has neither.
        own: these data, from its table.
        record: this kind's part of a result; `part`: its keys, which a helper has without values.
        plan: what the plan says.
        mechanisms: what the run costs.
        constants: as of `make_plan`.
    """

    settings: Callable[[Scenario], Set]
    job: Callable[[Party, Any, Stream | None, Set], Coroutine[Any, Any, Res | None]]
    own: Callable[[Scenario, Agreement, Any, Set], Any]
    record: Callable[[Scenario, Set, Res], dict[str, Any]]
    part: tuple[str, ...]
    plan: Callable[[Set, Scenario], PlanText]
    mechanisms: Callable[[Set], tuple[AnyMechanism, ...]]
    constants: Callable[[Set], str] = no_constants


def model_reveals(scenario: Scenario) -> Sequence[str]:
    """`reveals` of a model."""
    return scenario.model_task.reveal


def private_job(
    method: Method[Set, Res],
    data: Data[Tab],
    asked: Callable[[Scenario, str, Tab | None], list[tuple[str, str]]],
    summary: Callable[[Scenario, Tab], str],
    compare: Callable[[Scenario, Mapping[str, Any]], dict[str, Any]] | None = None,
    pooled: Callable[[Scenario, Rows, int], int] = own_rows_only,
    reveals: Callable[[Scenario], Sequence[str]] = model_reveals,
) -> Job[Tab, Set, Res]:
    """The job by a method.

    Args:
        asked: what is asked of an owner's data; `summary`, `compare` and `pooled` are those of the job, too.
        reveals: what is revealed, as a policy names it.
    """

    def plan(settings: Set) -> Plan:
        constants = method.constants(settings)
        return make_plan(lambda p: method.job(p, None, None, settings), settings.owners, settings.helper, constants)

    def program(scenario: Scenario, agreement: Agreement, table: Tab) -> ProgramFactory:
        settings = agreement.settings or method.settings(scenario)
        own = method.own(scenario, agreement, table, settings)
        stream = own_stream(scenario, table.owner, agreement.session)
        return lambda p: method.job(p, own, stream, settings)

    def record(scenario: Scenario, agreement: Agreement, result: Res | None) -> dict[str, Any]:
        if result is None:
            return dict.fromkeys(method.part)
        return method.record(scenario, agreement.settings or method.settings(scenario), result)

    def charge(scenario: Scenario) -> Charge | None:
        privacy = scenario.privacy
        assert privacy is not None
        return Charge(method.mechanisms(method.settings(scenario)), privacy.epsilon, privacy.delta)

    return Job(
        data=data,
        run=Run(
            settings=lambda scenario, rows, columns: method.settings(scenario),
            plan=plan,
            program=program,
            record=record,
            compare=compare,
            pooled=pooled,
        ),
        notice=Notice(
            plan=method.plan,
            data=asked,
            summary=summary,
            outcome=lambda scenario: outcome_for_all(scenario, reveals(scenario)),
            reveals=lambda scenario: [(what,) for what in reveals(scenario)],
            small_counts=lambda scenario, least: [SMALL_COUNTS],
            charge=charge,
        ),
    )


def own_rows(load: Callable[[Scenario, str], Tab], columns: Callable[[Scenario], int]) -> Data[Tab]:
    """What is read of owners with rows of their own: nobody is told how many there are.

    Args:
        columns: their number in a scenario that lists them.
    """
    return Data(
        load=load,
        shapes=lambda scenario: (private_rows(scenario), columns(scenario)),
        extent=lambda scenario, table: private_extent(scenario, columns(scenario)),
        counts=lambda scenario, rows: private_counts(scenario),
    )


OWN_ROWS: Final = own_rows(load_private_table, lambda scenario: len(scenario.model_task.feature_names or ()))
"""The same of a model."""


def plan_text(
    scenario: Scenario,
    sizes: Mapping[str, int],
    work: str,
    how: Sequence[str],
    facts: Mapping[str, Any],
    releases: Sequence[NoisyRelease],
    words: Mapping[str, str],
    told: Sequence[str],
    *,
    uses: Mapping[str, str] = USES,
    helper_learns: tuple[str, ...] = (THE_SETTINGS,),
    more: tuple[Block, ...] = (),
) -> PlanText:
    """A method's part of a plan.

    Args:
        sizes: the number of features, and more.
        work: what is computed.
        how, facts, uses, helper_learns: as in `PlanText`.
        words: of `releases_grid`.
        told: without noise.
        more: what comes between the releases and that.
    """
    privacy = scenario.privacy
    assert privacy is not None
    who = f"{plural(len(scenario.owners), 'owner')} and a helper; {plural(sizes['features'], 'feature')}"
    return PlanText(
        scenario=sizes,
        facts=facts,
        work=f"{who}; {work}: {privacy.text}.",
        how=tuple(map(Line, how)),
        helper_learns=helper_learns,
        uses=uses,
        details=(releases_grid(releases, words), *more, outside_grid(told)),
    )
