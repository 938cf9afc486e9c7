"""An array without data: what a dry run computes with.

A `Ghost` has a shape and nothing else. It goes through the same protocol code as a real array, so a plan is made by
the very program that will run, in no memory; and since it has no truth value, a program whose control flow depends
on data cannot be planned at all.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import numpy as np

from mpc.errors import InternalError

Array = np.ndarray[Any, np.dtype[Any]]


class Ghost:
    """The shape of an array; arithmetic, indexing and reshaping give further ghosts."""

    __slots__ = ("shape",)

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def __repr__(self) -> str:
        return f"Ghost{self.shape}"

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
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def T(self) -> Ghost:
        return Ghost(self.shape[::-1])

    def __len__(self) -> int:
        return self.shape[0]

    def _blank(self) -> Array:
        return np.broadcast_to(np.int8(0), self.shape)

    def __getitem__(self, index: Any) -> Ghost:
        if isinstance(index, np.ndarray) and index.ndim == 1 and index.dtype != np.bool_:
            return Ghost((index.size, *self.shape[1:]))  # the common choice of rows, without an array of their size
        return Ghost(self._blank()[index].shape)

    def reshape(self, *shape: Any) -> Ghost:
        return Ghost(self._blank().reshape(*shape).shape)

    def astype(self, _dtype: Any, copy: bool = True) -> Ghost:
        return self

    def view(self, _dtype: Any) -> Ghost:
        return self

    def copy(self) -> Ghost:
        return self

    def sum(self, axis: int | None = None, dtype: Any = None) -> Ghost:
        return _reduced(self, axis)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Ghost:
        if method == "reduce":
            return _reduced(inputs[0], kwargs.get("axis", 0))
        if method != "__call__":
            raise InternalError(f"a dry run cannot do {ufunc.__name__}.{method}")
        shapes = tuple(x.shape if type(x) is Ghost else np.shape(x) for x in inputs)
        return Ghost(_matmul_shape(*shapes) if ufunc is np.matmul else _broadcast(shapes))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func is np.shape:
            return args[0].shape
        if func is np.concatenate:
            blanks = [np.broadcast_to(np.int8(0), np.shape(x)) for x in args[0]]
            return Ghost(np.concatenate(blanks, *args[1:], **kwargs).shape)
        raise InternalError(f"a dry run cannot do numpy.{func.__name__}")

    def __add__(self, other: Any) -> Ghost:
        return cast(Ghost, np.add(cast(Any, self), other))

    __radd__ = __add__
    __sub__ = __rsub__ = __mul__ = __rmul__ = __xor__ = __rxor__ = __and__ = __rand__ = __add__
    __lshift__ = __rshift__ = __truediv__ = __rtruediv__ = __floordiv__ = __mod__ = __or__ = __ror__ = __add__

    # A comparison gives a ghost too; Python's own == would be a plain False, on which a program could branch.
    __lt__ = __le__ = __gt__ = __ge__ = __add__
    __eq__ = __ne__ = __add__  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]

    def __matmul__(self, other: Any) -> Ghost:
        return cast(Ghost, np.matmul(cast(Any, self), other))

    def __rmatmul__(self, other: Any) -> Ghost:
        return cast(Ghost, np.matmul(other, cast(Any, self)))

    def __neg__(self) -> Ghost:
        return self

    __invert__ = __neg__


def _reduced(x: Any, axis: int | None) -> Ghost:
    shape: tuple[int, ...] = np.shape(x)
    if axis is None:
        return Ghost(())
    return Ghost(tuple(n for i, n in enumerate(shape) if i != axis % len(shape)))


@lru_cache(maxsize=1024)
def _broadcast(shapes: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    """The shape of an elementwise operation; cached, since a training's steps are all alike."""
    return np.broadcast_shapes(*shapes)


@lru_cache(maxsize=1024)
def _matmul_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a product, as numpy's matmul has it."""
    if not a or not b or a[-1] != b[max(len(b) - 2, 0)]:
        raise InternalError(f"a dry run met a matrix product of {a} and {b}")
    return np.broadcast_shapes(a[:-2], b[:-2]) + a[-2:-1] + (b[-1:] if len(b) > 1 else ())


def is_ghost(x: object) -> bool:
    """Whether `x` is a dry run's array."""
    return type(x) is Ghost


def ghost(shape: tuple[int, ...]) -> Array:
    """A ghost that the type checker takes for an array, as protocols do."""
    return cast(Array, Ghost(shape))
