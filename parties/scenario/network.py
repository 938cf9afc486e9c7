"""The [network] of a scenario: what the links between the parties are like when `mpc run` emulates them.

One description for all links, what differs on the link of one pair, and cuts. The presets' sources are in
docs/faults.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, Field, model_validator

from mpc.errors import UsageError
from mpc.runtime.speed import LinkSpeed
from parties.scenario.models import A_SEED, LARGEST_SEED, MOST_SECONDS, SECONDS, Table, Text
from parties.scenario.problems import Problem, Reading, nearest, quote, read_table, show_value

MILLISECONDS: Final = "a number of milliseconds from 0 to 60000"
MBIT: Final = "a number from 0.001 to 1000000"
FROM_START: Final = "a number of seconds from 0 to 1000000"

AnyScenario = TypeVar("AnyScenario", bound=BaseModel)

Milliseconds = Annotated[float, Field(ge=0.0, le=60_000.0)]
Mbit = Annotated[float, Field(ge=0.001, le=1e6)]
Seconds = Annotated[float, Field(gt=0.0, le=MOST_SECONDS)]

_FIGURES: Final[Mapping[str, Mapping[str, float]]] = {
    "lan": {"latency_ms": 0.1, "bandwidth_mbit": 1000.0},
    "wan": {"latency_ms": 10.0, "jitter_ms": 1.0, "bandwidth_mbit": 100.0},
    "mobile": {"latency_ms": 26.5, "jitter_ms": 8.0, "bandwidth_mbit": 13.6},
    "hospital-dsl": {"latency_ms": 22.0, "jitter_ms": 4.0, "bandwidth_mbit": 0.69},
}
PRESETS: Final = tuple(_FIGURES)
Preset = Literal["lan", "wan", "mobile", "hospital-dsl"]
_A_PRESET: Final = "one of " + ", ".join(f'"{name}"' for name in PRESETS)


def _fill_preset(raw: Any) -> Any:
    """The settings of a table, and for the rest those of its preset."""
    preset = raw.get("preset") if isinstance(raw, Mapping) else None
    return {**_FIGURES[preset], **raw} if isinstance(preset, str) and preset in _FIGURES else raw


class LinkSpec(Table):
    """The conditions of one pair's link; those that are None are as on all links."""

    preset: Preset | None = Field(default=None, description=_A_PRESET)
    latency_ms: Milliseconds | None = Field(default=None, description=MILLISECONDS)
    jitter_ms: Milliseconds | None = Field(default=None, description=MILLISECONDS)
    bandwidth_mbit: Mbit | None = Field(default=None, description=MBIT)

    _fill = model_validator(mode="before")(_fill_preset)


class CutSpec(Table):
    """A time in which a link carries nothing: from so many seconds after the parties were told of each other."""

    link: Text = Field(description='the names of two parties, such as "hospital_a-helper"')
    at: float = Field(ge=0.0, le=MOST_SECONDS, description=FROM_START)
    seconds: Seconds = Field(description=SECONDS)


class NetworkSpec(Table):
    """The conditions of the links between the parties, which `mpc run` emulates.

    Each packet takes `latency_ms`, longer or shorter by up to `jitter_ms` (drawn evenly, from `seed`); none overtakes
    another, as in a TCP stream. Bandwidth is of each link, each way.
    """

    preset: Preset | None = Field(default=None, description=_A_PRESET)
    latency_ms: Milliseconds = Field(default=0.0, description=MILLISECONDS)
    jitter_ms: Milliseconds = Field(default=0.0, description=MILLISECONDS)
    bandwidth_mbit: Mbit | None = Field(default=None, description=MBIT)
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description=A_SEED)
    links: dict[str, LinkSpec] = Field(default_factory=dict, description="a table of links")
    cuts: Annotated[tuple[CutSpec, ...], Field(strict=False)] = Field(
        default=(), description="a list of tables, [[network.cuts]]"
    )

    _fill = model_validator(mode="before")(_fill_preset)

    def between(self, one: str, other: str) -> LinkSpec:
        """The link of two parties, whole: what it is said to be itself, and the rest as all are."""
        own = next((link for name, link in self.links.items() if pair_of(name) == {one, other}), LinkSpec())
        said = own.model_dump(exclude_none=True)
        return LinkSpec(
            **{
                "latency_ms": self.latency_ms,
                "jitter_ms": self.jitter_ms,
                "bandwidth_mbit": self.bandwidth_mbit,
                **said,
            }
        )

    def cuts_between(self, one: str, other: str) -> tuple[tuple[float, float], ...]:
        """When the link of two parties is down: from and until, in seconds, in order."""
        return tuple(sorted((cut.at, cut.at + cut.seconds) for cut in self.cuts if pair_of(cut.link) == {one, other}))

    def speed(self, one: str, other: str, *, slowest: bool = False) -> LinkSpeed:
        """The link of two parties as a plan counts it; with `slowest`, each packet as late as jitter makes it."""
        link = self.between(one, other)
        jitter = (link.jitter_ms or 0.0) if slowest else 0.0
        rate = math.inf if link.bandwidth_mbit is None else link.bandwidth_mbit * 1e6 / 8
        return LinkSpeed(((link.latency_ms or 0.0) + jitter) / 1000, rate)

    @property
    def idle(self) -> bool:
        """Whether the machine's own links will do."""
        said = (self.latency_ms, self.jitter_ms, self.bandwidth_mbit, self.links, self.cuts)
        return not any(said)

    @property
    def varies(self) -> bool:
        """Whether the latency of some link does."""
        return any((self.jitter_ms, *(link.jitter_ms for link in self.links.values())))

    def agreement(self) -> dict[str, Any]:
        """All that the parties must agree on, as plain JSON values; what is newer than the format, where it is said."""
        values = self.model_dump(mode="json", exclude_defaults=True, exclude={"preset"})
        return {"latency_ms": self.latency_ms, "bandwidth_mbit": self.bandwidth_mbit, **values}


LAN: Final = NetworkSpec(preset="lan")
"""A local network: what a scenario without a [network] is taken to be on."""


def preset_network(name: str) -> NetworkSpec:
    """The network that is called so.

    Raises:
        UsageError: none is.
    """
    if name not in _FIGURES:
        guess = nearest(name, PRESETS)
        hint = f"did you mean '{guess}'?" if guess else f"there are {', '.join(PRESETS)}"
        raise UsageError(f"there is no network called {show_value(name)}", hint)
    return NetworkSpec.model_validate({"preset": name})


def on_preset(scenario: AnyScenario, preset: str | None) -> AnyScenario:
    """The scenario on another network than its own.

    Raises:
        UsageError: none is called so.
    """
    return scenario if preset is None else scenario.model_copy(update={"network": preset_network(preset)})


def pair_of(link: str) -> frozenset[str]:
    """The two parties of a link's name."""
    return frozenset(link.split("-"))


def read_network(raw: object, elsewhere: Mapping[str, Iterable[str]]) -> Reading[NetworkSpec | None]:
    """The table [network]; None if something is wrong with it."""
    if not isinstance(raw, Mapping):
        return (yield from read_table(NetworkSpec, raw, "[network]", elsewhere))
    links, cuts = raw.get("links"), raw.get("cuts")
    said = dict(raw)
    if isinstance(links, Mapping):
        said["links"] = {}
        for name, link in links.items():
            read = yield from read_table(LinkSpec, link, f"[network.links.{show_value(name)[1:-1]}]", {})
            said["links"][name] = read or LinkSpec()
    if isinstance(cuts, Sequence) and not isinstance(cuts, str):
        said["cuts"] = []
        for cut in cuts:
            one = yield from read_table(CutSpec, cut, "[[network.cuts]]", {})
            said["cuts"] += [] if one is None else [one]
    return (yield from read_table(NetworkSpec, said, "[network]", elsewhere))


def check_network(network: NetworkSpec, names: Iterable[str]) -> Iterator[Problem]:
    """Links are between two parties that there are, each said once; cuts of one link do not overlap."""
    known, said = list(names), set[frozenset[str]]()
    for where, link in [
        *((f"[network.links.{link}]", link) for link in network.links),
        *((f'[[network.cuts]] link = "{cut.link}"', cut.link) for cut in network.cuts),
    ]:
        yield from check_link(where, link, known)
    for link in network.links:
        if pair_of(link) in said:
            yield Problem(f"[network.links.{link}] is there a second time, the other way round", "keep one of them")
        said.add(pair_of(link))
    for pair in dict.fromkeys(pair_of(cut.link) for cut in network.cuts):
        if len(pair) == 2 and any(
            end > start for (_, end), (start, _) in pairwise(network.cuts_between(*sorted(pair)))
        ):
            yield Problem(f"[[network.cuts]] cuts {'-'.join(sorted(pair))} while it is cut", "make one cut of them")


def check_link(where: str, link: str, known: Sequence[str]) -> Iterator[Problem]:
    """A link's name consists of two parties' names."""
    names = link.split("-")
    if len(names) != 2 or names[0] == names[1]:
        yield Problem(f"{where} is no link", 'write the names of two parties, such as "hospital_a-helper"')
        return
    for name in names:
        if name not in known:
            guess = nearest(name, known)
            hint = f"did you mean '{guess}'?" if guess else f"the parties are {quote(known)}"
            yield Problem(f"{where} names {show_value(name)}, which is no party", hint)
