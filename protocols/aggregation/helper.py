"""The helper's part of a round of secure aggregation in which the server must not see small cells.

    keys    helper -> server: a fresh public key, which each client gets with its neighbours' keys
            server -> helper: who survived, all keys and commitments, the shares that clients sealed for the helper
    hidden  helper -> server: of each cell H(r)^h, r its masks' sum
            server -> helper: of each cell H(r)^(h a) and, in any order, H(y - v u)^a for v = 1, ..., m - 1
    told    helper -> server: which numbers are disclosed, and the masks' sums of these

The server has y = x + r of every number and never r of a withheld one; the helper has r and never y. So neither learns
x before the test, and nobody learns x where a cell is small. The helper learns of each cell whether it is small, and
the server which numbers are withheld; both follow the protocol and do not work together (semi-honest). Together they
would see every sum, and no client's own numbers. The test: cells/membership.py.
"""

from __future__ import annotations

import numpy as np

from mpc.errors import ProtocolError, TooFewError
from mpc.randomness.key_agreement import KeyPair, unseal
from mpc.randomness.streams import Entropy
from mpc.ring.array import Array
from mpc.star.stage import Exchange
from protocols.aggregation import messages as m
from protocols.aggregation.cells.membership import find_small, hide
from protocols.aggregation.client import unmask_key
from protocols.aggregation.helper_messages import Facts, Opened, facts_limit, read_facts, write_opened
from protocols.aggregation.open import Opening, Reports
from protocols.aggregation.parts.pack import word
from protocols.aggregation.settings import Occasion, Settings, context


async def aggregation_helper(settings: Settings, occasion: Occasion, entropy: Entropy) -> None:
    """Take part in one attempt at one round.

    Raises:
        TooFewError: fewer survivors, or shares, than agreed.
        ProtocolError: the server's message is malformed, or too many shares are wrong.
    """
    s, about, test = settings, context(settings, occasion), settings.test
    if test is None:
        raise ProtocolError("the helper was started with settings that have none")
    pair, secret = KeyPair(entropy("helper key")), entropy("small sums")
    facts = read_facts(s, await Exchange(pair.public, m.KEYS, facts_limit(s)))
    if len(facts.survivors) < s.min_cohort:
        what = f"there are {len(facts.survivors)} survivors, and {s.min_cohort} are needed"
        raise TooFewError(what, "nothing was opened")
    reports = _unsealed(facts, pair, about)
    masks = _sum_of_masks(s, about, facts, reports)
    hidden = hide(test, masks, s.bits, secret, about)
    small = find_small(test, await Exchange(hidden, m.HIDDEN, test.blinded_bytes), secret, about)
    disclosed = test.disclosed(small, s.length)
    await Exchange(write_opened(s, Opened(disclosed, masks, reports.wrong)), m.DISCLOSED, 0)


def _unsealed(facts: Facts, pair: KeyPair, about: bytes) -> Reports:
    """The shares that clients sealed; what cannot be opened counts as not given."""
    reports = Reports(facts.owners)
    for i, sealed in facts.sealed.items():
        shares = unseal(unmask_key(pair, facts.keys[i].channel, about, i), sealed, about)
        if shares is not None:
            reports.take(i, shares)
    return reports


def _sum_of_masks(s: Settings, about: bytes, facts: Facts, reports: Reports) -> Array:
    """r of each number, modulo 2^bits: the sum y of the survivors' vectors is x + r."""
    minus = np.zeros(s.length, dtype=word(s.bits))
    dropped = {
        i: [j for j in owners if j in facts.survivors] for i, owners in facts.owners.items() if i not in facts.survivors
    }
    Opening(s, about, facts.keys, facts.commitments).unmask(minus, facts.survivors, dropped, reports)
    masks: Array = (np.zeros_like(minus) - minus) & minus.dtype.type((1 << s.bits) - 1)
    return masks
