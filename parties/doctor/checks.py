"""The checks of `mpc doctor` on this machine: the file, the keys, the data, the machine's limits. Nothing is sent."""

from __future__ import annotations

import ipaddress
import platform
import queue
import resource
import socket
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from mpc.errors import BeaverlodgeError, DataError, PeerLostError, UsageError
from parties.base.version import VERSION
from parties.data.own_table import OwnTable
from parties.doctor.findings import Finding, finding_of, ok, problem, warning
from parties.scenario.file import Scenario, SqlSource, split_address
from parties.scenario.star import StarScenario
from parties.show.blocks import count_text, plural
from parties.tasks.registry import job_of, request_of
from parties.trust.consent import Approvable
from parties.trust.releases import Release
from parties.trust.roster import Keyed
from parties.trust.share_file import Vault

LIBRARIES: Final = ("numpy", "pyzmq", "cryptography", "duckdb", "pydantic")
FEWEST_DESCRIPTORS: Final = 1024
"""With fewer open files, strangers that hold connections open could take those that the parties need."""

_LOOKUP_SECONDS: Final = 3.0


def check_file(scenario: Scenario) -> Iterator[Finding]:
    """Check the scenario file alone: who can reach whom, whose key is missing."""
    yield ok(f"{scenario.path}: '{scenario.name}', {_roles(scenario)}")
    yield ok(f"digest {scenario.digest}: the same at every party that has the same scenario")
    keys_missing = [name for name, party in scenario.parties.items() if party.public_key is None]
    if keys_missing and scenario.roster is None:
        hint = "each of them types `mpc keygen NAME` and sends the line that it prints, for every party's copy"
        yield problem(f"no public_key of {', '.join(keys_missing)}", hint)
    yield from _check_pairs(scenario)
    if scenario.testing is not None and scenario.testing.insecure_seed is not None:
        yield warning("[testing] insecure_seed makes all secrets known: the run protects nothing", "remove [testing]")
    if scenario.faults is not None:
        yield problem("[faults] is for `mpc run` only: `mpc party` refuses this file", "take [faults] out")
    if scenario.network is not None:
        yield warning("[network] is for `mpc run` only", "nothing needs to be done; real links are what they are")


def check_keys(scenario: Keyed) -> Iterator[Finding]:
    """Check that every party's public key is in the scenario or its roster."""
    from parties.trust.roster import public_texts

    if scenario.roster is None and None in scenario.stated_keys.values():
        return  # `check_file` reports it
    try:
        texts = public_texts(scenario)
    except BeaverlodgeError as error:
        yield finding_of(error)
        return
    where = "the scenario" if scenario.roster is None else f"the roster {scenario.roster.file}, signed as it should be"
    yield ok(f"public keys of all {len(texts)} parties: in {where}")


def check_names(scenario: Scenario | StarScenario, me: str | None = None) -> Iterator[Finding]:
    """Check that the parties' host names resolve from here, all at once: a name server may be slow."""
    asked: queue.SimpleQueue[tuple[str, list[str] | str]] = queue.SimpleQueue()
    names = {
        name: split_address(party.address)
        for name, party in scenario.parties.items()
        if party.address is not None and not _is_number(split_address(party.address)[0])
    }
    for name, (host, port) in names.items():
        threading.Thread(target=_look_up, args=(name, host, port, asked), daemon=True).start()
    found: dict[str, list[str] | str] = {}
    while len(found) < len(names):
        try:
            name, answer = asked.get(timeout=_LOOKUP_SECONDS)
        except queue.Empty:
            break
        found[name] = answer
    for name, (host, _) in names.items():
        answer = found.get(name, "the name server does not answer")
        if isinstance(answer, list):
            yield ok(f"{host} ({name}) is {', '.join(answer)}")
        elif me is None or name == me or not _dials(scenario, me, name):
            yield warning(
                f"{host} ({name}) is not known on this machine: {answer}", "the machines that dial it need it"
            )
        else:
            hint = "correct the address in every party's copy, or add the name to this machine's /etc/hosts"
            code = PeerLostError.exit_code if answer.startswith("the name server") else UsageError.exit_code
            yield problem(f"{host} ({name}) is not known on this machine: {answer}", hint, code, name)


def check_policy(
    scenario: Scenario | StarScenario, me: str, keys: Path, policy: Path | None, rows: int | None
) -> Iterator[Finding]:
    """Check the scenario, and this party's rows if they are known, against its policy."""
    from parties.trust.policy import load_policy
    from parties.trust.roster import public_texts

    try:
        rules = load_policy(keys, policy)
        rules.check(request_of(scenario), me, public_texts(scenario), rows)
        if rules.written:
            yield ok(f"{rules.path} lets this scenario through")
    except BeaverlodgeError as error:
        yield finding_of(error)


def pooled_rows(scenario: Scenario, me: str, table: OwnTable | None) -> int | None:
    """The number of this party's rows that enter the results: as the scenario states, or as counted."""
    if not job_of(scenario).data.pools(scenario, me):
        return None
    return scenario.parties[me].rows or (table.rows if table is not None else None)


def check_releases(scenario: Scenario, me: str, keys: Path, table: OwnTable) -> Iterator[Finding]:
    """Report earlier releases of this party's data."""
    from parties.trust.releases import Releases

    if not job_of(scenario).data.pools(scenario, me):
        return
    try:
        releases = Releases(keys)
        repeats = releases.warnings(releases.entry(scenario, table, table.columns))
    except UsageError as error:
        yield finding_of(error)
    else:
        for text in repeats:
            yield warning(text, "whether to go on is yours to judge: docs/keys.md, releases")
        yield from _check_budget(scenario, me, keys, releases.past)


def _check_budget(scenario: Scenario, me: str, keys: Path, released: Sequence[Release]) -> Iterator[Finding]:
    """Report what a run with [privacy] leaves of this party's budget."""
    from parties.report.budget import budget_text
    from parties.trust.budget import Ledger

    try:
        charge = job_of(scenario).notice.charge(scenario)
        if charge is not None:
            yield ok(budget_text(Ledger(keys).check(me, charge, released), charge))
    except BeaverlodgeError as error:  # the budget is spent, or nothing here can add it up
        yield finding_of(error)


def check_data(scenario: Scenario, me: str) -> tuple[OwnTable | None, list[Finding]]:
    """Read this party's data as a run would; returns the table and the findings."""
    if scenario.parties[me].role != "owner":
        return None, [ok(f"{me} has no data: it is the helper")]
    try:
        table: OwnTable = job_of(scenario).data.load(scenario, me)
    except (DataError, UsageError) as error:
        return None, [finding_of(error)]
    found = [ok(job_of(scenario).notice.summary(scenario, table))]
    for note in table.notes:
        hint = "it is well if you expected it; else correct the data"
        found.append(warning(note.text, hint) if note.level == "warning" else ok(note.text))
    if scenario.parties[me].data is None:
        return table, found
    source = scenario.data_source(me)
    path = scenario.directory / (source.database if isinstance(source, SqlSource) else source)
    return table, [*found, *check_readers(path)]


def check_ready(scenario: Scenario, table: OwnTable, vault: Vault) -> Iterator[Finding]:
    """Check the files that this party's keys open, and the place for what the run will keep."""
    job = job_of(scenario)
    if job.data.ready is None:
        return
    try:
        opened = job.data.ready(scenario, table, vault)
    except BeaverlodgeError as error:
        yield finding_of(error)
        return
    for note in opened.notes[len(table.notes) :]:
        yield ok(note.text)


def check_readers(path: Path) -> Iterator[Finding]:
    """Check whether other users of this machine can read the data."""
    if _all_may_read(path):
        yield warning(f"every user of this machine can read {path}", f"chmod o-r {path}")


def check_approval(scenario: Approvable, me: str, keys: Path) -> Finding:
    """Check that the scenario was approved as it is. If not, nothing that it names is opened."""
    from parties.trust.consent import obtain

    try:
        obtain(scenario, me, keys, None, lambda _: None, None)
    except UsageError as error:
        if "has not approved" not in error.message:
            return finding_of(error)
        message = f"{error.message}: until then the data, host names and links that it names are not looked at"
        return problem(message, f"`mpc party` shows what it asks for, at its first start; {error.hint}")
    return ok(f"{me} has approved this scenario")


def check_machine(scenario: Scenario) -> Iterator[Finding]:
    """Report versions, and check the system's limits for this user."""
    yield check_versions()
    yield from check_descriptors(64 + 8 * len(scenario.parties))


def check_versions() -> Finding:
    """Report this version, Python's and the libraries'."""
    libraries = ", ".join(f"{name} {number}" for name, number in versions().items())
    return ok(f"beaverlodge {VERSION}; Python {platform.python_version()}; {libraries}")


def check_descriptors(needed: int) -> Iterator[Finding]:
    """Check that so many files may be open."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    text = f"descriptors: {'no limit' if limit == resource.RLIM_INFINITY else count_text(limit)}"
    if limit != resource.RLIM_INFINITY and limit < needed:
        yield problem(f"{text}, but a run needs about {needed}", f"ulimit -n {FEWEST_DESCRIPTORS}, or LimitNOFILE=")
    elif limit != resource.RLIM_INFINITY and limit < FEWEST_DESCRIPTORS:
        hint = f"ulimit -n {FEWEST_DESCRIPTORS}, so that strangers at the port cannot use them up"
        yield warning(f"{text}; a run needs about {needed}", hint)
    else:
        yield ok(f"{text}; a run needs about {needed}")


def versions() -> dict[str, str]:
    """The versions of the installed libraries."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "?"
    return found


def describe(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that a doctor sends to its peers' doctors: versions and the scenario's public facts, nothing else."""
    return {"version": VERSION, "facts": dict(facts), "doing": "doctor", "python": platform.python_version()}


def _roles(scenario: Scenario) -> str:
    return f"{plural(len(scenario.owners), 'owner')} ({', '.join(scenario.owners)}) and the helper {scenario.helper}"


def _check_pairs(scenario: Scenario) -> Iterator[Finding]:
    parties = scenario.parties
    cut = [(a, b) for a, b in combinations(parties, 2) if parties[a].address is None and parties[b].address is None]
    for a, b in cut:
        hint = "give one of them an `address` in the scenario, and let the other in there"
        yield problem(f"neither {a} nor {b} has an address, so they cannot reach each other", hint)
    addresses = {name: party.address for name, party in parties.items() if party.address is not None}
    if not cut:
        who = ", ".join(f"{name} at {address}" for name, address in addresses.items())
        yield ok(f"every pair of parties has a way: {who}")
    here = [name for name, address in addresses.items() if _is_loopback(address)]
    if here and len(here) < len(addresses):
        hint = "an address such as 127.0.0.1 is reached from the same machine only"
        yield warning(f"the address of {', '.join(here)} is for one machine, the others' are not", hint)


def _dials(scenario: Scenario | StarScenario, me: str, peer: str) -> bool:
    if isinstance(scenario, StarScenario):
        return me != scenario.server  # only the server has an address
    from parties.session.separate import dials

    return dials(scenario, me, peer)  # the peer has an address, so one of both can dial


def _look_up(name: str, host: str, port: int, answers: queue.SimpleQueue[tuple[str, list[str] | str]]) -> None:
    try:
        found: Sequence[Any] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        answers.put((name, list(dict.fromkeys(str(entry[4][0]) for entry in found))))
    except (OSError, UnicodeError) as error:
        answers.put((name, str(error.strerror if isinstance(error, OSError) else error).lower()))


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


def _is_loopback(address: str) -> bool:
    host, _ = split_address(address)
    return host == "localhost" or (_is_number(host) and ipaddress.ip_address(host).is_loopback)


def _all_may_read(path: Path) -> bool:
    """Whether other users can read the file: its own mode and those of all folders above it allow it."""
    try:
        where = path.resolve()
        return bool(where.stat().st_mode & stat.S_IROTH) and all(
            folder.stat().st_mode & stat.S_IXOTH for folder in where.parents
        )
    except OSError:
        return False
