"""A linear regression with [privacy], by noisy sums of products: what `private_job` makes its job of."""

from __future__ import annotations

from typing import Final

from mpc.links.meeting.handshake import Agreement
from parties.data.table import Table
from parties.scenario.file import Scenario
from parties.tasks.linear.private.plan import private_plan_text
from parties.tasks.linear.private.record import private_record
from parties.tasks.linear.private.settings import with_noise
from parties.tasks.private_job import Method
from protocols.linear.noisy_moments import Floats, NoisyLinear, noisy_linear_job


def _own(scenario: Scenario, agreement: Agreement, table: Table, settings: NoisyLinear) -> tuple[Floats, Floats]:
    chosen = table.select(settings.names)
    return chosen.values, chosen.offset_weights.subtract_offset(chosen.target)


METHOD: Final[Method[NoisyLinear, Floats]] = Method(
    settings=with_noise,
    job=noisy_linear_job,
    own=_own,
    record=private_record,
    part=("model", "metrics", "inference", "fit", "data", "privacy"),
    plan=private_plan_text,
    mechanisms=lambda settings: (settings.mechanism,),
)
