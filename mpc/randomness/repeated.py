"""Long sequences of few different values, as in a plan: four bytes an item, since each value is kept once."""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Final, Generic, TypeVar, overload

from mpc.randomness.correlation import Kind, OfList, correction_bytes

T = TypeVar("T", bound=Hashable)
V = TypeVar("V")

_NO_LIST: Final = -1


class _Items(Sequence[V]):
    """A sequence, read by number or in order; equal to any sequence of equal items."""

    def _item(self, number: int) -> V:
        """The item of this number, which counts from the end if it is negative."""
        raise NotImplementedError

    @overload
    def __getitem__(self, at: int) -> V: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[V, ...]: ...
    def __getitem__(self, at: int | slice) -> V | tuple[V, ...]:
        return tuple(map(self._item, range(len(self))[at])) if isinstance(at, slice) else self._item(at)

    def __iter__(self) -> Iterator[V]:
        return map(self._item, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == its for mine, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


class Repeated(_Items[T], Generic[T]):
    """A sequence that keeps equal items once.

    Args:
        items: its first ones.
    """

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._values: list[T] = []
        self._number_of: dict[T, int] = {}
        self._numbers = array("I")
        for item in items:
            self.append(item)

    def append(self, item: T) -> None:
        """One more."""
        number = self._number_of.setdefault(item, len(self._values))
        if number == len(self._values):
            self._values.append(item)
        self._numbers.append(number)

    def copied(self, first: int, last: int) -> None:
        """The items of these numbers once more, at the end."""
        self._numbers.extend(self._numbers[first:last])

    def __len__(self) -> int:
        return len(self._numbers)

    def numbered(self, first: int, last: int) -> array[int]:
        """Which value each of these items is."""
        return self._numbers[first:last]

    def _item(self, number: int) -> T:
        return self._values[self._numbers[number]]

    @property
    def values(self) -> Sequence[T]:
        """Each value once, in the order in which they first came."""
        return self._values

    def counted(self) -> list[tuple[T, int]]:
        """Each value, and its number of items."""
        return [(self._values[number], count) for number, count in Counter(self._numbers).items()]

    def mapped(self, function: Callable[[T], V]) -> Iterator[V]:
        """`function` of every item, worked out once for each value."""
        return map([function(value) for value in self._values].__getitem__, self._numbers)


class KindList(_Items[Kind]):
    """The kinds of a plan's correlations, in order.

    Of kinds that differ in an item of a public list only (`OfList`: the rows of a step's batch), one is kept for all,
    and of each correlation the item's place: the item is worked out again when the kind is asked for.

    Args:
        kinds: its first ones.
    """

    def __init__(self, kinds: Iterable[Kind] = ()) -> None:
        self._alike: Repeated[tuple[Kind, int]] = Repeated()  # a kind, without its item, and the item's list
        self._lists: list[Sequence[Any]] = []
        self._places = array("I")  # in that list; zero where there is none
        for kind in kinds:
            self.append(kind)

    def append(self, kind: Kind) -> None:
        """One more."""
        found = kind.place if isinstance(kind, OfList) else None
        if found is None:
            self._alike.append((kind, _NO_LIST))
            self._places.append(0)
        else:
            assert isinstance(kind, OfList)
            items, place = found
            self._alike.append((kind.without_item(), self._list_number(items)))
            self._places.append(place)

    def copied(self, first: int, last: int, further: int) -> None:
        """The kinds of these numbers once more, at the end, with items so much further on in their lists."""
        for number in range(first, last):
            self._places.append(self._places[number] + (further if self._alike[number][1] != _NO_LIST else 0))
        self._alike.copied(first, last)

    def alike(self, first: int, last: int, other: int, further: int) -> bool:
        """Whether as many kinds from `other` on are the same as these, with items so much further on."""
        count = last - first
        if self._alike.numbered(first, last) != self._alike.numbered(other, other + count):
            return False
        return all(
            self._places[other + k]
            == self._places[first + k] + (further if self._alike[first + k][1] != _NO_LIST else 0)
            for k in range(count)
        )

    def _list_number(self, items: Sequence[Any]) -> int:
        for number, known in enumerate(self._lists):
            if known is items:
                return number
        self._lists.append(items)
        return len(self._lists) - 1

    def __len__(self) -> int:
        return len(self._places)

    def _item(self, number: int) -> Kind:
        kind, items = self._alike._item(number)
        if items == _NO_LIST:
            return kind
        assert isinstance(kind, OfList)
        return kind.with_item(self._lists[items][self._places[number]])

    def like(self, number: int) -> Kind:
        """A kind with the same parts as the one of this number: for all that are alike, the same."""
        return self._alike[number][0]

    def counted(self) -> list[tuple[Kind, int]]:
        """Each kind, one for all that are alike, and how often it is there."""
        return [(kind, count) for (kind, _), count in self._alike.counted()]

    def correction_bytes(self) -> Iterator[int]:
        """Of each kind: the bytes of its correction."""
        return self._alike.mapped(lambda one: correction_bytes(one[0]))

    @property
    def digest(self) -> str:
        """A digest of the ordered list: equal programs have equal digests.

        It is of each kind once, of each public list by what it is made of, and of which of them come in which order.
        """
        text = sha256()
        for kind, items in self._alike.values:
            text.update(f"{kind!r} {items}\n".encode())
        for one in self._lists:
            text.update(f"{one!r}\n".encode())
        for numbers in (self._alike.numbered(0, len(self)), self._places):
            if sys.byteorder == "big":
                numbers = array("I", numbers)
                numbers.byteswap()
            text.update(numbers.tobytes())
        return text.hexdigest()


def listed(kinds: Sequence[Kind]) -> KindList:
    """These kinds, as a list that keeps each once."""
    return kinds if isinstance(kinds, KindList) else KindList(kinds)
