"""Do all owners have the same rows in the same order? One declared bit, by one keyed digest of each owner's whole list.

The digests never leave their owners: they enter as shares, and only whether all bits of d_1 + d_i (exclusive or) are
zero is opened. So an owner whose list differs cannot even test guesses of the others' lists against their digests, as
it could if those were sent; and there is no digest of a single id, which could be found by trying all ids.
"""

from __future__ import annotations

import numpy as np

from mpc.errors import DataError
from mpc.ring.array import Array
from mpc.ring.rings import B8
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.core.comparison import any_set
from protocols.core.secure_sum import inputs
from protocols.rows.own_rows import DIGEST_BITS


async def check_aligned(p: Party, digest: Array) -> None:
    """Stop unless every owner's `digest` is the same.

    Args:
        digest: this owner's own, DIGEST_BITS bits as uint8 (DIGEST_BITS,), under a key that all owners have.

    2 rounds; reveals one word: zero if all are the same, else uniform.

    Raises:
        DataError: at all owners, for some owner's rows are others, or in another order.
    """
    digests = inputs(p, digest, (DIGEST_BITS,), 0, B8)
    differences = np.concatenate([(digests[0] + other).value for other in digests[1:]])
    word = await any_set(
        p,
        Share(differences, 0, B8),
        what="row alignment",
        why="one bit: zero if all owners have the same ids, else a random word",
    )
    p.insist_jointly(lambda: not word.value.any(), _misaligned)


def _misaligned() -> DataError:
    """The error for owners whose ids are not the same."""
    return DataError(
        "the owners' lists of ids differ, though they are equally long",
        "every owner needs the same patients, each once, with ids written the same way (letter case aside); nothing "
        "more was told of the lists, so compare them by a way that you agreed on",
    )
