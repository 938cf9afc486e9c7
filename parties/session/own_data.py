"""An owner's own setting of where its data are. It overrides the scenario's and is never sent to anybody.

It is given on the command line (`--data`, with `--sql` for a query), or in `NAME.data.toml` beside the keys.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from mpc.errors import UsageError
from parties.base.private_files import read_own
from parties.scenario.checks import TEXT_ENDINGS, check_text_settings
from parties.scenario.file import Scenario, SqlSource
from parties.scenario.models import DATA, Text, TextSettings
from parties.scenario.paths import resolve_inside
from parties.scenario.problems import Reading, read_or_refuse, read_table
from parties.scenario.star import ROUND, StarScenario
from parties.trust.share_file import share_path

ENDING: Final = ".data.toml"
_PLAIN: Final = TextSettings()


class OwnData(TextSettings):
    """Where an owner's data are, and the form of a text file."""

    data: Text | SqlSource = Field(description=DATA)


def apply_own_data(
    scenario: Scenario | StarScenario, me: str, keys: Path, data: Path | None = None, sql: Path | None = None
) -> Scenario | StarScenario:
    """The scenario with this party's own setting of its data, if there is one.

    Args:
        keys: the folder of its keys.
        data: of the command line; relative to the current folder; overrides the file beside the keys.
        sql: a file with the query of a database, also of the command line.

    Raises:
        UsageError: this party has no data; its own setting is wrong; or it has none, and the scenario's path leads out
            of the study's folder.
    """
    own, origin = read_own_data(me, keys), str(keys / f"{me}{ENDING}")
    spec = scenario.parties.get(me)
    if isinstance(scenario, Scenario) and spec is not None:
        share_path(scenario, me, scenario.directory)  # refuses a path that leads elsewhere
    if sql is not None and data is None:
        raise UsageError("--sql goes with --data", "name the DuckDB database with --data")
    if data is not None:
        own, origin = _from_command(data, sql, own or spec), "--data"
    if own is None:
        _check_path(scenario, me)
        return scenario
    if spec is None or spec.role not in ("owner", "client"):
        raise UsageError(f"{me} has no data of its own, but {origin} names some", "remove it", party=me)
    parties = {**scenario.parties, me: spec.model_copy(update=_settings(scenario, own, origin))}
    return scenario.model_copy(update={"parties": parties, "data_from": origin})


def read_own_data(me: str, keys: Path) -> OwnData | None:
    """The content of `NAME.data.toml`, with absolute paths: they start from its folder. None without such a file.

    Raises:
        UsageError: it is not valid, or others can change it.
    """
    where = keys / f"{me}{ENDING}"
    try:
        raw = tomllib.loads(read_own(where).decode("utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is not valid TOML: {str(error).lower()}", "correct that line") from None
    own = read_or_refuse(str(where), _read_tables(me, raw))
    folder = keys.absolute()
    if isinstance(own.data, SqlSource):
        return own.model_copy(update={"data": SqlSource(database=str(folder / own.data.database), sql=own.data.sql)})
    return own.model_copy(update={"data": str(folder / own.data)})


def _read_tables(me: str, raw: dict[str, Any]) -> Reading[OwnData | None]:
    if isinstance(raw.get("data"), dict):
        source = yield from read_table(SqlSource, raw["data"], "data", {})
        if source is None:
            return None
        raw = {**raw, "data": source}
    own = yield from read_table(OwnData, raw, "the file", {})
    if own is not None:
        yield from check_text_settings({me: own})
    return own


def _from_command(data: Path, sql: Path | None, said: object) -> OwnData:
    """The data of the command line; a text file has the form that this party, or else the scenario, states."""
    name, form = str(data.absolute()), said if isinstance(said, TextSettings) else _PLAIN
    if sql is not None or not name.lower().endswith(TEXT_ENDINGS):
        form = _PLAIN
    source = name if sql is None else SqlSource(database=name, sql=_query(sql))
    return OwnData(data=source, encoding=form.encoding, decimal=form.decimal, thousands=form.thousands)


def _query(path: Path) -> str:
    try:
        query = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8 text"
        raise UsageError(f"--sql: {path} cannot be read: {why.lower()}", "name a text file with the query") from None
    if not query.strip():
        raise UsageError(f"--sql: {path} is empty", "write one select statement into it")
    return query


def _check_path(scenario: Scenario | StarScenario, me: str) -> None:
    """Refuse an entry of the scenario that leads out of the study's folder."""
    spec = scenario.parties.get(me)
    data = spec.data if spec is not None else None
    if data is None:
        return
    path, key = (data.database, "database") if isinstance(data, SqlSource) else (data, "data")
    hint = f"name data outside of that folder with --data, or in keys/{me}{ENDING} (docs/keys.md)"
    resolve_inside(scenario.directory, path, f"[parties.{me}] {key}", hint)


def _settings(scenario: Scenario | StarScenario, own: OwnData, origin: str) -> dict[str, Any]:
    """An owner's own data as settings of its party; for a sum, the file alone."""
    if isinstance(scenario, Scenario):
        return dict(own)
    if not isinstance(own.data, str) or (own.encoding, own.decimal, own.thousands) != ("utf-8", ".", None):
        raise UsageError(f"{origin}: the data of a secure sum are a plain file", "name a CSV or Parquet file")
    if scenario.task.rounds > 1 and ROUND not in own.data:
        hint = f"write {ROUND} into it, so that each round has rows of its own"
        raise UsageError(f"{origin}: the sum has {scenario.task.rounds} rounds, and the data one file", hint)
    return {"data": own.data}
