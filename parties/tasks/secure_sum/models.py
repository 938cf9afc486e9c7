"""[task] of kind = "secure_sum": its settings, each by itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from parties.scenario.models import A_COUNT, Count, Names, Number, Text
from parties.scenario.star import RATE, Rate, StarTask
from protocols.disclosure.suppression import LEAST_MINIMUM

MOST_MINIMUM = 100


class SumTask(StarTask):
    """Add up columns over all clients: counts, sums and means, and nothing of any one client."""

    kind: Literal["secure_sum"] = Field(description='"secure_sum"')
    columns: Annotated[Names, Field(min_length=1)] = Field(description="a list of one or more column names")
    statistics: Annotated[tuple[Literal["count", "sum", "mean"], ...], Field(strict=False, min_length=1)] = Field(
        default=("count", "sum", "mean"), description='a list of "count", "sum" and "mean"'
    )
    range: Annotated[tuple[Number, Number], Field(strict=False)] = Field(
        description="a list of the smallest and the largest value that a cell may have, from -2^40 to 2^40"
    )
    decimals: Annotated[int, Field(ge=0, le=9)] = Field(default=3, description="a whole number from 0 to 9")
    weight: Text | None = Field(default=None, description="the name of the column with each row's weight")
    largest_weight: Count | None = Field(default=None, description=A_COUNT)
    most_rows: Count = Field(default=100_000, description=A_COUNT)
    out_of_range: Literal["refuse", "clip"] = Field(default="refuse", description='"refuse" or "clip"')
    missing: Literal["refuse", "skip"] = Field(default="refuse", description='"refuse" or "skip"')
    server: Literal["semi-honest", "malicious"] = Field(
        default="semi-honest", description='"semi-honest" or "malicious"'
    )
    min_cell: Annotated[int, Field(ge=LEAST_MINIMUM, le=MOST_MINIMUM)] | None = Field(
        default=None, description=f"a whole number from {LEAST_MINIMUM} to {MOST_MINIMUM}"
    )
    flags: Names = Field(default=(), description="a list of column names")
    rounds: Annotated[int, Field(ge=1, le=1000)] = Field(default=1, description="a whole number from 1 to 1000")
    attempts: Annotated[int, Field(ge=1, le=10)] = Field(default=1, description="a whole number from 1 to 10")
    min_cohort: Count | None = Field(default=None, description=A_COUNT)
    dropout: Rate = Field(default=0.1, description=RATE)
    corrupt: Rate = Field(default=0.1, description=RATE)
    neighbours: Count | None = Field(default=None, description=A_COUNT)
    threshold: Count | None = Field(default=None, description=A_COUNT)
