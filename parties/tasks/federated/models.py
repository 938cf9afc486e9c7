"""[task] of kind = "federated": its settings, each by itself."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from parties.scenario.models import A_COUNT, A_NUMBER, SECONDS, Count, Names, Number, Text
from parties.scenario.star import RATE, Rate, StarTask
from protocols.disclosure.suppression import LEAST_MINIMUM

MOST_MINIMUM: Final = 100
MOST_ROUNDS: Final = 10_000
MOST_WEIGHTS: Final = 100_000_000

Method = Literal["fedavg", "fedprox", "fedadam", "newton"]
ModelName = Literal["linear", "logistic", "multinomial", "mlp", "poisson", "own"]

_POSITIVE = "a number above 0, up to 1000000"
_NOT_NEGATIVE = "a number from 0 to 1000000"
_SHARE = "a number from 0 to 0.9"
_BELOW_ONE = "a number of at least 0, below 1"
_WIDTH = 4096
Positive = Annotated[float, Field(gt=0.0, le=1e6)]
NotNegative = Annotated[float, Field(ge=0.0, le=1e6)]
Decay = Annotated[float, Field(ge=0.0, lt=1.0)]
Pair = Annotated[tuple[Number, Number], Field(strict=False)]


class FederatedTask(StarTask):
    """One model of a target, trained at the clients; the server adds up their updates, and sees the sums alone."""

    kind: Literal["federated"] = Field(description='"federated"')
    target: Text = Field(description="the name of the column to predict")
    features: Annotated[Names, Field(min_length=1)] = Field(description="a list of one or more column names")
    model: ModelName = Field(
        default="logistic", description='"linear", "logistic", "multinomial", "mlp", "poisson" or "own"'
    )
    size: Annotated[int, Field(ge=1, le=MOST_WEIGHTS)] | None = Field(
        default=None, description=f"a whole number from 1 to {MOST_WEIGHTS}"
    )
    classes: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="a whole number from 1 to 1000"
    )
    hidden: Annotated[tuple[Annotated[int, Field(ge=1, le=_WIDTH)], ...], Field(strict=False)] = Field(
        default=(), description=f"a list of whole numbers from 1 to {_WIDTH}"
    )
    missing: Literal["refuse", "drop"] = Field(default="refuse", description='"refuse" or "drop"')
    method: Method = Field(default="fedavg", description='"fedavg", "fedprox", "fedadam" or "newton"')
    rounds: Annotated[int, Field(ge=1, le=MOST_ROUNDS)] = Field(
        default=20, description=f"a whole number from 1 to {MOST_ROUNDS}"
    )
    cohort: Count | None = Field(default=None, description=A_COUNT)
    epochs: Count = Field(default=1, description=A_COUNT)
    batch_size: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=32, description="a whole number from 0 to 1000000"
    )
    learning_rate: Positive = Field(default=0.1, description=_POSITIVE)
    proximal: Positive = Field(default=0.1, description=_POSITIVE)
    l2: NotNegative = Field(default=0.0, description=_NOT_NEGATIVE)
    server_learning_rate: Positive | None = Field(default=None, description=_POSITIVE)
    momentum: Decay = Field(default=0.0, description=_BELOW_ONE)
    beta1: Decay = Field(default=0.9, description=_BELOW_ONE)
    beta2: Decay = Field(default=0.99, description=_BELOW_ONE)
    tau: Positive = Field(default=0.001, description=_POSITIVE)
    clip: Positive = Field(default=5.0, description=_POSITIVE)
    precision: Annotated[float, Field(ge=2.0**-30, le=0.1)] = Field(
        default=0.0001, description="a number from 2^-30 to 0.1"
    )
    weights: Literal["rows", "equal"] = Field(default="rows", description='"rows" or "equal"')
    least_rows: Count = Field(default=1, description=A_COUNT)
    most_rows: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        default=10_000, description="a whole number from 1 to 10000000"
    )
    standardise: bool = Field(default=False, description="true or false")
    range: Pair | Annotated[dict[Text, Pair], Field(strict=False)] | None = Field(
        default=None, description=f"a list of the smallest and the largest value, each {A_NUMBER}, or a table of them"
    )
    target_range: Pair | None = Field(
        default=None, description=f"a list of the smallest and the largest value, each {A_NUMBER}"
    )
    validation_fraction: Annotated[float, Field(ge=0.0, le=0.9)] = Field(default=0.2, description=_SHARE)
    auc: bool = Field(default=True, description="true or false")
    early_stop: Count | None = Field(default=None, description=A_COUNT)
    personal: Annotated[tuple[Literal["fine_tune", "ditto"], ...], Field(strict=False)] = Field(
        default=(), description='a list of "fine_tune" and "ditto"'
    )
    personal_epochs: Count = Field(default=5, description=A_COUNT)
    ditto_lambda: Positive = Field(default=0.1, description=_POSITIVE)
    aggregation: Literal["secure", "plain"] = Field(default="secure", description='"secure" or "plain"')
    server: Literal["semi-honest", "malicious"] = Field(
        default="semi-honest", description='"semi-honest" or "malicious"'
    )
    min_cell: Annotated[int, Field(ge=LEAST_MINIMUM, le=MOST_MINIMUM)] = Field(
        default=5, description=f"a whole number from {LEAST_MINIMUM} to {MOST_MINIMUM}"
    )
    attempts: Annotated[int, Field(ge=1, le=10)] = Field(default=2, description="a whole number from 1 to 10")
    min_cohort: Count | None = Field(default=None, description=A_COUNT)
    dropout: Rate = Field(default=0.1, description=RATE)
    corrupt: Rate = Field(default=0.1, description=RATE)
    neighbours: Count | None = Field(default=None, description=A_COUNT)
    threshold: Count | None = Field(default=None, description=A_COUNT)
    most_memory_mb: Positive | None = Field(default=None, description=_POSITIVE)
    most_bytes: Count | None = Field(default=None, description=A_COUNT)
    most_seconds: Positive | None = Field(default=None, description=SECONDS)
