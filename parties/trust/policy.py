"""An owner's policy, `policy.toml` beside its keys: what it refuses, whatever a scenario asks for.

A rule that is left out refuses nothing, except `insecure_seed` and `plain_updates`: a run without protection must be
allowed. The policy is checked before any connection is made.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from mpc.errors import UsageError
from parties.base.private_files import read_own
from parties.scenario.models import A_COUNT, MIN_ROWS, MIN_ROWS_PER_FEATURE, Count, Names
from parties.scenario.problems import Problem, Reading, quote, read_or_refuse, read_table, show_value
from parties.trust.request import Request

_ALIKE: Final = 0.75  # "modle" and "model" are alike, "scores" and "scales" are not
SCHEMA: Final = 1
FILE: Final = "policy.toml"


class Rules(BaseModel):
    """The rules of a policy file; None for a rule that it does not have."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    kinds: Names | None = Field(default=None, description="a list of kinds of task")
    reveals: Names | None = Field(default=None, description='a list such as ["model", "metrics", "standardisation"]')
    minimum_rows: Count | None = Field(default=None, description=A_COUNT)
    minimum_rows_per_feature: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="a whole number of at least 0"
    )
    minimum_owners: Count | None = Field(default=None, description=A_COUNT)
    minimum_cell: Count | None = Field(default=None, description=A_COUNT)
    require_privacy: bool = Field(default=False, description="true or false")
    largest_epsilon: Annotated[float, Field(gt=0.0)] | None = Field(default=None, description="a number above 0")
    peers: Names | None = Field(default=None, description="a list of public keys or parties' names")
    insecure_seed: bool = Field(default=False, description="true or false")
    plain_updates: bool = Field(default=False, description="true or false")


@dataclass(frozen=True)
class Policy:
    """A policy and its file; without a file it has no rules, and is not `written`."""

    path: Path
    rules: Rules
    written: bool = True

    def check(self, request: Request, me: str, publics: Mapping[str, str], rows: int | None = None) -> None:
        """Refuse a scenario that asks `me` for something that the policy forbids.

        Args:
            publics: every party's public text.
            rows: how many rows this party would enter, as stated; None if it has none, or nobody states it.

        Raises:
            UsageError: a rule is broken; it and the file are named.
        """
        self._check_seed(request, me)
        self._check_plain(request, me)
        for message in (
            self._kind(request),
            self._reveals(request),
            self._owners(request),
            self._privacy(request),
            self._cells(request),
            self._few_rows(request),
            self._peers(me, publics),
        ):
            self._refuse(me, message)
        if rows is not None:
            self.check_rows(me, rows)

    def check_rows(self, me: str, rows: int) -> None:
        """Refuse a run that `me` would enter with too few rows: as stated, or as counted once the data were read.

        Raises:
            UsageError: they are too few.
        """
        least = self.rules.minimum_rows
        self._refuse(me, "" if least is None or rows >= least else f"minimum_rows = {least}, but the data have {rows}")

    def _refuse(self, me: str, message: str) -> None:
        if message:
            hint = "if you want to take part, change that rule; else tell the others which one it is"
            raise UsageError(f"{self.path} refuses this run: {message}", hint, party=me)

    def _check_seed(self, request: Request, me: str) -> None:
        if request.insecure and not self.rules.insecure_seed:
            raise UsageError(
                f"[testing] insecure_seed makes all secrets of a run known to all, and no policy of {me} allows it",
                f"for a test, write insecure_seed = true into {self.path}; else have it taken out of the scenario",
                party=me,
            )

    def _check_plain(self, request: Request, me: str) -> None:
        if request.plain and not self.rules.plain_updates:
            raise UsageError(
                f'aggregation = "plain" shows the server each client\'s own update, and no policy of {me} allows it',
                f"for a comparison on data that may be seen, write plain_updates = true into {self.path}; else have it "
                "taken out of the scenario",
                party=me,
            )

    def _kind(self, request: Request) -> str:
        kinds, kind = self.rules.kinds, request.kind
        return "" if kinds is None or kind in kinds else f"{_rule_text('kinds', kinds)}, but the task is '{kind}'"

    def _reveals(self, request: Request) -> str:
        allowed = self.rules.reveals
        if allowed is None:
            return ""
        refused = [names[0] for names in request.reveals if not set(names) & set(allowed)]
        if not refused:
            return ""
        slips = [(word, name) for word in allowed for name in get_close_matches(word, refused, n=1, cutoff=_ALIKE)]
        slip = "".join(f" ('{word}' is not '{name}')" for word, name in slips)
        return f"{_rule_text('reveals', allowed)}, but it reveals {quote(refused)}{slip}"

    def _owners(self, request: Request) -> str:
        least = self.rules.minimum_owners
        enough = least is None or request.owners >= least
        return "" if enough else f"minimum_owners = {least}, but {request.owners_text}"

    def _privacy(self, request: Request) -> str:
        """[privacy] that is lacking, or too weak: a largest epsilon asks for it, too."""
        largest, epsilon = self.rules.largest_epsilon, request.epsilon
        if epsilon is None:
            rule = "" if largest is None else f"largest_epsilon = {largest:g}"
            rule = rule or ("require_privacy = true" if self.rules.require_privacy else "")
            return f"{rule}, but the scenario has no [privacy]" if rule else ""
        if largest is not None and epsilon > largest:
            return f"largest_epsilon = {largest:g}, but [privacy] has epsilon = {epsilon:g}"
        return ""

    def _cells(self, request: Request) -> str:
        least = self.rules.minimum_cell
        if least is None or (request.epsilon is not None and self.rules.largest_epsilon is not None):
            return ""
        reasons = request.small_counts(least)
        return f"minimum_cell = {least}, but {'; '.join(reasons)}" if reasons else ""

    def _few_rows(self, request: Request) -> str:
        """The minimums of a scenario that are below the defaults, where no rule allows it."""
        stated = request.task
        found = []
        for key, default, rule, allowed in (
            ("min_rows", MIN_ROWS, "minimum_rows", self.rules.minimum_rows),
            (
                "min_rows_per_feature",
                MIN_ROWS_PER_FEATURE,
                "minimum_rows_per_feature",
                self.rules.minimum_rows_per_feature,
            ),
        ):
            least = default if allowed is None else min(default, allowed)
            if stated.get(key, default) < least:
                said = f"{rule} is {least}" + (" where it says nothing" if allowed is None else "")
                found.append(f"{said}, but [task] {key} = {stated[key]}")
        return "; ".join(found)

    def _peers(self, me: str, publics: Mapping[str, str]) -> str:
        allowed = self.rules.peers
        if allowed is None:
            return ""
        strangers = [name for name, text in publics.items() if name != me and not {name, text} & set(allowed)]
        return f"peers lists neither the name nor the key of {quote(strangers)}" if strangers else ""


def load_policy(folder: Path, path: Path | None = None) -> Policy:
    """Load the policy in FOLDER/policy.toml, or in the file `path`; one without rules if the folder has none.

    Raises:
        UsageError: the file is not valid, others can change it, or a named one is missing.
    """
    where = path or folder / FILE
    try:
        content = read_own(where)
    except FileNotFoundError:
        if path is None:
            return Policy(where, Rules(), written=False)
        raise UsageError(f"there is no policy file {where}", "check --policy") from None
    try:
        raw = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: the policy is not valid TOML: {str(error).lower()}", "correct that line") from None
    return Policy(where, read_or_refuse(str(where), _read_rules(raw)))


def _read_rules(raw: dict[str, Any]) -> Reading[Rules | None]:
    schema = raw.pop("schema", SCHEMA)
    if type(schema) is not int or schema != SCHEMA:
        yield Problem(f"schema {show_value(schema)} is not known to this version", f"write schema = {SCHEMA}")
    return (yield from read_table(Rules, raw, "the policy", {}))


def _rule_text(rule: str, values: tuple[str, ...] | None) -> str:
    text = ", ".join(f'"{value}"' for value in values or ())
    return f"{rule} = [{text}]"
