"""A scenario file of a kind for a server and clients: its tables, read, and what all these kinds check of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from mpc.faults.fault import Fault
from parties.scenario.faults import FaultsSpec, check_faults, check_star_faults, check_words, read_faults
from parties.scenario.file import NAME_HINT, PARTY_NAME, check_schema
from parties.scenario.models import Head, RosterSpec, SessionSpec, TestingSpec
from parties.scenario.network import NetworkSpec, check_network, read_network
from parties.scenario.privacy import ClientPrivacySpec
from parties.scenario.problems import (
    Problem,
    Reading,
    check_keys,
    drop_invalid,
    quote,
    read_or_refuse,
    read_table,
    show_value,
)
from parties.scenario.star import ClientsSpec, StarParty, StarScenario, StarTask

_TABLES: Final = ("parties", "clients", "task", "network", "faults", "session", "roster")

Kind = TypeVar("Kind", bound=StarScenario)


def read_star(
    path: Path,
    raw: Mapping[str, Any],
    scenario: type[Kind],
    task: type[StarTask],
    check: Callable[[Kind], Iterator[Problem]],
    head: Sequence[str] = ("schema", "name"),
    *,
    testing: bool = False,
    private: type[ClientPrivacySpec] | None = None,
) -> Kind:
    """Check what a scenario file of such a kind holds.

    Args:
        scenario, task: the kind's classes.
        check: the problems of a scenario whose tables are each valid.
        head: the keys above the tables; those beside schema and name are fields of the scenario.
        testing: whether the file may have a test seed; `testing` is then a field of the scenario.
        private: what its [privacy] is, where it may have one; `privacy` is then a field of the scenario.

    Raises:
        UsageError: it is not a valid scenario.
    """
    check_schema(path, raw)
    return read_or_refuse(
        str(path), _read_tables(path, raw, scenario, task, check, head, testing=testing, private=private)
    )


def _read_tables(
    path: Path,
    raw: Mapping[str, Any],
    scenario: type[Kind],
    task: type[StarTask],
    check: Callable[[Kind], Iterator[Problem]],
    head: Sequence[str],
    *,
    testing: bool,
    private: type[ClientPrivacySpec] | None,
) -> Reading[Kind | None]:
    found = yield from drop_invalid(_read_each_table(path, raw, scenario, task, head, testing=testing, private=private))
    if found is not None:
        yield from check(found)
    return found


def _read_each_table(
    path: Path,
    raw: Mapping[str, Any],
    scenario: type[Kind],
    task: type[StarTask],
    keys: Sequence[str],
    *,
    testing: bool,
    private: type[ClientPrivacySpec] | None,
) -> Reading[Kind | None]:
    raw = _with_vanishing_clients(raw)
    elsewhere: Mapping[str, Sequence[str]] = {
        "[task]": tuple(task.model_fields),
        "[parties.NAME]": tuple(StarParty.model_fields),
        "[clients]": tuple(ClientsSpec.model_fields),
        "[network]": tuple(NetworkSpec.model_fields),
        "[faults]": tuple(FaultsSpec.model_fields),
        "[session]": tuple(SessionSpec.model_fields),
        "[roster]": tuple(RosterSpec.model_fields),
    }
    if "privacy" in raw and private is None:
        yield Problem(f'[privacy] is not for kind = "{raw["task"]["kind"]}"', "remove [privacy]")
        return None
    tables = (*_TABLES, *(("testing",) if testing else ()), *(("privacy",) if private else ()))
    yield from check_keys("the top of the file", raw, (*keys, *tables), elsewhere)
    head = yield from read_table(Head, {k: v for k, v in raw.items() if k in keys}, "the top of the file:", {})
    parties = yield from _parties(raw.get("parties"), elsewhere)
    clients = (yield from read_table(ClientsSpec, raw["clients"], "[clients]", elsewhere)) if "clients" in raw else None
    session = yield from read_table(SessionSpec, raw.get("session", {}), "[session]", elsewhere)
    settings = yield from read_table(task, raw["task"], "[task]", elsewhere)
    roster = (yield from read_table(RosterSpec, raw["roster"], "[roster]", elsewhere)) if "roster" in raw else None
    network = (yield from read_network(raw["network"], elsewhere)) if "network" in raw else None
    faults = (yield from read_faults(raw["faults"], elsewhere)) if "faults" in raw else None
    seeded = (yield from read_table(TestingSpec, raw["testing"], "[testing]", elsewhere)) if "testing" in raw else None
    noisy = None
    if private is not None and "privacy" in raw:
        noisy = yield from read_table(private, raw["privacy"], "[privacy]", elsewhere)
    if head is None or session is None or settings is None:
        return None
    more = head.model_dump(include=set(keys) - {"schema", "name"}) | ({"testing": seeded} if testing else {})
    more |= {"privacy": noisy} if private else {}
    return scenario(
        name=head.name,
        parties=parties,
        clients=clients,
        task=settings,
        session=session,
        roster=roster,
        network=network,
        faults=faults,
        path=path,
        **more,
    )


def _with_vanishing_clients(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tables of a file of an earlier version as they are written now: `dropping` stood with the [clients]."""
    clients = raw.get("clients")
    if not isinstance(clients, Mapping) or "dropping" not in clients or "faults" in raw:
        return raw
    others = {key: value for key, value in clients.items() if key != "dropping"}
    return {**raw, "clients": others, "faults": {"clients": {"vanish": clients["dropping"]}}}


def _parties(raw: object, elsewhere: Mapping[str, Sequence[str]]) -> Reading[dict[str, StarParty]]:
    if not isinstance(raw, Mapping) or not raw:
        yield Problem("the file names no parties", 'add [parties.server] with role = "server"')
        return {}
    found = {}
    for name, values in raw.items():
        if not PARTY_NAME.fullmatch(name):
            yield Problem(f"{show_value(name)} cannot be a party's name", NAME_HINT)
            continue
        party = yield from read_table(StarParty, values, f"[parties.{name}]", elsewhere)
        if party is not None:
            found[name] = party
            if party.role != "client" and party.data is not None:
                yield Problem(f"[parties.{name}] has data, but a {party.role} has none")
            if party.role != "server" and party.address is not None:
                yield Problem(
                    f"[parties.{name}] has an address, but a {party.role} listens nowhere", "remove the address"
                )
    return found


def check_star(
    scenario: StarScenario,
    stages: Sequence[str] | None,
    more: Sequence[str] = (),
    *,
    has_data: bool = True,
    survives: bool = False,
) -> Iterator[Problem]:
    """What all kinds check: one server, the clients' data, links, and faults of stages that there are.

    Args:
        stages: those of a client's round, None where they are not known yet; `more` those of other processes.
        has_data: whether the clients have any.
        survives: whether the server may be started again.
    """
    servers = [name for name, party in scenario.parties.items() if party.role == "server"]
    if len(servers) != 1:
        count = "no server" if not servers else f"more than one server: {quote(servers)}"
        yield Problem(f"there is {count}", 'exactly one party needs role = "server"')
    yield from _check_data(scenario, has_data=has_data)
    if set(scenario.hosted_clients) & set(scenario.parties):
        yield Problem("a party has the name of a hosted client", "call it otherwise")
    if scenario.inside and scenario.network is not None:
        yield Problem(
            "[network] says what links are like, and clients in the server's process or on a cluster have none",
            "remove the table, or let the clients have processes: `processes` in [clients] of 1 or more, no `cluster`",
        )
    if scenario.network is not None:
        yield from check_network(scenario.network, scenario.link_names)
    spec = scenario.faults
    if spec is None:
        return
    yield from check_faults(spec, (*scenario.parties, *scenario.hosts))
    staying = (*(servers[:1] if not survives else ()), scenario.helper)
    yield from check_star_faults(spec, staying, scenario.clients is not None)
    if stages is None:
        return
    yield from check_words(spec.faults, (), ("start", "joining", *more, *stages))
    if spec.clients is not None and spec.clients.stage is not None:
        yield from check_words([Fault("vanish", stage=spec.clients.stage)], (), stages)


def _check_data(scenario: StarScenario, *, has_data: bool) -> Iterator[Problem]:
    """Every client's data are somewhere, where there are any."""
    said = {f"[parties.{name}]": scenario.parties[name].data for name in scenario.own_process}
    if (clients := scenario.clients) is not None:
        said["[clients]"] = clients.data
    for where, data in said.items():
        if has_data and data is None:
            yield Problem(f"{where} does not say where its data are", "add data =")
        elif not has_data and data is not None:
            yield Problem(f"{where} has data, and no input is a table", "remove it, or give the clients a table")
    if clients is not None and clients.data is not None:
        yield from _check_rows(scenario, clients, clients.data)
    elif clients is not None and (clients.by, clients.split, clients.alpha) != (None, None, None):
        yield Problem("[clients] says whose a row is, of no file", "add data =")


def _check_rows(scenario: StarScenario, clients: ClientsSpec, data: str) -> Iterator[Problem]:
    """Whose a row is, is said in one way."""
    ways = "{client}" in data, clients.by is not None, clients.split is not None
    if sum(ways) != 1:
        yield Problem(
            "[clients] says in no way, or in several, whose a row is",
            "write {client} in data, or name the column `by`, or deal one file's rows out by `split`",
        )
    if (clients.split is None) != (clients.alpha is None):
        yield Problem("[clients] split and alpha go together", "alpha = 0.1 deals unevenly, 100 almost evenly")
    if clients.split is None:
        return
    if scenario.split_seed is None:
        yield Problem(f'[clients] split is not for kind = "{scenario.task.kind}"', "name the column `by`")
    elif clients.split == "labels" and scenario.split_labels is None:
        yield Problem('[clients] split = "labels" needs a target of classes', 'choose split = "quantity"')
