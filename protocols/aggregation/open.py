"""From the shares that survivors released to the unmasked sum.

    sum x_i = sum y_i - sum_(i survived) PRG(b_i) -+ sum_(d dropped, i survived) PRG(s_di)

Each secret is checked before it is used: a mask key against its public key, a seed against its commitment. Where one
does not fit, the wrong shares among all that came are found, and their givers named.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from mpc.errors import ProtocolError, TooFewError
from mpc.randomness.key_agreement import KeyPair
from mpc.ring.array import Array
from protocols.aggregation import messages as m
from protocols.aggregation.parts.decode import wrong_shares
from protocols.aggregation.parts.masks import add_mask, pair_key, self_key
from protocols.aggregation.parts.shamir import LIMBS, SHARE_BYTES, combine, from_limbs
from protocols.aggregation.settings import Settings, commitment


class Reports:
    """The shares that came: for each client, its holders and what they sent.

    Args:
        owners: holder -> the clients whose shares it was given, ascending: it sends one share of each.
    """

    def __init__(self, owners: Mapping[int, Sequence[int]]) -> None:
        self._owners = owners
        self._holders: dict[int, list[int]] = defaultdict(list)
        self._shares: dict[int, list[Array]] = defaultdict(list)
        self._wrong: dict[int, list[int]] = defaultdict(list)

    def size(self, holder: int) -> int:
        """How many bytes the holder is to send."""
        return len(self._owners[holder]) * SHARE_BYTES

    def take(self, holder: int, body: bytes) -> None:
        """Keep a holder's shares.

        Raises:
            ProtocolError: they are not as many as it was given.
        """
        for owner, share in zip(self._owners[holder], m.read_shares(body, len(self._owners[holder])), strict=True):
            if m.usable(share):
                self._holders[owner].append(holder)
                self._shares[owner].append(share)

    def of(self, owner: int) -> tuple[list[int], list[Array]]:
        """Who gave a share of this client's secret, and the shares; those of holders once wrong come last."""
        holders, shares = self._holders[owner], self._shares[owner]
        if not self._wrong:
            return holders, shares
        order = sorted(range(len(holders)), key=lambda place: (len(self._wrong.get(holders[place], ())), place))
        return [holders[place] for place in order], [shares[place] for place in order]

    def blame(self, holders: Iterable[int], owner: int) -> None:
        """These gave wrong shares of the owner's secret."""
        for holder in holders:
            self._wrong[holder].append(owner)

    @property
    def wrong(self) -> dict[int, tuple[int, ...]]:
        """Holder -> whose secrets it gave wrong shares of."""
        return {holder: tuple(owners) for holder, owners in sorted(self._wrong.items())}


class Opening:
    """Takes the masks off a sum."""

    def __init__(
        self, settings: Settings, context: bytes, keys: Mapping[int, m.Keys], commitments: Mapping[int, bytes]
    ) -> None:
        self._settings = settings
        self._context = context
        self._keys = keys
        self._commitments = commitments

    def unmask(
        self,
        total: Array,
        survivors: Collection[int],
        dropped: Mapping[int, Sequence[int]],
        reports: Reports,
    ) -> None:
        """Take the survivors' self masks off `total`, in place, and the masks that the dropped left at their
        neighbours.

        Args:
            dropped: a client that gave shares and no vector -> its neighbours that survived.

        Raises:
            TooFewError: a secret has fewer than t shares.
            ProtocolError: a secret has too many wrong ones.
        """
        secrets = self._secrets([*sorted(survivors), *sorted(i for i in dropped if dropped[i])], survivors, reports)
        for i, secret in secrets.items():
            if i in survivors:
                add_mask(total, self_key(secret, self._context), minus=True)
                continue
            pair = KeyPair(secret)
            for j in dropped[i]:  # j put its mask with i in: plus where i > j, and minus where i < j
                key = pair_key(pair.shared(self._keys[j].mask), self._context, i, j)
                add_mask(total, key, minus=j < i)

    def _secrets(self, clients: Sequence[int], survivors: Collection[int], reports: Reports) -> dict[int, bytes]:
        """Each client's secret: the seed of one that survived, the mask key of one that did not."""
        t = self._settings.threshold
        points = np.empty((len(clients), t), dtype=np.uint64)
        shares = np.empty((len(clients), t, LIMBS), dtype=np.uint32)
        for row, i in enumerate(clients):
            holders, given = reports.of(i)
            if len(holders) < t:
                what = "self mask" if i in survivors else "mask key"
                raise TooFewError(
                    f"{len(holders)} shares of the {what} of client {i} came, and {t} are needed",
                    "nothing was opened; more clients dropped out than was planned for",
                )
            points[row] = np.array(holders[:t], dtype=np.uint64) + np.uint64(1)
            shares[row] = given[:t]
        secrets = {}
        for i, limbs in zip(clients, combine(points, shares), strict=True):
            secret = from_limbs(limbs)
            if secret is None or not self._fits(i, secret, i in survivors):
                secret = self._correct(i, i in survivors, reports)
            secrets[i] = secret
        return secrets

    def _fits(self, i: int, secret: bytes, survived: bool) -> bool:
        if survived:
            return commitment(secret, self._context + self._keys[i].mask) == self._commitments[i]
        return KeyPair(secret).public == self._keys[i].mask

    def _correct(self, i: int, survived: bool, reports: Reports) -> bytes:
        """The secret of a client some of whose shares are wrong: without those that do not fit the others."""
        t = self._settings.threshold
        holders, shares = reports.of(i)
        xs = [holder + 1 for holder in holders]
        wrong = wrong_shares(xs, [share.tolist() for share in shares], t)
        if wrong is not None:
            right = [place for place in range(len(holders)) if place not in wrong][:t]
            points = np.array([[xs[place] for place in right]], dtype=np.uint64)
            secret = from_limbs(combine(points, np.array([[shares[place] for place in right]]))[0])
            if secret is not None and self._fits(i, secret, survived):
                reports.blame([holders[place] for place in sorted(wrong)], i)
                return secret
        raise ProtocolError(
            f"the shares of client {i}'s secret do not fit together: it gave wrong ones, or more than "
            f"{(len(holders) - t) // 2} of its {len(holders)} holders did",
            "nothing was opened; repeat the round without it, or with more neighbours",
        )
