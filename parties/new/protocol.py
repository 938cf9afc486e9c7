"""`mpc new --protocol`: a small protocol that works, its plaintext reference, and its test, to make one's own of."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mpc.errors import UsageError
from parties.base.bugs import reason_of
from parties.new.clients_protocol import PROTOCOL, TEST

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_TAKEN: Final = frozenset({"numpy", "beaverlodge", "mpc", "protocols", "parties", "pytest", "hypothesis"})

_PROTOCOL: Final = '''"""NAME: a protocol to make your own of. It adds up the squares of what the owners give."""

from __future__ import annotations

import numpy as np

from beaverlodge.protocol import Party, Public, Share, multiply, together


async def NAME(p: Party, x: tuple[Share, ...]) -> Public:
    """sum_k x_k^2, elementwise. 2 rounds; reveals this sum, the agreed result, and masked values.

    Args:
        x: a share of what each owner gives, in the owners' order: each (m,), at a scale of s bits.

    Returns:
        (m,) at 2 s bits.
    """
    # Products that do not depend on each other travel in one round.
    squares = await together(*(multiply(p, one, one, label="square") for one in x))
    total = squares[0]
    for one in squares[1:]:
        total = total + one  # sums cost nothing
    (opened,) = await p.reveal(total, what="sum of squares", why="the agreed result", label="result")
    return opened


def NAME_reference(x: tuple[np.ndarray, ...]) -> np.ndarray:
    """The same in the clear: `x` has what each owner gives."""
    return np.sum([one**2 for one in x], axis=0)
'''

_TEST: Final = '''"""NAME gives what its reference gives, at the cost it says, and shows nobody more than its result."""

from mpc.testing import check_correct, check_cost, check_faults, check_view, each, reals
from NAME import NAME, NAME_reference

INPUTS = [each(reals(("m",), scale=14, largest=100))]  # what `mpc simulate --input reals:5,scale=14` gives
# Two secrets with the same result, for each owner one in which its own number stays and the others trade theirs.
SECRETS = [([[3, 4, 5]], [[3, 5, 4]]), ([[3, 4, 5]], [[5, 4, 3]]), ([[3, 4, 5]], [[4, 3, 5]])]


def test_NAME_is_correct() -> None:
    print(check_correct(NAME, NAME_reference, INPUTS, error=1e-8))


def test_NAME_costs_what_it_says() -> None:
    # Of 2 owners' numbers, each opens 2 masked words for a square; and the result.
    print(check_cost(NAME, INPUTS, rounds=2, bytes=(2 * 2 + 1) * 8, owners=[2], sizes={"m": 1}))


def test_NAME_shows_the_result_alone() -> None:
    print(check_view(NAME, INPUTS, secrets=SECRETS))


def test_NAME_bears_faults() -> None:
    print(check_faults(NAME, INPUTS, every=5))
'''


def new_protocol(folder: Path, name: str, *, clients: bool = False) -> Sequence[str]:
    """Write NAME.py and test_NAME.py into a folder, which is made if it is not there; returns lines for the user.

    Args:
        clients: whether it is between a server and clients, and not of owners.

    Raises:
        UsageError: a protocol cannot be called so, one of the files is there, or it cannot be written.
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(f"'{name}' cannot be a protocol's name", "use small letters, digits and _, such as median")
    if name in sys.stdlib_module_names or name in _TAKEN:
        raise UsageError(f"'{name}' is the name of a Python module", "choose another one: its file is a module, too")
    texts = (PROTOCOL, TEST) if clients else (_PROTOCOL, _TEST)
    contents = dict(zip((folder / f"{name}.py", folder / f"test_{name}.py"), texts, strict=True))
    for path in contents:
        if path.exists():
            raise UsageError(f"{path} is there already", "name another protocol or folder: nothing is written over")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in contents.items():
            with path.open("x", encoding="utf-8") as file:
                file.write(text.replace("NAME", name))
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {reason_of(error)}", "name another folder") from None
    protocol, test = contents
    how = "--clients 50 --input reals:5" if clients else "--owners 3 --input reals:5,scale=14"
    return (
        f"{protocol}: a small protocol that works, and its plaintext reference",
        f"{test}: its test",
        f"run it:   mpc simulate {protocol}:{name} {how}",
        f"test it:  pytest {test}",
    )
