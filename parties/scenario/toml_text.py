"""Reading a TOML file that somebody else wrote, with limits on its size and on the number and depth of its keys.

Python's reader takes time that grows with the square of a dotted key's parts, and of the digits of a number.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

MOST_BYTES: Final = 2**20
MOST_PARTS: Final = 32
MOST_KEYS: Final = 10_000

_OTHER: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?(?:"""|\Z)|\'\'\'.*?(?:\'\'\'|\Z)|"(?:[^"\\\n]|\\.)*"?|\'[^\'\n]*\'?|#[^\n]*', re.DOTALL
)
"""Texts and comments, closed or not."""

_WORD: Final = re.compile(r"[\w-]+|[ \t]+")
_HEAD: Final = re.compile(r"^\[", re.MULTILINE)


def read_text_file(path: Path) -> bytes:
    """Read a whole file.

    Raises:
        ValueError: it is longer than `MOST_BYTES`, or no file.
        OSError: it cannot be read.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ValueError("it is a pipe or a device, not a file")
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it is longer than {MOST_BYTES:,} bytes")
    return content


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML text.

    Raises:
        ValueError: it is not valid, or its keys are too many or go too deep.
        RecursionError: its values are nested too deeply.
    """
    _check_keys(text)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:  # Python limits the digits of a number
        raise ValueError("a number has too many digits") from None


def _check_keys(text: str) -> None:
    shape = _WORD.sub(lambda found: "k" if found[0].strip() else "", _OTHER.sub("k", text))
    if ".k" * MOST_PARTS in shape:
        raise ValueError(f"a key has more than {MOST_PARTS} parts")
    if shape.count("=") + len(_HEAD.findall(shape)) > MOST_KEYS:
        raise ValueError(f"there are more than {MOST_KEYS:,} settings")
