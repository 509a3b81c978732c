"""Mathematics that no row of the table tells: choices left to the op, inverses, functions."""

from __future__ import annotations

import math
from typing import Any

import keras as oracle
import numpy as np
import pytest

import keraslite
from keraslite import ops
from keraslite.backend import engine
from keraslite.core.keras_tensor import KerasTensor

_rng = np.random.default_rng(17)
SIGNAL = _rng.uniform(-1, 1, (2, 18)).astype("float32")


def _np(x: Any) -> np.ndarray:
    return ops.convert_to_numpy(x)


# Fourier -------------------------------------------------------------------------------


@pytest.mark.parametrize("window", ["hann", "hamming", None])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize(("length", "stride", "fft"), [(6, 3, 6), (8, 2, 8), (6, 2, 8)])
def test_istft_inverts_stft(length: int, stride: int, fft: int, center: bool, window: Any) -> None:
    parts = ops.stft(SIGNAL, length, stride, fft, window, center)
    found = _np(ops.istft(parts, length, stride, fft, window=window, center=center))
    size = found.shape[-1]
    # Without mirrored ends the window leaves the first and last samples weak or silent.
    inner = slice(0, size) if center else slice(fft // 2, size - fft // 2)
    np.testing.assert_allclose(found[:, inner], SIGNAL[:, :size][:, inner], atol=1e-4)
    spec = ops.istft([KerasTensor(p.shape) for p in parts], length, stride, fft, center=center)
    assert spec.shape == found.shape


def test_istft_length() -> None:
    parts = ops.stft(SIGNAL, 6, 3, 6)
    short = _np(ops.istft(parts, 6, 3, 6, length=11))
    np.testing.assert_allclose(short, SIGNAL[:, :11], atol=1e-5)
    long = _np(ops.istft(parts, 6, 3, 6, length=30))
    assert long.shape == (2, 30)
    assert not long[:, 24:].any()
    open_ended = ops.istft([KerasTensor((None, None, 4))] * 2, 6, 3, 6)
    assert open_ended.shape == (None, None)


# Windows, ranges -------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 5, 8])
@pytest.mark.parametrize("name", ["bartlett", "blackman", "hamming", "hanning"])
def test_windows(name: str, count: int) -> None:
    found = _np(getattr(ops, name)(count))
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, getattr(np, name)(count), atol=1e-6)


def test_kaiser_window() -> None:
    np.testing.assert_allclose(_np(ops.kaiser(7, 5.0)), np.kaiser(7, 5.0), rtol=1e-5)
    tensors = ops.convert_to_tensor(4), ops.convert_to_tensor(14.0)
    np.testing.assert_allclose(_np(ops.kaiser(*tensors)), np.kaiser(4, 14.0), rtol=1e-5)
    with pytest.raises(TypeError, match="number of samples must be known"):
        ops.kaiser(KerasTensor(()), 1.0)


def test_geomspace() -> None:
    for args in ((1, 1000, 4), (-2, -32, 5, False), (3, 3, 1), (8.0, 0.5, 3)):
        np.testing.assert_allclose(_np(ops.geomspace(*args)), np.geomspace(*args), rtol=1e-5)
    whole = ops.geomspace(1, 1000, 4, dtype="int32")
    np.testing.assert_array_equal(_np(whole), [1, 10, 100, 1000])
    ends = np.array([1.0, -2.0], "float32"), np.array([10.0, -50.0], "float32")
    for axis in (0, -1):
        found = _np(ops.geomspace(*ends, 3, axis=axis))
        np.testing.assert_allclose(found, np.geomspace(*ends, 3, axis=axis), rtol=1e-5)
    assert ops.geomspace(KerasTensor((2,)), 8.0, 3).shape == (3, 2)
    with pytest.raises(ValueError, match="geomspace: no ratio"):
        ops.geomspace(0, 1, 3)


# Bits, numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_nextafter(dtype: str) -> None:
    first = np.array([1.0, 1.0, -1.0, -1.0, 0.0, -0.0, 2.0, np.inf, np.nan])
    second = np.array([2.0, 0.0, 0.0, -2.0, 1.0, -1.0, 2.0, 0.0, 1.0])
    kind = keraslite.core.dtypes.numpy_dtype(dtype)
    found = _np(ops.nextafter(first.astype(kind), second.astype(kind)))
    assert found.dtype == kind
    width = f"uint{8 * kind.itemsize}"
    expected = np.nextafter(first.astype(kind), second.astype(kind))
    np.testing.assert_array_equal(found[:-1].view(width), expected[:-1].view(width))
    assert np.isnan(found[-1])


def test_integers_are_asked_for() -> None:
    for call, words in (
        (lambda: ops.gcd([1.0], 2), "ops.gcd: `x1` must hold integers"),
        (lambda: ops.lcm(4, KerasTensor((2,))), "ops.lcm: `x2` must hold integers"),
        (lambda: ops.ldexp([1.0], [2.0]), "ops.ldexp: `x2` must hold integers"),
    ):
        with pytest.raises(TypeError, match=words):
            call()


def test_q_outside() -> None:
    for name, q in (("quantile", 1.5), ("nanquantile", [0.1, -0.1]), ("percentile", 101)):
        with pytest.raises(ValueError, match=f"ops.{name}: `q` must lie in"):
            getattr(ops, name)([1.0, 2.0], q)
    tensor = ops.convert_to_tensor([20.0, 50.0])
    np.testing.assert_allclose(_np(ops.percentile([1.0, 2.0, 4.0], tensor)), [1.4, 2.0], rtol=1e-5)


def test_isin_and_unique_of_symbols() -> None:
    x = KerasTensor((5, 2), "int32")
    values, inverse, counts = ops.unique(x, return_inverse=True, return_counts=True, size=4)
    assert (values.shape, inverse.shape, counts.shape) == ((4,), (5, 2), (4,))
    assert (values.dtype, inverse.dtype, counts.dtype) == ("int32",) * 3
    assert ops.unique(x, axis=0).shape == (None, 2)
    assert ops.isin(KerasTensor((None, 2)), x).shape == (None, 2)


# Matrices ----------------------------------------------------------------------------------


def test_eig() -> None:
    turns = _rng.uniform(-1, 1, (2, 3, 3)).astype("float32")
    values, vectors = map(_np, ops.eig(turns))
    assert values.dtype == vectors.dtype == np.complex64
    np.testing.assert_allclose(turns @ vectors, vectors * values[:, None, :], atol=1e-5)
    specs = ops.eig(KerasTensor((None, 3, 3)))
    assert [(s.shape, s.dtype) for s in specs] == [
        ((None, 3), "complex64"),
        ((None, 3, 3), "complex64"),
    ]
    with pytest.raises(ValueError, match="ops.eig: The last two sizes must be equal"):
        ops.eig(turns[:, :2])


def test_limits_for_each_matrix() -> None:
    stack = np.stack([np.diag([3.0, 1.0]), np.diag([3.0, 1.0])]).astype("float32")
    limits = np.array([0.5, 0.1], "float32")
    np.testing.assert_array_equal(_np(ops.matrix_rank(stack, tol=limits * 3)), [1, 2])
    expected = [np.diag([1 / 3, 0.0]), np.diag([1 / 3, 1.0])]
    np.testing.assert_allclose(_np(ops.pinv(stack, rcond=limits)), expected, atol=1e-6)


# Functions ---------------------------------------------------------------------------------


@pytest.mark.requires("trainable")
def test_jvp() -> None:
    x, v = ops.convert_to_tensor([1.0, 2.0]), ops.convert_to_tensor([3.0, -1.0])
    value, change = ops.jvp(ops.sin, (x,), (v,))
    np.testing.assert_allclose(_np(value), np.sin([1, 2]), rtol=1e-5)
    np.testing.assert_allclose(_np(change), np.cos([1, 2]) * [3, -1], rtol=1e-5)
    (product, same), (slope, _), aux = ops.jvp(
        lambda a, b: ((a * b["k"], a), a + 1), [x, {"k": x}], [v, {"k": 0 * v}], has_aux=True
    )
    np.testing.assert_allclose(_np(product), [1, 4])
    np.testing.assert_allclose(_np(slope), [3, -2])
    np.testing.assert_allclose(_np(aux), [2, 3])
    spec = ops.jvp(lambda a: ops.sum(a, 0), (KerasTensor((3, 2)),), (KerasTensor((3, 2)),))
    assert [s.shape for s in spec] == [(2,), (2,)]
    for bad in ((x, v), ((x,), (v, v)), ((x,), (v[:1],))):
        with pytest.raises(ValueError, match="ops.jvp: `primals` and `tangents`"):
            ops.jvp(ops.sin, *bad)


def test_vectorize() -> None:
    x = np.arange(6, dtype="float32").reshape(2, 3)
    dot = ops.vectorize(lambda a, b: ops.sum(a * b), signature="(n),(n)->()")
    np.testing.assert_allclose(_np(dot(x, x[0])), x @ x[0])
    np.testing.assert_allclose(_np(dot(x[1], x[0])), x[1] @ x[0])
    both = ops.vectorize(lambda a, b, c=1: (a + b, a * c), excluded=["c"])
    total, scaled = both(x, np.float32(1), c=3)
    np.testing.assert_allclose(_np(total), x + 1)
    np.testing.assert_allclose(_np(scaled), 3 * x)
    apply = ops.vectorize(ops.matmul, signature="(m,n),(n)->(m)")
    stack, rows = np.ones((2, 3, 4), "float32"), np.ones((5, 1, 4), "float32")
    assert _np(apply(stack, rows)).shape == (5, 2, 3)
    assert apply(KerasTensor((2, 3, 4)), rows).shape == (5, 2, 3)
    for call, words in (
        (lambda: ops.vectorize(3), "`pyfunc` must be callable"),
        (lambda: ops.vectorize(abs, signature="(n->"), "`signature` must look like"),
        (lambda: dot(x, x[0, :2]), "Sizes of axis 'n' must be equal: 3 is not 2"),
        (lambda: dot(x), "names 2 arguments. Received: 1"),
        (lambda: dot(x, np.ones((3, 3), "float32")), "sizes 2 and 3 do not broadcast"),
    ):
        with pytest.raises(ValueError, match="ops.vectorize") as caught:
            call()
        assert words in str(caught.value)


# Files ---------------------------------------------------------------------------------------


def _model(package: Any) -> Any:
    x = package.Input((4, 6), batch_size=2)
    o = package.ops
    parts = [
        o.rearrange(x, "b t (h d) -> b (t h) d", h=2),
        o.nanmax(x, axis=1),
        o.view(x, "int32"),
        o.rfft(x, 6)[0],
        o.isin(x, x),
        o.quantile(x, [0.25, 0.5]),
        o.segment_prod(o.reshape(x, (8, 6)), o.zeros((8,), "int32"), 2),
    ]
    return package.Model(x, parts)


def test_graphs_go_to_and_from_keras() -> None:
    x = _rng.uniform(0.5, 1, (2, 4, 6)).astype("float32")
    ours, theirs = _model(keraslite), _model(oracle)
    restored = keraslite.models.model_from_json(theirs.to_json())
    again = oracle.models.model_from_json(ours.to_json())
    expected = [_np(y) for y in ours(x)]
    for found in (restored(x), again(x), theirs(x)):
        for y, wanted in zip(found, expected, strict=True):
            np.testing.assert_allclose(oracle.ops.convert_to_numpy(y), wanted, rtol=1e-5)


def test_edges() -> None:
    """What engines do each in their own way, if one lets them."""
    empty = np.zeros((0, 3), "float32")
    for name, q in (("median", []), ("nanmedian", []), ("quantile", [0.3]), ("percentile", [3.0])):
        found = _np(getattr(ops, name)(empty, *q, axis=0, keepdims=True))
        np.testing.assert_array_equal(found, [[np.nan] * 3])
        assert _np(getattr(ops, name)(empty, *q, axis=1)).shape == (0,)
    assert _np(ops.take(empty, np.zeros((0, 2, 5), "int32"), axis=0)).shape == (0, 2, 5, 3)
    counts = np.array([1, 2])
    np.testing.assert_array_equal(_np(ops.repeat(counts.astype("uint16"), counts)), [1, 2, 2])
    data = np.array([[1, np.nan], [2, 3], [4, 5]], "float32")
    places = np.array([0, 0, 2])
    np.testing.assert_array_equal(
        _np(ops.segment_max(data, places, 2)), [[2, np.nan], [-np.inf, -np.inf]]
    )
    np.testing.assert_array_equal(_np(ops.segment_min(data, places, 1)), [[1, np.nan]])
    three = ops.convert_to_tensor(np.float32([1, 2, 3]))
    # What NumPy and `math` give for one number does not widen a tensor, nor does True.
    numbers = [True] if np.float64 in engine.tensor_types else [True, np.float64(2)]
    for number in numbers:
        for found in (ops.subtract(three, number), ops.multiply(number, three)):
            assert ops.dtype(found) == "float32"
    for shape in (np.array([3, 1]), ops.convert_to_tensor([3, 1]), [np.int64(3), 1]):
        assert ops.reshape(three, shape).shape == ops.zeros(shape).shape == (3, 1)
    for axis in (0, np.int64(0)):
        np.testing.assert_allclose(_np(ops.std(three, axis)), 0.8164966, rtol=1e-5)
    with pytest.raises(ValueError, match="axis"):
        ops.prod(three, axis=5)
    with pytest.raises(ValueError, match="numbers"):
        ops.convert_to_tensor([None, 1.0], dtype="float32")
    np.testing.assert_array_equal([_np(v) for v in keraslite.Variable([1.0, 2.0])], [1, 2])
    x = np.linspace(-6, 6, 50).astype("float32")
    wanted = [math.erfc(v) for v in x.tolist()]
    np.testing.assert_allclose(_np(ops.erfc(x)), wanted, rtol=1e-4)


@pytest.mark.requires("trainable")
def test_the_deviation_of_equal_numbers_has_no_slope() -> None:
    np.testing.assert_array_equal(_np(ops.grad(ops.std)(np.ones(3, "float32"))), [0, 0, 0])
