"""Mistakes in what is revealed, to whom, under which zeros, and in what is said: each caught by the kit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError, ProtocolError
from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from mpc.testing import CheckFailed, check_correct, check_view, own, reals, to_each
from tests.testing.planting import plant
from tests.testing.test_planted import PAIR, SCALE

M = 3
MINE = own(reals((M,), scale=SCALE, largest=100.0))
# Another number at owner 2, of which only owner 2 is told.
TO_ONE = [([[1, 2, 3]], [[1, 2, 4]])]


def scores(p: Party, x: Array) -> dict[str, Share]:
    """Of each owner's numbers twice as much, in shares."""
    given = {owner: p.input(owner, x if owner == p.name else None, (M,), SCALE) for owner in p.owners}
    return {owner: share + share for owner, share in given.items()}


async def each_its_own(p: Party, x: Array) -> Public:
    return await p.reveal_to_each(scores(p, x), what="scores", why="its own", label="scores")


async def everybody_all(p: Party, x: Array) -> Public:
    """Every owner is told the sum of all scores for its own."""
    parts = scores(p, x)
    total = next(iter(parts.values()))
    for part in list(parts.values())[1:]:
        total = total + part
    return await p.reveal_to_each(dict.fromkeys(p.owners, total), what="scores", why="its own", label="scores")


async def the_next_ones(p: Party, x: Array) -> Public:
    """Every owner is told the next owner's scores."""
    parts = scores(p, x)
    turned = {owner: parts[p.owners[(k + 1) % len(p.owners)]] for k, owner in enumerate(p.owners)}
    return await p.reveal_to_each(turned, what="scores", why="its own", label="scores")


def look(protocol: Any, **how: Any) -> Any:
    return check_view(protocol, [MINE], secrets=TO_ONE, coalitions=[(0,), (1,), (0, 1)], structure=False, **how)


def test_scores_that_only_their_owner_is_told_are_no_finding() -> None:
    assert look(each_its_own).coalitions == ("owner0", "owner1", "owner0, owner1")


@pytest.mark.parametrize("protocol", [everybody_all, the_next_ones])
def test_a_value_that_is_revealed_to_the_wrong_owner(protocol: Any) -> None:
    with pytest.raises(CheckFailed, match=r"round 0 'scores', value 0 as opened to owner[01], differs .* owner1"):
        look(protocol)


@pytest.mark.parametrize(("protocol", "message"), [(everybody_all, "owner0"), (the_next_ones, "owner0")])
def test_what_each_owner_is_told_is_not_its_references(protocol: Any, message: str) -> None:
    def reference(x: tuple[Array, ...]) -> Any:
        return to_each([2 * mine for mine in x])

    check_correct(each_its_own, reference, [MINE], error=1e-9, examples=10)
    with pytest.raises(CheckFailed, match=f"result 0 of {message} at"):
        check_correct(protocol, reference, [MINE], error=1e-9, examples=10)


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ("fresh[self.owners[-1]]", r"as opened to owner\d, with parts for owner\d, differs"),
        ("fresh[self.owners[(self.owners.index(peer) + 1) % 3]]", "array 0 from owner2 to owner1, plus fresh share 2"),
    ],
)
def test_a_message_that_goes_to_the_wrong_owner(new: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(
        monkeypatch, Party.reveal_to_each, "lengthened(self, fresh[peer], longest)", f"lengthened(self, {new}, longest)"
    )
    with pytest.raises(CheckFailed, match=words):
        look(each_its_own)


# -- zeros


def same_sums(protocol: Any, **how: Any) -> Any:
    return check_view(
        protocol, [MINE, MINE], secrets=[([[1, 2, 3]] * 2, [[2, 1, 3]] * 2)], structure=False, words=200, **how
    )


async def own_sums(p: Party, x: Array, y: Array) -> Any:
    return await p.reveal(Share(x, SCALE), Share(y, SCALE), what="sums", why="agreed", label="sums")


def test_one_zero_for_two_values_of_a_reveal(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(
        monkeypatch,
        Party.reveal,
        "share + self._zero(share.shape, share.scale, share.ring)",
        "share + (zero := self._zero(share.shape, share.scale, share.ring) if share is shares[0] else zero)",
    )
    with pytest.raises(CheckFailed, match="value 1 in 'sums' leaves owner0 under the zeros of value 0 in 'sums'"):
        same_sums(own_sums, coalitions=[(2,)])


def test_zeros_that_an_earlier_reveal_had(monkeypatch: pytest.MonkeyPatch) -> None:
    async def twice(p: Party, x: Array, y: Array) -> Any:
        for words in (x, y):
            await p.reveal(Share(words, SCALE), what="sums", why="agreed", label="sums")

    plant(
        monkeypatch,
        Party.reveal,
        "share + self._zero(share.shape, share.scale, share.ring)",
        "share + self.__dict__.setdefault('old', self._zero(share.shape, share.scale, share.ring))",
    )
    with pytest.raises(CheckFailed, match="value 0 in 'sums' leaves owner0 under the zeros of value 0 in 'sums'"):
        same_sums(twice, coalitions=[(2,)])


def test_parts_that_are_told_to_each_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, Party.reveal_to_each, "self.refreshed(part)", "Share(part.value, part.scale, part.ring)")
    with pytest.raises(CheckFailed, match="value 0 in 'scores' leaves owner0 as the bare share"):
        look(each_its_own)


def test_parts_for_each_that_were_not_declared() -> None:
    async def more(p: Party, x: Array) -> Any:
        what = "scores" if p.dry else "weights"
        return await p.reveal_to_each(scores(p, x), what=what, why="its own", label="scores")

    with pytest.raises(CheckFailed, match="'weights' is not declared as an output"):
        look(more)


def test_parts_for_others_than_the_plan_names() -> None:
    async def narrowed(p: Party, x: Array) -> Any:
        """Nobody but owner 0, says the dry run; owner 1 asks for its part too."""
        parts = {owner: part if owner != "owner2" else part[:0] for owner, part in scores(p, x).items()}
        if p.dry:
            parts["owner1"] = parts["owner1"][:0]
        return await p.reveal_to_each(parts, what="scores", why="its own", label="scores")

    with pytest.raises(CheckFailed, match=r"owner0 reveals .*'owner1'.*, where the plan has .*'owner0'"):
        look(narrowed)


# -- shares of outputs


def test_shares_of_an_output_that_tell_it() -> None:
    async def whole(p: Party, mine: Array) -> Share:
        """Every owner's share of the sum is its addend."""
        given = [p.input(owner, mine if owner == p.name else None, (M,), SCALE) for owner in p.owners]
        fresh = await p.reveal(given[2], what="total", why="agreed", label="total")
        return Share(fresh[0].value if p.index == 0 else fresh[0].value * np.uint64(0), SCALE)

    with pytest.raises(CheckFailed, match="share of result 0, differs between two secrets"):
        check_view(whole, [MINE], secrets=TO_ONE, coalitions=[(0,)], structure=False)


# -- what is said


def said(how: str) -> Any:
    async def protocol(p: Party, x: Share, y: Share) -> Any:
        word = 0 if p.dry else int(x.value[0] % np.uint64(2**16))
        why = f"agreed, as of {word}" if how == "why" else "agreed"
        if how == "stage":
            p.stage(f"step {word}")
        if how == "steps":
            p.stage("step", word, 2**16)
        if how == "hint":
            p.hint(f"see {word}")
        opened = await p.reveal(x + y, what="total", why=why, label="total")
        if how == "error":
            p.insist(lambda: False, lambda: ProtocolError(f"{word} is too much"))
        if how == "told" and p.index == 1:
            p.insist(lambda: False, lambda: DataError(f"{word} is wrong", party=p.owners[word % 2]))
        return opened

    return protocol


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("why", r"owner0 says 'revealed total to .*: agreed, as of \d+', and "),
        ("stage", r"owner0 says 'stage step \d+ 0 of 0', and"),
        ("steps", r"owner0 says 'stage step \d+ of 65536', and"),
        ("hint", r"owner0 says 'hint see \d+', and"),
        ("error", r"owner0 says 'error protocol \S+ \d+ is too much', and"),
        ("told", r"owner1 says 'error data owner\d', and"),
    ],
)
def test_data_in_what_is_said(how: str, words: str) -> None:
    with pytest.raises(CheckFailed, match=words):
        check_view(said(how), PAIR, secrets=[([1, 2], [2, 1])], structure=False, words=200)


def test_an_error_that_tells_nothing_is_no_finding() -> None:
    """Under both secrets owner 1 refuses, and says the same; that its own log says what is wrong is no leak."""

    async def protocol(p: Party, mine: Array) -> Any:
        opened = await p.reveal(Share(mine, SCALE), what="total", why="agreed", label="total")
        if not p.dry and p.index == 1:
            raise DataError(f"the value {mine[0]} is wrong", party=p.name)
        return opened

    secrets = [([[1, 2, 3]], [[1, 3, 2]])]
    assert check_view(protocol, [MINE], secrets=secrets, coalitions=[(0,)], structure=False, words=600).runs
