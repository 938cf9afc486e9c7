"""The tables of a scenario file as frozen, validated models.

Each field's `description` completes the sentence "... must be ..." of the messages (see scenario_errors).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

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


def an_address(text: str) -> str:
    """The text, if `split_address` takes it."""
    split_address(text)
    return text


A_MINIMUM: Final = f"a whole number from {LEAST_MINIMUM} to {MOST_MINIMUM}, or 1 to test no cell"


def a_minimum(number: int) -> int:
    """The number, unless it is 2: with it, that a count is small would tell that it is 1."""
    if 1 < number < LEAST_MINIMUM:
        raise ValueError("tells the counts that it withholds")
    return number


def _no_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("blank")
    return text


def _as_text(value: Any) -> Any:
    """A whole number as the text it is written as: `positive = 2` means the same as `positive = "2"`."""
    return str(value) if type(value) is int and abs(value) <= LARGEST_SEED else value


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


Text = Annotated[str, AfterValidator(_no_blank)]
Count = Annotated[int, Field(ge=1, le=LARGEST_COUNT)]
# TOML has lists only; they become tuples so that a model cannot be changed.
Names = Annotated[tuple[Text, ...], Field(strict=False)]

Weight = Annotated[float, Field(ge=1e-6, le=1e6)]
Number = Annotated[float, Field(ge=-(2.0**40), le=2.0**40)]
A_NUMBER = "a number from -2^40 to 2^40"

MIN_ROWS: Final = 20
"""Of an owner, unless the scenario says otherwise and every policy allows it."""
MIN_ROWS_PER_FEATURE: Final = 5
"""Likewise, of a model that is told without a penalty."""
MIN_CELL: Final = 5
"""Of a model's cells, likewise."""

A_COUNT = f"a whole number from 1 to {LARGEST_COUNT}"
A_SEED = f"a whole number from 0 to {LARGEST_SEED}"
MOST_SECONDS = 1_000_000.0
SECONDS = "a number of seconds above 0, up to 1000000"


class SqlSource(Table):
    """Rows that a query of a DuckDB database gives."""

    database: Text = Field(description="the path of a DuckDB database file")
    sql: Text = Field(description="one select statement")


DATA: Final = 'a file\'s path or { database = "x.duckdb", sql = "select ..." }'


class TextSettings(Table):
    """How an owner's text file is written."""

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
    address: Annotated[str, AfterValidator(an_address)] | None = Field(
        default=None, description='"host:port", such as "10.0.0.5:7101" or "[::1]:7101"'
    )
    public_key: Text | None = Field(default=None, description="the text that `mpc keygen` prints")


class ModelTask(Table):
    """A model of a target by features: what such kinds of task have in common."""

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
    min_cell: Annotated[int, Field(ge=1, le=MOST_MINIMUM), AfterValidator(a_minimum)] = Field(
        default=MIN_CELL, description=A_MINIMUM
    )

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The features by name, each category as the indicators that it becomes, products too; None if not listed."""
        if self.features is None:
            return None
        return tuple(name for term in self.features for name in names_of(term, self.categories))

    @property
    def asides(self) -> dict[str, str]:
        """Columns that are no features, by the settings that name them."""
        named = {"offset": self.offset, "weights": self.weights}
        return {key: column for key, column in named.items() if column is not None}


class LogisticTask(ModelTask):
    """Train one logistic regression on the rows of all owners."""

    kind: Literal["logistic_regression"] = Field(description='"logistic_regression"')
    target: Text = Field(description="the name of the 0/1 column to predict")
    positive: Annotated[Text, BeforeValidator(_as_text)] | None = Field(
        default=None, description='the target\'s value that counts as 1, such as "malignant"'
    )
    compare_ranges: bool = Field(default=False, description="true or false")
    standardise: bool | Literal["private"] = Field(default=True, description='true, false or "private"')
    solver: Literal["sgd", "nesterov", "newton", "auto"] = Field(
        default="sgd", description='"sgd", "nesterov", "newton" or "auto"'
    )
    epochs: Count = Field(default=10, description=A_COUNT)
    batch_size: Count = Field(default=128, description=A_COUNT)
    iterations: Count | None = Field(default=None, description=A_COUNT)
    momentum: float | None = Field(default=None, ge=0.0, le=0.99, description="a number from 0 to 0.99")
    tolerance: float | None = Field(default=None, gt=0.0, le=1.0, description="a number above 0 and up to 1")
    learning_rate: Literal["auto"] | Annotated[float, Field(gt=0.0, le=1e6)] | None = Field(
        default=None, description='"auto" or a number above 0 and up to 1000000'
    )
    sigmoid_range: Literal["auto"] | Annotated[float, Field(gt=0.0, le=245.0)] = Field(
        default="auto", description='"auto" or a number above 0 and up to 245'
    )
    class_weights: Literal["balanced"] | Annotated[tuple[Weight, Weight], Field(strict=False)] | None = Field(
        default=None, description='"balanced" or two numbers from 0.000001 to 1000000, for class 0 and class 1'
    )
    l2: float = Field(default=0.0, ge=0.0, le=1e6, description="a number from 0 to 1000000")
    inference: Literal["shared", "open-fisher"] = Field(default="shared", description='"shared" or "open-fisher"')
    newton_steps: Annotated[int, Field(ge=2, le=100)] = Field(default=14, description="a whole number from 2 to 100")
    reveal: Annotated[
        tuple[Literal["model", "metrics", "missing", "inference", "calibration"], ...], Field(strict=False)
    ] = Field(
        default=("model", "metrics"),
        description='a list of "model", "metrics", "missing", "inference" and "calibration"',
    )


class LinearTask(ModelTask):
    """Fit one linear regression, with its standard errors, to the rows of all owners."""

    kind: Literal["linear_regression"] = Field(description='"linear_regression"')
    target: Text = Field(description="the name of the column of numbers to predict")
    test_fraction: float = Field(default=0.0, ge=0.0, le=0.9, description="a number from 0 to 0.9")
    inference: Literal["shared", "open-gram"] = Field(default="shared", description='"shared" or "open-gram"')
    reveal: Annotated[tuple[Literal["inference", "metrics", "missing"], ...], Field(strict=False)] = Field(
        default=("inference",), description='a list of "inference", "metrics" and "missing"'
    )


class GridSpec(Table):
    """The points that an answer is given on: from, from + step, and so on, up to `to`."""

    from_: Number = Field(alias="from", description=A_NUMBER)
    to: Number = Field(description=A_NUMBER)
    step: Annotated[float, Field(ge=2.0**-40, le=2.0**40)] = Field(description="a number from 2^-40 to 2^40")


class TTestSpec(Table):
    """Welch's t-tests of a column between the levels of a category."""

    column: Text = Field(description="the name of a column of numbers")
    between: Text = Field(description="the name of a column of [task.categories]")


class SurvivalSpec(Table):
    """Kaplan-Meier curves, with a log-rank test where they are `between` the levels of a category."""

    time: Text = Field(description="the name of a column of numbers")
    event: Text = Field(description="the name of a 0/1 column")
    between: Text | None = Field(default=None, description="the name of a column of [task.categories]")


class StatisticsTask(Table):
    """Describe the rows of all owners: counts, sums and what follows from them."""

    kind: Literal["statistics"] = Field(description='"statistics"')
    partition: Literal["horizontal"] = Field(default="horizontal", description='"horizontal"')
    columns: Names = Field(default=(), description="a list of column names")
    statistics: Annotated[
        tuple[Literal["count", "missing", "sum", "mean", "variance", "sd", "min", "max"], ...],
        Field(strict=False, min_length=1),
    ] = Field(
        default=("count", "missing", "mean", "sd"),
        description='a list of "count", "missing", "sum", "mean", "variance", "sd", "min" and "max"',
    )
    quantiles: Annotated[tuple[Annotated[float, Field(gt=0.0, lt=1.0)], ...], Field(strict=False)] = Field(
        default=(), description="a list of numbers between 0 and 1"
    )
    by: Text | None = Field(default=None, description="the name of a column of [task.categories]")
    categories: Annotated[dict[Text, Annotated[Names, Field(min_length=2)]], Field(strict=False)] = Field(
        default_factory=dict, description="a table of columns and their levels"
    )
    grid: dict[Text, GridSpec] = Field(default_factory=dict, description="a table of columns and their grids")
    histograms: Annotated[
        dict[Text, Annotated[tuple[Number, ...], Field(strict=False, min_length=2)]], Field(strict=False)
    ] = Field(
        default_factory=dict,
        description="a table of columns, each with a list of two or more edges, from -2^40 to 2^40",
    )
    tables: Annotated[tuple[Annotated[tuple[Text, Text], Field(strict=False)], ...], Field(strict=False)] = Field(
        default=(), description="a list of pairs of columns of [task.categories]"
    )
    correlations: Names = Field(default=(), description="a list of two or more column names")
    t_tests: Annotated[tuple[TTestSpec, ...], Field(strict=False)] = Field(
        default=(), description="a list of tables: write [[task.t_tests]]"
    )
    survival: Annotated[tuple[SurvivalSpec, ...], Field(strict=False)] = Field(
        default=(), description="a list of tables: write [[task.survival]]"
    )
    min_cell: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=5, description="a whole number from 3 to 1000, or 0 to tell every cell"
    )
    dominance: Annotated[int, Field(ge=0, le=100)] | None = Field(
        default=None, description="a percentage from 1 to 100, or 0 to tell every sum"
    )
    missing_cells: Literal["tested", "told"] = Field(default="tested", description='"tested" or "told"')
    min_rows: Count = Field(default=MIN_ROWS, description=A_COUNT)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The columns of numbers that are used, each once."""
        return tuple(
            dict.fromkeys(
                (
                    *self.columns,
                    *self.histograms,
                    *self.correlations,
                    *(test.column for test in self.t_tests),
                    *(one.time for one in self.survival),
                )
            )
        )

    @property
    def events(self) -> tuple[str, ...]:
        """The 0/1 columns that are used, each once."""
        return tuple(dict.fromkeys(one.event for one in self.survival))

    @property
    def grouping(self) -> tuple[str, ...]:
        """The categories that are used, each once."""
        between = (*(test.between for test in self.t_tests), *(one.between for one in self.survival))
        named = (self.by, *(column for pair in self.tables for column in pair), *between)
        return tuple(dict.fromkeys(column for column in named if column is not None))


class PredictTask(Table):
    """Score new rows by a model that nobody sees: each owner's for it alone, or rows that all have parts of for one."""

    kind: Literal["predict"] = Field(description='"predict"')
    partition: Literal["horizontal", "vertical"] = Field(default="horizontal", description='"horizontal" or "vertical"')
    id: Text | None = Field(default=None, description="the name of the column that identifies a row")
    reveal_to: Annotated[Names, Field(min_length=1)] | None = Field(
        default=None, description="a list of one owner's name"
    )
    output: Literal["probability", "class"] = Field(default="probability", description='"probability" or "class"')
    grid: float = Field(default=0.01, ge=0.001, le=0.5, description="a number from 0.001 to 0.5")
    max_rows: Count | None = Field(default=None, description=A_COUNT)

    @property
    def steps(self) -> int | None:
        """How many steps the grid has from 0 to 1; None for classes."""
        return None if self.output == "class" else round(1 / self.grid)

    def scored(self, rows: Mapping[str, int]) -> dict[str, int]:
        """How many scores each owner gets, of owners with so many rows: where columns are split, one gets all."""
        return {owner: count if self.gets_scores(owner) else 0 for owner, count in rows.items()}

    def gets_scores(self, owner: str) -> bool:
        """Whether an owner is one of those."""
        return self.partition == "horizontal" or owner in (self.reveal_to or ())


AnyTask = Annotated[LogisticTask | LinearTask | StatisticsTask | PredictTask, Field(discriminator="kind")]
"""The [task] of any kind for owners and a helper."""


class NetworkSpec(Table):
    """What the links between the parties are like; `mpc run` behaves as if they were."""

    latency_ms: float = Field(default=0.0, ge=0.0, le=60_000.0, description="a number of milliseconds from 0 to 60000")
    bandwidth_mbit: float | None = Field(default=None, ge=0.001, le=1e6, description="a number from 0.001 to 1000000")


LAN: Final = NetworkSpec(latency_ms=0.1, bandwidth_mbit=1000.0)
"""A local network: what a scenario without a [network] is taken to be on."""


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

    __test__: ClassVar[bool] = False  # its name would make pytest take it for tests

    insecure_seed: int | None = Field(default=None, ge=0, le=LARGEST_SEED, description=A_SEED)


class Head(Table):
    """The settings that stand above the tables."""

    schema_: Literal[1] = Field(alias="schema", description="1")
    name: Annotated[str, Field(pattern=r"^\w[\w .-]{0,99}$")] = Field(
        description="letters, digits, spaces, '.', '_' and '-', at most 100, starting with a letter or digit"
    )
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description=A_SEED)
