"""An array without data, with which a dry run computes.

An `AbstractArray` has a shape and nothing else. It goes through the same protocol code as a real array, so a plan is
made by the very program that will run, in no memory; and since it has no truth value, a program whose control flow
depends on data cannot be planned at all.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, cast

import numpy as np

from mpc.errors import InternalError
from mpc.ring.array import Array


class AbstractArray:
    """The shape of an array; arithmetic, indexing and reshaping give further ones."""

    __slots__ = ("shape",)

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def __repr__(self) -> str:
        return f"AbstractArray{self.shape}"

    def __bool__(self) -> bool:
        raise InternalError("control flow depends on data: a dry run met a value where it needs a decision")

    def __int__(self) -> int:
        raise InternalError("control flow depends on data: a dry run met a value where it needs a number")

    __index__ = __int__

    def __float__(self) -> float:
        return float(int(self))

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def T(self) -> AbstractArray:
        return AbstractArray(self.shape[::-1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> AbstractArray:
        if isinstance(index, np.ndarray) and index.ndim == 1 and index.dtype != np.bool_:
            # The common choice of rows, without an array of their size.
            return AbstractArray((index.size, *self.shape[1:]))
        key = _index_key(index)
        return AbstractArray(_blank(self.shape)[index].shape if key is None else _indexed(self.shape, key))

    def reshape(self, *shape: Any) -> AbstractArray:
        return AbstractArray(_reshaped(self.shape, shape))

    def astype(self, _dtype: Any, copy: bool = True) -> AbstractArray:
        return self

    def view(self, _dtype: Any) -> AbstractArray:
        return self

    def copy(self) -> AbstractArray:
        return self

    def sum(self, axis: int | None = None, dtype: Any = None) -> AbstractArray:
        return _reduced(self, axis)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> AbstractArray:
        if method == "reduce":
            return _reduced(inputs[0], kwargs.get("axis", 0))
        if method != "__call__":
            raise InternalError(f"a dry run cannot do {ufunc.__name__}.{method}")
        shapes = tuple(x.shape if type(x) is AbstractArray else np.shape(x) for x in inputs)
        return AbstractArray(_matmul_shape(*shapes) if ufunc is np.matmul else _broadcast(shapes))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func is np.shape:
            return args[0].shape
        if func is np.concatenate:
            shapes = tuple(x.shape if type(x) is AbstractArray else np.shape(x) for x in args[0])
            return AbstractArray(_concatenated(shapes, *args[1:], **kwargs))
        raise InternalError(
            f"a dry run cannot do numpy.{func.__name__}: of values it knows operators, indexing, reshape, sum and "
            "concatenate"
        )

    def __add__(self, other: Any) -> AbstractArray:
        if type(other) is AbstractArray and other.shape == self.shape:
            return self  # nothing can change it
        return cast(AbstractArray, np.add(cast(Any, self), other))

    __radd__ = __add__
    __sub__ = __rsub__ = __mul__ = __rmul__ = __xor__ = __rxor__ = __and__ = __rand__ = __add__
    __lshift__ = __rshift__ = __truediv__ = __rtruediv__ = __floordiv__ = __mod__ = __or__ = __ror__ = __add__

    # A comparison gives one too; Python's own == would be a plain False, on which a program could branch.
    __lt__ = __le__ = __gt__ = __ge__ = __add__
    __eq__ = __ne__ = __add__  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]

    def __matmul__(self, other: Any) -> AbstractArray:
        return cast(AbstractArray, np.matmul(cast(Any, self), other))

    def __rmatmul__(self, other: Any) -> AbstractArray:
        return cast(AbstractArray, np.matmul(other, cast(Any, self)))

    def __neg__(self) -> AbstractArray:
        return self

    __invert__ = __neg__


def _reduced(x: Any, axis: int | None) -> AbstractArray:
    shape: tuple[int, ...] = np.shape(x)
    if axis is None:
        return AbstractArray(())
    return AbstractArray(tuple(n for i, n in enumerate(shape) if i != axis % len(shape)))


def _blank(shape: tuple[int, ...]) -> Array:
    """An array of a shape, in no memory."""
    return np.broadcast_to(np.int8(0), shape)


# Cached, since the steps of a training are all alike: to work shapes out takes longer than all the rest of a step.


def _index_key(index: Any) -> tuple[Any, ...] | None:
    """A hashable key of an index of whole numbers, slices and the like; None for any other index."""
    key: list[Any] = []
    for one in index if type(index) is tuple else (index,):
        if type(one) is slice:
            key.append((one.start, one.stop, one.step))
        elif type(one) is int or one is None or one is ...:
            key.append(one)
        else:
            return None
    return tuple(key)


@lru_cache(maxsize=1024)
def _indexed(shape: tuple[int, ...], key: tuple[Any, ...]) -> tuple[int, ...]:
    index = tuple([slice(*one) if type(one) is tuple else one for one in key])
    return tuple(_blank(shape)[index].shape)


@lru_cache(maxsize=1024)
def _reshaped(shape: tuple[int, ...], wanted: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(_blank(shape).reshape(*wanted).shape)


@lru_cache(maxsize=1024)
def _concatenated(shapes: tuple[tuple[int, ...], ...], axis: int | None = 0) -> tuple[int, ...]:
    return tuple(np.concatenate([_blank(shape) for shape in shapes], axis).shape)


@lru_cache(maxsize=1024)
def _broadcast(shapes: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    """The shape of an elementwise operation."""
    return np.broadcast_shapes(*shapes)


@lru_cache(maxsize=1024)
def _matmul_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a product, as numpy's matmul has it."""
    if not a or not b or a[-1] != b[max(len(b) - 2, 0)]:
        raise InternalError(f"a dry run met a matrix product of {a} and {b}")
    return np.broadcast_shapes(a[:-2], b[:-2]) + a[-2:-1] + (b[-1:] if len(b) > 1 else ())


def is_abstract(x: object) -> bool:
    """Whether `x` is a dry run's array."""
    return type(x) is AbstractArray


@lru_cache(maxsize=1024)
def abstract(shape: tuple[int, ...]) -> Array:
    """An abstract array, typed as an array; the same object for each shape, since none can change."""
    return cast(Array, AbstractArray(shape))
