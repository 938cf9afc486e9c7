"""Forms of cells in an owner's table: numbers, dates and missing values, as expressions of DuckDB's SQL.

`s` stands for a cell's text: small letters, no space or tab around.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MISSING = ("", "na", "n/a", "#n/a", "nan", "null", "none", ".", "-", "?")
"""Texts that stand for a missing value."""

MISSING_SQL = f"(s is null or s in ({', '.join(repr(token) for token in MISSING)}))"
BOOLEAN_SQL = "coalesce(s in ('true', 'false'), false)"

# 1,234.5 or 1.234,5 or 1 234 or 1'234, and 1,5: numbers, but their form does not say which.
_FORMATTED = "[+-]?[0-9]{1,3}([,. _''][0-9]{3})+([.,][0-9]+)?|[+-]?[0-9]*,[0-9]+"
FORMATTED_SQL = f"coalesce(regexp_full_match(s, '{_FORMATTED}') or try_cast(s as double) is not null, false)"
"""Whether a cell is a number in some form, perhaps not the one in its owner's settings."""

_ISO_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}([ t][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?)?"
_INFINITE = "('inf', '+inf', '-inf', 'infinity', '+infinity', '-infinity')"
# Separators that programs write instead: no-break spaces, the typographic apostrophe.
_SAME_SIGN = {" ": " \u00a0\u202f", "'": "'\u2019"}


@dataclass(frozen=True)
class TextForm:
    """The form of an owner's text file: see `[parties.NAME]` in docs/scenario.md."""

    encoding: str = "utf-8"
    decimal: str = "."
    thousands: str | None = None

    @property
    def usual(self) -> bool:
        """Whether numbers are written like 1234.5."""
        return self.decimal == "." and self.thousands is None

    @property
    def words(self) -> str:
        """The settings of this form, as a scenario has them."""
        said = [f'decimal = "{self.decimal}"']
        if self.thousands is not None:
            said.append(f'thousands = "{self.thousands}"')
        return " and ".join(said)

    def number(self, text: str) -> str:
        """The SQL expression for the number in a text expression of this form; null if it is no number."""
        if self.usual:
            # DuckDB reads 1_000 as a number; in hospitals' files it is an identifier.
            return f"case when not contains({text}, '_') then try_cast({text} as double) end"
        signs = _SAME_SIGN.get(self.thousands or "", self.thousands or "")
        point = re.escape(self.decimal)
        grouped = "|[0-9]{1,3}([" + signs + "][0-9]{3})+" if signs else ""
        pattern = f"[+-]?(([0-9]*{grouped})({point}[0-9]*)?)(e[+-]?[0-9]+)?"
        plain = text
        for sign in signs:
            plain = f"replace({plain}, {literal(sign)}, '')"
        plain = f"replace({plain}, {literal(self.decimal)}, '.')"
        return (
            f"case when regexp_full_match({text}, {literal(pattern)}) then try_cast({plain} as double) "
            f"when {text} in {_INFINITE} then try_cast({text} as double) end"
        )


def literal(text: str) -> str:
    """A text as a constant of SQL."""
    return "'" + text.replace("'", "''") + "'"


def days_sql(text: str) -> str:
    """The SQL expression for the days since 1970-01-01 of a text such as 2024-01-31; null if it is no such date."""
    return (
        f"case when regexp_full_match({text}, '{_ISO_DATE}') "
        f"then epoch(try_cast(upper({text}) as timestamp)) / 86400.0 end"
    )
