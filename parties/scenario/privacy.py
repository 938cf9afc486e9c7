"""[privacy]: how little a run's results may say about any one patient.

Whom the settings of a mechanism (`MECHANISMS`) are for, the kinds of task say (`TaskReader.mechanisms`).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from parties.scenario.models import A_COUNT, Count, Number, Table, Text

MOST_EPSILON: Final = 20.0
LEAST_EPSILON: Final = 0.01
MECHANISMS: Final = ("method", "norm", "rate", "most_rows")
"""The settings of [privacy] that only some kinds of task have."""
Clips = Annotated[dict[Text, Annotated[tuple[Number, Number], Field(strict=False)]], Field(strict=False)]
CLIPS: Final = "a table of columns, each with a list of two numbers from -2^40 to 2^40"


class _Guarantee(Table):
    epsilon: Annotated[float, Field(ge=LEAST_EPSILON, le=MOST_EPSILON)] = Field(description="a number from 0.01 to 20")
    delta: Annotated[float, Field(ge=1e-9, le=1e-4)] = Field(default=1e-6, description="a number from 1e-9 to 1e-4")


class ClientPrivacySpec(_Guarantee):
    """Differential privacy of all that a server and clients disclose: neighbours differ by all data of one client."""

    unit: Literal["client"] = Field(default="client", description='"client"')

    @property
    def text(self) -> str:
        """The guarantee in a few words."""
        return f"epsilon = {self.epsilon:g}, delta = {self.delta:g}, for each {self.unit}"


class SumPrivacySpec(ClientPrivacySpec):
    """The same of a secure sum: columns whose range is not that of all have one of their own."""

    clip: Clips = Field(default_factory=dict, description=CLIPS)


class PrivacySpec(_Guarantee):
    """Differential privacy of all that a run discloses: neighbours differ by a patient who is added or removed."""

    unit: Literal["patient"] = Field(default="patient", description='"patient"')
    method: Literal["gradients", "output", "objective"] | None = Field(
        default=None, description='"gradients", "output" or "objective"'
    )
    norm: Annotated[float, Field(ge=2.0**-6, le=2.0**6)] | None = Field(
        default=None, description="a number from 2^-6 to 2^6"
    )
    rate: Annotated[float, Field(ge=1e-4, le=1.0)] | None = Field(default=None, description="a number from 0.0001 to 1")
    most_rows: Count | None = Field(default=None, description=A_COUNT)
    clip: Clips = Field(default_factory=dict, description=CLIPS)

    @property
    def text(self) -> str:
        """The guarantee in a few words."""
        return f"epsilon = {self.epsilon:g}, delta = {self.delta:g}, for each {self.unit}"
