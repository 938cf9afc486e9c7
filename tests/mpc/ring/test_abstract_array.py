"""An abstract array has the shape that the real array would have, and decides nothing."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, basic_indices, mutually_broadcastable_shapes

from mpc.errors import InternalError
from mpc.ring.abstract_array import AbstractArray
from tests.examples import steady

BINARY: list[Callable[[Any, Any], Any]] = [
    *(operator.add, operator.sub, operator.mul, operator.xor, operator.and_, operator.or_),
    *(operator.lshift, operator.rshift, operator.truediv, operator.floordiv, operator.mod),
    *(operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge),
]
REFLECTED = [f for f in BINARY if f not in (operator.lshift, operator.rshift, operator.floordiv, operator.mod)]
shapes = array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)


def ones(shape: tuple[int, ...]) -> np.ndarray:
    return np.ones(shape, dtype=np.int64)


@steady(100)
@given(mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=4), st.sampled_from(BINARY))
def test_arithmetic_and_comparison_broadcast(both: Any, f: Callable[[Any, Any], Any]) -> None:
    left, right = both.input_shapes
    expected = f(ones(left), ones(right)).shape
    assert f(AbstractArray(left), AbstractArray(right)).shape == expected
    assert f(AbstractArray(left), ones(right)).shape == expected
    assert f(ones(left), AbstractArray(right)).shape == expected
    assert f(AbstractArray(left), 3).shape == left
    if f in REFLECTED:
        assert f(3, AbstractArray(left)).shape == left


@steady(100)
@given(st.data(), shapes)
def test_indexing(data: st.DataObject, shape: tuple[int, ...]) -> None:
    index = data.draw(basic_indices(shape, allow_newaxis=True))
    assert AbstractArray(shape)[index].shape == np.shape(ones(shape)[index])
    rows = data.draw(st.lists(st.integers(0, shape[0] - 1), min_size=1, max_size=6).map(np.array))
    assert AbstractArray(shape)[rows].shape == ones(shape)[rows].shape


@steady(100)
@given(shapes, st.data())
def test_reshape_transpose_and_reduce(shape: tuple[int, ...], data: st.DataObject) -> None:
    g, a = cast(Any, AbstractArray(shape)), ones(shape)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    assert g.reshape(-1).shape == g.reshape((a.size,)).shape == (a.size,)
    assert g.T.shape == a.T.shape
    assert g.sum(axis=axis, dtype=np.uint64).shape == a.sum(axis=axis).shape
    assert np.add.reduce(g, axis=axis).shape == np.bitwise_xor.reduce(ones(shape), axis=axis).shape
    assert g.sum().shape == ()
    assert (g.ndim, g.size, len(g)) == (a.ndim, a.size, len(a))
    assert np.shape(g) == shape
    for same in (-g, ~g, g.copy(), g.astype(np.uint8), g.view(np.int64)):
        assert same.shape == shape
    assert np.concatenate((g, a, g), axis=axis).shape == np.concatenate((a, a, a), axis=axis).shape


@pytest.mark.parametrize(
    "left, right",
    [
        ((3, 4), (4, 5)),
        ((3, 0), (0, 5)),
        ((4,), (4, 5)),
        ((3, 4), (4,)),
        ((4,), (4,)),
        ((10**8, 10**9), (10**9, 10**8)),
    ],
)
def test_matmul(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    expected = left[:-1] + right[1:]
    assert (AbstractArray(left) @ AbstractArray(right)).shape == expected
    if np.prod(left) < 100:
        assert (ones(left) @ AbstractArray(right)).shape == (AbstractArray(left) @ ones(right)).shape == expected
        assert (ones(left).tolist() @ AbstractArray(right)).shape == expected


@pytest.mark.parametrize(
    "left, right", [((3, 4), (5, 2)), ((3, 4), (3,)), ((3,), (4, 3)), ((3, 0), (1, 3)), ((2,), (3,)), ((), (3,))]
)
def test_a_product_that_does_not_fit_is_refused_before_the_run(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    with pytest.raises(InternalError, match="matrix product"):
        AbstractArray(left) @ AbstractArray(right)


def test_what_does_not_broadcast_reshape_or_exist_is_refused() -> None:
    with pytest.raises(ValueError):
        AbstractArray((3,)) + AbstractArray((4,))
    with pytest.raises(ValueError):
        AbstractArray((3,)).reshape(2, 2)
    with pytest.raises(IndexError):
        AbstractArray((3,))[3]


@pytest.mark.parametrize(
    "decide",
    [
        bool,
        lambda g: g == 0,
        lambda g: g != 0,
        lambda g: g > 0,
        lambda g: 0 in g,
        lambda g: max(g),
        lambda g: g[0] and g[1],
        lambda g: g.sum() < 3,
        lambda g: not (g + 1),
    ],
)
def test_nothing_is_decided_on_a_ghost(decide: Callable[[Any], Any]) -> None:
    with pytest.raises(InternalError, match="control flow depends on data"):
        bool(decide(AbstractArray((3,))))


@pytest.mark.parametrize("read", [int, float, range, operator.index, lambda g: [1][g]])
def test_no_number_comes_out_of_a_ghost(read: Callable[[Any], Any]) -> None:
    with pytest.raises(InternalError, match="needs a number"):
        read(AbstractArray((1,)))
    with pytest.raises(InternalError, match="needs a number"):
        read(AbstractArray(()))


@pytest.mark.parametrize(
    "compute, name",
    [
        (lambda g: np.add.accumulate(g), "add.accumulate"),
        (lambda g: np.add.outer(g, g), "add.outer"),
        (lambda g: np.sort(g), "numpy.sort"),
        (lambda g: np.where(g, 1, 0), "numpy.where"),
    ],
)
def test_what_a_dry_run_cannot_do_is_named(compute: Callable[[Any], Any], name: str) -> None:
    with pytest.raises(InternalError, match=f"cannot do {name}"):
        compute(AbstractArray((3,)))
