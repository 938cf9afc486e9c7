"""The tables of a scenario file as frozen, validated models.

Each field's `description` completes the sentence "... must be ..." of the messages (see problems.py).
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from parties.scenario.terms import names_of
from protocols.disclosure.suppression import LEAST_MINIMUM

LARGEST_SEED = 2**63 - 1
LARGEST_COUNT = 2**31 - 1
MOST_MINIMUM = 100

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")


def split_address(address: str) -> tuple[str, int]:
    """Host and port of "host:port"; an IPv6 host stands in brackets and is returned without them.

    Raises:
        ValueError: if the text is not such an address.
    """
    host, colon, port_text = address.rpartition(":")
    if not colon or not port_text.isascii() or not port_text.isdigit() or len(port_text) > 5:
        raise ValueError("no port")
    port = int(port_text)
    if not 1 <= port <= 65535:
        raise ValueError("no such port")
    if host.startswith("[") and host.endswith("]"):
        return str(ipaddress.IPv6Address(host[1:-1])), port
    if re.fullmatch(r"[0-9.]+", host):
        return str(ipaddress.IPv4Address(host)), port
    if len(host) > 253 or not _HOST_NAME.fullmatch(host):
        raise ValueError("no such host name")
    return host, port


def check_address(text: str) -> str:
    """Refuse a text that `split_address` does not accept."""
    split_address(text)
    return text


A_MINIMUM: Final = f"a whole number from {LEAST_MINIMUM} to {MOST_MINIMUM}, or 1 to test no cell"


def check_minimum(number: int) -> int:
    """Refuse 2 as a minimum: a count known to be below it would be known to be 1."""
    if 1 < number < LEAST_MINIMUM:
        raise ValueError("tells the counts that it withholds")
    return number


def _check_not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("blank")
    return text


class Table(BaseModel):
    """A table of a scenario file."""

    # Strict: the text "10" is not the number 10. hide_input_in_errors: pydantic's own wording is never shown,
    # and should it ever be, it must not carry values along. defer_build: a file uses few of the tables that there are.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        defer_build=True,
    )


Text = Annotated[str, AfterValidator(_check_not_blank)]
Count = Annotated[int, Field(ge=1, le=LARGEST_COUNT)]
# TOML has lists only; they become tuples so that a model cannot be changed.
Names = Annotated[tuple[Text, ...], Field(strict=False)]

Number = Annotated[float, Field(ge=-(2.0**40), le=2.0**40)]
A_NUMBER = "a number from -2^40 to 2^40"

MIN_ROWS: Final = 20
"""Fewest rows of an owner, unless the scenario says otherwise and every policy allows it."""
MIN_ROWS_PER_FEATURE: Final = 5
"""Fewest rows for each feature of a model that is disclosed without a penalty; likewise."""
MIN_CELL: Final = 5
"""Fewest rows in each cell of a model's categories; likewise."""

A_COUNT = f"a whole number from 1 to {LARGEST_COUNT}"
A_SEED = f"a whole number from 0 to {LARGEST_SEED}"
MOST_SECONDS = 1_000_000.0
SECONDS = "a number of seconds above 0, up to 1000000"


class SqlSource(Table):
    """The result of a query of a DuckDB database."""

    database: Text = Field(description="the path of a DuckDB database file")
    sql: Text = Field(description="one select statement")


DATA: Final = 'a file\'s path or { database = "x.duckdb", sql = "select ..." }'


class TextSettings(Table):
    """The form of an owner's text file."""

    encoding: Literal["utf-8", "utf-16", "latin-1", "windows-1252"] = Field(
        default="utf-8", description='"utf-8", "utf-16", "latin-1" or "windows-1252"'
    )
    decimal: Literal[".", ","] = Field(default=".", description='"." or ","')
    thousands: Literal[",", ".", " ", "'"] | None = Field(default=None, description='",", ".", " " or "\'"')


class PartySpec(TextSettings):
    """One party: its role, where its data are, and how it is reached."""

    role: Literal["owner", "helper"] = Field(description='"owner" or "helper"')
    data: Text | SqlSource | None = Field(default=None, description=DATA)
    features: Annotated[Names, Field(min_length=1)] | None = Field(
        default=None, description="a list of one or more column names"
    )
    rows: Count | None = Field(default=None, description=A_COUNT)
    model: Text | None = Field(default=None, description="the path of a folder, or of a file that ends in .share")
    address: Annotated[str, AfterValidator(check_address)] | None = Field(
        default=None, description='"host:port", such as "10.0.0.5:7101" or "[::1]:7101"'
    )
    public_key: Text | None = Field(default=None, description="the text that `mpc keygen` prints")


class Task(Table):
    """The [task] of any kind for owners and a helper."""

    if TYPE_CHECKING:  # each kind has these as settings of its own, in its own order

        @property
        def kind(self) -> str: ...
        @property
        def partition(self) -> str: ...

    @property
    def unused(self) -> frozenset[str]:
        """Settings that have a value, and no part in what this task asks for: an approval does not show them."""
        return frozenset()


class ModelTask(Task):
    """Settings that all kinds of task have that fit a model of a target."""

    partition: Literal["horizontal", "vertical"] = Field(default="horizontal", description='"horizontal" or "vertical"')
    target: Text = Field(description="the name of the column to predict")
    features: Annotated[Names, Field(min_length=1)] | None = Field(
        default=None, description="a list of one or more column names"
    )
    id: Text | None = Field(default=None, description="the name of the column that identifies a row")
    categories: Annotated[dict[Text, Annotated[Names, Field(min_length=2)]], Field(strict=False)] = Field(
        default_factory=dict, description="a table of columns and their levels"
    )
    dates: Literal["refuse", "days"] = Field(default="refuse", description='"refuse" or "days"')
    missing: Literal["refuse", "drop", "mean"] = Field(default="refuse", description='"refuse", "drop" or "mean"')
    test_fraction: float = Field(default=0.2, ge=0.0, le=0.9, description="a number from 0 to 0.9")
    reveal_to: Annotated[Names, Field(min_length=1)] | None = Field(default=None, description="a list of owners' names")
    offset: Text | None = Field(default=None, description="the name of a column of numbers")
    weights: Text | None = Field(default=None, description="the name of a column of numbers of at least 0")
    min_rows: Count = Field(default=MIN_ROWS, description=A_COUNT)
    min_rows_per_feature: Annotated[int, Field(ge=0, le=LARGEST_COUNT)] = Field(
        default=MIN_ROWS_PER_FEATURE, description=f"a whole number from 0 to {LARGEST_COUNT}"
    )
    min_cell: Annotated[int, Field(ge=1, le=MOST_MINIMUM), AfterValidator(check_minimum)] = Field(
        default=MIN_CELL, description=A_MINIMUM
    )

    if TYPE_CHECKING:

        @property
        def reveal(self) -> tuple[str, ...]: ...

    classes: ClassVar[bool] = False
    """Whether the target is one of two classes, rather than a number."""

    @property
    def counts_as_one(self) -> str | None:
        """The value of a target of two classes that the scenario counts as 1."""
        return None

    @property
    def told_without_penalty(self) -> bool:
        """Whether all owners learn a model that no penalty keeps from fitting single rows closely."""
        return True

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The features by name, each category as the indicators that it becomes, products too; None if not listed."""
        if self.features is None:
            return None
        return tuple(name for term in self.features for name in names_of(term, self.categories))

    @property
    def extra_columns(self) -> dict[str, str]:
        """The columns of the offset and the weights, by the setting that names each."""
        named = {"offset": self.offset, "weights": self.weights}
        return {key: column for key, column in named.items() if column is not None}


class RosterSpec(Table):
    """Where the parties' public keys are, if not in the scenario, and whose signature they need."""

    file: Text = Field(description="the path of the roster")
    signed_by: Text = Field(description="the administrator's text that `mpc keygen` prints")


class SessionSpec(Table):
    """How long a party waits for the others, in seconds. `patience` None: the runtime chooses."""

    patience: float | None = Field(default=None, gt=0.0, le=MOST_SECONDS, description=SECONDS)
    deadline: float = Field(default=60.0, gt=0.0, le=MOST_SECONDS, description=SECONDS)
    connect_timeout: float = Field(default=60.0, gt=0.0, le=MOST_SECONDS, description=SECONDS)


class TestingSpec(Table):
    """Settings for tests only. `insecure_seed` makes all secret randomness reproducible, and so known."""

    __test__: ClassVar[bool] = False  # pytest collects classes called Test...

    insecure_seed: int | None = Field(default=None, ge=0, le=LARGEST_SEED, description=A_SEED)


class Head(Table):
    """The settings that stand above the tables."""

    schema_: Literal[1] = Field(alias="schema", description="1")
    name: Annotated[str, Field(pattern=r"^\w[\w .-]{0,99}$")] = Field(
        description="letters, digits, spaces, '.', '_' and '-', at most 100, starting with a letter or digit"
    )
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description=A_SEED)
