"""Secret-shared and public values, each with its scale and its ring.

    Share    this party's part of a secret: the secret is the sum of all owners' parts
    Mask     a Share that a dealer drew uniformly over its ring, to be used for one opening
    Masked   a Share minus (or plus) a Mask: the only thing that `Party.open` takes
    Public   a value that every owner holds, to the same bits

`+` and `-` want equal scales; a product has the sum of the scales. A share has no truth value, no length to iterate
over, and its repr shows its shape and scale only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn, Self, overload

import numpy as np
from numpy.typing import NDArray

from mpc.errors import InternalError
from mpc.ring.abstract_array import is_abstract
from mpc.ring.array import Array
from mpc.ring.fixed_point import decode
from mpc.ring.rings import Z64, Ring


@dataclass(frozen=True, eq=False, slots=True, repr=False, init=False)
class _Value:
    value: Array
    scale: int
    ring: Ring

    def __init__(self, value: Array, scale: int = 0, ring: Ring = Z64) -> None:
        _put_value(self, value)
        _put_scale(self, scale)
        _put_ring(self, ring)

    @property
    def shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self.value.shape
        return shape

    @property
    def T(self) -> Self:
        return self._with(self.value.T)

    def __getitem__(self, index: Any) -> Self:
        return self._with(self.value[index])

    def rows(self, index: Array) -> Self:
        """The rows at `index` (int64), in that order: what indexing gives, faster."""
        return self[index] if is_abstract(self.value) else self._with(self.value.take(index, axis=0))

    def reshape(self, *shape: int) -> Self:
        """The same entries in another shape."""
        return self._with(self.value.reshape(shape))

    def at_scale(self, scale: int) -> Self:
        """The same ring elements read at another scale: the value is multiplied by 2^(old - new)."""
        return replace(self, scale=scale)

    def _with(self, value: Array) -> Self:
        return type(self)(value, self.scale, self.ring)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, scale={self.scale}, bits={self.ring.bits})"

    def __bool__(self) -> NoReturn:
        raise InternalError(f"a {type(self).__name__} has no truth value: control flow must not depend on data")

    def __iter__(self) -> NoReturn:
        raise InternalError(f"a {type(self).__name__} cannot be iterated over")

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise InternalError(
            f"{self!r} is no numpy array: see `concatenate`, and the methods of a {type(self).__name__}"
        )

    def _after(self, other: float | NDArray[Any] | list[Any]) -> NoReturn:
        """A number or an array before an operator: numpy leaves it to this class."""
        raise _plain(self, other)

    __array_ufunc__ = None
    __radd__ = __rsub__ = __rmul__ = __rmatmul__ = _after


# A frozen dataclass looks up its fields by name to fill them, which takes twice as long, at every round.
_put_value, _put_scale, _put_ring = (_Value.__dict__[name].__set__ for name in ("value", "scale", "ring"))


def _plain(a: _Value, other: object) -> InternalError:
    return InternalError(
        f"{a!r} with a plain {type(other).__name__}: a number needs a scale and a ring, as in "
        "Public(encode(np.array([2.5]), scale=20), 20) with mpc.ring.fixed_point.encode"
    )


def _fit(a: _Value, b: _Value) -> None:
    if not isinstance(b, _Value):
        raise _plain(a, b)
    if a.scale != b.scale or (a.ring is not b.ring and a.ring != b.ring):
        raise InternalError(f"{a!r} and {b!r} differ in scale or ring and cannot be added")
    if isinstance(a, Public) is not isinstance(b, Public):
        raise InternalError(f"{a!r} and {b!r}: make the public one a share with Party.public before it is added")


def _entrywise_product(a: _Value, b: _Value) -> Array:
    if not isinstance(b, _Value):
        raise _plain(a, b)
    return a.ring.mul(a.value, b.value)


def _matrix_product(a: _Value, b: _Value) -> Array:
    if not isinstance(b, _Value):
        raise _plain(a, b)
    if a.ring.xor:
        raise InternalError(f"{a!r} and {b!r}: there is no matrix product over bits")
    return a.ring.matmul(a.value, b.value)


@dataclass(frozen=True, eq=False, slots=True, repr=False, init=False)
class Public(_Value):
    """A value known to every owner, to the same bits."""

    def __add__(self, other: Public) -> Public:
        _fit(self, other)
        return self._with(self.ring.add(self.value, other.value))

    def __sub__(self, other: Public) -> Public:
        _fit(self, other)
        return self._with(self.ring.sub(self.value, other.value))

    @overload
    def __mul__(self, other: Share) -> Share: ...
    @overload
    def __mul__(self, other: Public) -> Public: ...
    def __mul__(self, other: Share | Public) -> Share | Public:
        return _product(self, other, _entrywise_product(self, other))

    @overload
    def __matmul__(self, other: Share) -> Share: ...
    @overload
    def __matmul__(self, other: Public) -> Public: ...
    def __matmul__(self, other: Share | Public) -> Share | Public:
        return _product(self, other, _matrix_product(self, other))

    def real(self) -> Array:
        """float64 values: the nearest doubles."""
        return decode(self.value, self.scale, self.ring)


@dataclass(frozen=True, eq=False, slots=True, repr=False, init=False)
class Share(_Value):
    """One owner's additive share of a secret."""

    def __add__(self, other: Share) -> Share:
        _fit(self, other)
        value = self.ring.add(self.value, other.value)
        return self._under(other, value, True) if isinstance(other, Mask) else Share(value, self.scale, self.ring)

    @overload
    def __sub__(self, other: Mask) -> Masked: ...
    @overload
    def __sub__(self, other: Share) -> Share: ...
    def __sub__(self, other: Share) -> Share:
        _fit(self, other)
        value = self.ring.sub(self.value, other.value)
        return self._under(other, value, False) if isinstance(other, Mask) else Share(value, self.scale, self.ring)

    def _under(self, other: Mask, value: Array, added: bool) -> Masked:
        """`value`, the sum or difference of this share and a mask."""
        if isinstance(self, Mask | Masked):
            raise InternalError(
                f"{self!r} is a mask or masked already: a mask on top could cancel what hides the value"
            )
        if value.shape != other.shape:
            raise InternalError(f"{self!r} needs a mask of its own shape, not {other.shape}: each entry is masked once")
        return Masked(value, self.scale, self.ring, other.use, added)

    def __mul__(self, other: Public) -> Share:
        return _product(other, self, _entrywise_product(self, other))

    def __matmul__(self, other: Public) -> Share:
        return _product(other, self, _matrix_product(self, other))

    def sum(self, axis: int | None = None) -> Share:
        """The sum over one axis, or over all (then of shape (1,))."""
        if axis is None:
            return Share(self.ring.sum(self.value.reshape(-1, 1), 0), self.scale, self.ring)
        return Share(self.ring.sum(self.value, axis), self.scale, self.ring)

    def shifted(self, bits: int) -> Share:
        """The ring element times 2^bits at the same scale: exact, and local."""
        factor = np.array([(1 << bits) & ((1 << self.ring.bits) - 1)], dtype=self.ring.dtype)
        return Share(self.ring.mul(self.value, factor), self.scale, self.ring)


def concatenate(shares: Sequence[Share], axis: int = 0) -> Share:
    """The entries of shares one after another along an axis, as `np.concatenate` of arrays: local, a plain share.

    Raises:
        InternalError: one is masked, or they differ in scale or ring.
    """
    first = shares[0]
    for one in shares:
        _fit(first, one)
        if isinstance(one, Masked):
            raise InternalError(f"{one!r} is opened whole: join values before they are masked")
    return Share(np.concatenate([one.value for one in shares], axis), first.scale, first.ring)


class Use:
    """The one use of a mask, which the mask and all that is masked with it have in common.

    It lives as long as they do: nothing is kept of a mask that is spent and gone.

    Attributes:
        opened: None until a value is opened under the mask; then a weak reference to it, since it may be large.
    """

    __slots__ = ("opened",)

    def __init__(self) -> None:
        self.opened: Callable[[], Masked | None] | None = None


@dataclass(frozen=True, eq=False, slots=True, repr=False, init=False)
class _OfMask(Share):
    """A share that has to do with a mask, whose use this is."""

    use: Use

    def __init__(self, value: Array, scale: int = 0, ring: Ring = Z64, use: Use | None = None) -> None:
        _Value.__init__(self, value, scale, ring)
        _put_use(self, use or Use())


_put_use = _OfMask.__dict__["use"].__set__


@dataclass(frozen=True, eq=False, slots=True, repr=False, init=False)
class Mask(_OfMask):
    """A uniform share, for one opening. Slices and products of it are plain shares.

    No owner knows the mask in full, but for `OwnMasks`, of which each owner knows the mask of its own rows.
    """

    def _with(self, value: Array) -> Any:
        return Share(value, self.scale, self.ring)


@dataclass(frozen=True, eq=False, slots=True, repr=False, init=False, weakref_slot=True)
class Masked(_OfMask):
    """A share under a mask: uniform over the ring whatever the secret, so it may be opened, once.

    `added` says that the mask was added to it, and not subtracted.
    """

    added: bool

    def __init__(
        self, value: Array, scale: int = 0, ring: Ring = Z64, use: Use | None = None, added: bool = False
    ) -> None:
        _OfMask.__init__(self, value, scale, ring, use)
        _put_added(self, added)

    def _with(self, value: Array) -> Any:
        raise InternalError("a masked value is opened whole: reshape or slice it before it is masked")


_put_added = Masked.__dict__["added"].__set__


@overload
def _product(public: Public, other: Share, value: Array) -> Share: ...
@overload
def _product(public: Public, other: Public, value: Array) -> Public: ...
def _product(public: Public, other: Share | Public, value: Array) -> Share | Public:
    if not isinstance(public, Public):
        raise InternalError(f"{public!r} and {other!r}: the product of two shares takes a round and a correlation")
    if public.ring is not other.ring and public.ring != other.ring:
        raise InternalError(f"{public!r} and {other!r} differ in ring and cannot be multiplied")
    kind = Public if isinstance(other, Public) else Share
    return kind(value, public.scale + other.scale, public.ring)
