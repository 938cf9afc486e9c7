"""`mpc party`: one party here, the others elsewhere; this party's record in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from mpc.errors import BeaverlodgeError
from parties.logs import open_log
from parties.progress import Progress
from parties.record import default_out, failed_record, merge_results, start_record, write_record
from parties.report import write_report
from parties.scenario import Scenario
from parties.separate import place
from parties.supervisor import Reporter
from parties.take_part import take_part

_REAL_LINKS: Final = "[network] is for `mpc run` only: the links between machines are what they are"


def run_one(scenario: Scenario, me: str, out: Path | None, keys: Path) -> tuple[dict[str, Any], Path]:
    """Take part as `me`; returns this party's record and its folder.

    Raises:
        BeaverlodgeError: what went wrong; the record then says `failed` and why.
    """
    where = place(scenario, me, keys)
    folder = out or default_out(f"{scenario.name}-{me}")
    start_record(folder, scenario.name, scenario.digest)
    try:
        with Progress([me]) as progress:
            reporter = Reporter(lambda event: progress(me, event))
            log = open_log(folder, me)
            if scenario.network is not None:
                log.info(_REAL_LINKS)
                reporter.log("info", _REAL_LINKS)
            result = take_part(scenario, me, where, reporter, log)
        record = merge_results({me: result}, scenario_name=scenario.name, scenario_digest=scenario.digest)
    except BeaverlodgeError as error:
        record = failed_record(error, scenario_name=scenario.name, scenario_digest=scenario.digest)
        write_record(folder, record)
        write_report(record, folder)
        raise
    write_record(folder, record)
    write_report(record, folder)
    return record, folder
