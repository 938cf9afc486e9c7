"""[task] of kind = "star_program": what each client gives the protocol. It names no file and no code."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from parties.scenario.models import A_COUNT, Count
from parties.scenario.program import is_table
from parties.scenario.star import StarTask
from parties.tasks.program.settings import COLUMNS, Columns, Inputs


class StarProgramTask(StarTask):
    """Run a server and clients by a protocol that whoever takes part names on the command line."""

    kind: Literal["star_program"] = Field(description='"star_program"')
    inputs: Inputs
    columns: Columns = Field(default=None, description=COLUMNS)
    min_rows: Count | None = Field(default=None, description=A_COUNT)

    @property
    def has_table(self) -> bool:
        """Whether an input is the clients' own data."""
        return any(is_table(one) for one in self.inputs)

    @property
    def rounds(self) -> int:
        """One: its stages are the protocol's own."""
        return 1

    @property
    def server(self) -> str:
        """The server follows the protocol: what it may do else is for the protocol's author to withstand."""
        return "semi-honest"
