"""Which cells of a table to withhold besides the small ones, so that its margins do not give those back.

Somebody who is told the other cells and the margins solves for what is left. A withheld count x >= 1 is safe from him
if another table with counts of at least 0 agrees with all that is told and has x - 1 there. One of these, withheld
together, gives such a table:

    a rectangle     -1 at (r, c) and (s, d), +1 at (r, d) and (s, c), where (s, d) is ample: margins stay as they are
    two row totals  -1 at (r, c), +1 at (s, c): the totals of r and s change, and are withheld too
    two columns     likewise, with c and d

(Gusfield, "A graph theoretic approach to statistical data security", SIAM J. Comput. 17, 1988, has when a table's
margins give a cell back.) Only what `small_cells` has opened decides, so every owner withholds the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
_Number = TypeVar("_Number", bound=np.generic)
_Cells = frozenset[tuple[int, int]]


def with_margins(table: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
    """A table (R, C) with its column totals below, its row totals at the right, and the total of all: (R+1, C+1)."""
    rows = np.concatenate((table, table.sum(axis=0, keepdims=True)), axis=0)
    return np.concatenate((rows, rows.sum(axis=1, keepdims=True)), axis=1)


def withheld(small: Bools, ample: Bools, *, complementary: bool = True) -> Bools:
    """Which cells of a table with margins (R+1, C+1) are not told, from what is small and what is ample there.

    A table of one row is a list: its column totals are its cells once more, and are withheld with them.
    `complementary` False withholds the small cells alone, which is there to show what that gives away.
    """
    rows, columns = small.shape[0] - 1, small.shape[1] - 1
    out: Bools = small.copy()
    if small[rows, columns] or (rows == 1 and columns == 1 and small.any()):
        out[:] = True  # there are too few in the whole table
        return out
    if not complementary:
        return out
    for r, c in np.argwhere(small[:rows, :columns]).tolist():
        moves = _moves(r, c, small, ample)
        for needed in moves:
            best = min(needed, key=lambda cells: sum(not out[cell] for cell in cells))
            for cell in best:
                out[cell] = True
    if rows == 1:
        out[0] |= out[1]
        out[1] = out[0]
    if columns == 1:
        out[:, 0] |= out[:, 1]
        out[:, 1] = out[:, 0]
    return out


def _moves(r: int, c: int, small: Bools, ample: Bools) -> Iterable[list[_Cells]]:
    """What has to be found for the small cell (r, c): of each list, one set of cells to withhold."""
    rows, columns = small.shape[0] - 1, small.shape[1] - 1
    others, across = [s for s in range(rows) if s != r], [d for d in range(columns) if d != c]
    by_rows = [frozenset({(r, c), (s, c), (r, columns), (s, columns)}) for s in others]
    by_columns = [frozenset({(r, c), (r, d), (rows, c), (rows, d)}) for d in across]
    if not others:
        return [by_columns]
    if not across:
        return [by_rows]
    found = []
    if small[r, columns]:  # its row's total is small too: it must be free to change
        found.append(by_rows)
    if small[rows, c]:
        found.append(by_columns)
    if not found:
        corners = [frozenset({(r, c), (s, d), (r, d), (s, c)}) for s in others for d in across if ample[s, d]]
        found.append(corners or by_rows + by_columns)
    return found
