"""Rows of the op table for the mathematics beside arithmetic: NaN, quantiles, Fourier, sets..."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from keraslite.testing.oracle import oracle
from keraslite.testing.rows import (
    CUBE,
    MASK,
    ROW,
    SPD,
    SPECIAL,
    SQUARE,
    X,
    Y,
    _segments,
    ints,
)
from keraslite.testing.table import ALL, FLOATS, NUMBERS, Fixed, Row

_rng = np.random.default_rng(13)
NAN = np.nan
HOLES = np.where(_rng.uniform(size=CUBE.shape) < 0.3, NAN, CUBE)
HOLES[0, :, 0] = NAN
GAPS = np.where(_rng.uniform(size=CUBE.shape) < 0.2, NAN, CUBE)
GAPS[:, 0] = CUBE[:, 0]
EMPTY_ROW = np.array([[1.0, NAN, 3.0], [NAN, NAN, NAN]])
LOW_RANK = X[:, :2] @ Y[:2]
STACK = SQUARE + 0.3 * _rng.uniform(size=(2, 3, 3))
SIGNAL = _rng.uniform(-1, 1, (2, 18))
TIES = np.array([2.0, 1.0, 2.0, 5.0, 1.0, 2.0])
ROWS_OF_TIES = np.array([[1.0, 2.0], [0.0, 5.0], [1.0, 2.0], [0.0, 3.0]])


def _complex(x: Any) -> Any:
    return x[..., 0] + 1j * x[..., 1]


def _parts(transform: Any) -> Any:
    """A transform of complex numbers as one of pairs."""

    def compute(x: Any, *args: Any) -> Any:
        found = transform(x[0] + 1j * x[1] if isinstance(x, list) else x, *args)
        return (found.real, found.imag) if np.iscomplexobj(found) else found

    return compute


def _skipping(reference: Any) -> Any:
    """A NumPy function without its warnings about empty slices."""

    def compute(*args: Any, **kwargs: Any) -> Any:
        with warnings.catch_warnings(action="ignore"):
            return reference(*args, **kwargs)

    return compute


def _nan_over(op: str, **more: Any) -> list[Row]:
    reference = _skipping(getattr(np, op))
    found = [
        Row(op, [HOLES], reference, label="all", **more),
        Row(op, [HOLES], reference, {"axis": (0, -1), "keepdims": True}, label="two", **more),
        Row(op, [EMPTY_ROW], reference, {"axis": 1}, label="nothing"),
    ]
    return [*found, Row(op, [HOLES], reference, {"axis": 1}, dtypes=(*FLOATS, "int32"), **more)]


def _without_nan(reference: Any) -> Any:
    def compute(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        absent = np.isnan(x)
        found = reference(np.where(absent, 0, x), axis=axis, keepdims=keepdims)
        return np.where(absent.all(axis, keepdims=keepdims), -1, found)

    return compute


NAN_ROWS = [
    *_nan_over("nansum", gradient=True, loose=4),
    *_nan_over("nanprod", loose=4),
    *_nan_over("nanmean", loose=2),
    *_nan_over("nanvar", loose=2),
    *_nan_over("nanstd", loose=2),
    *_nan_over("nanmax"),
    *_nan_over("nanmin"),
    *_nan_over("nanmedian"),
    *(Row(op, [GAPS], getattr(np, op), {"axis": 1}, label="gradient", gradient=True, loose=2)
      for op in ("nanmean", "nanvar", "nanmax", "nanmedian")),
    Row("nanmax", [X], np.nanmax, dtypes=ALL, label="dtypes"),
    *(Row(op, [np.abs(GAPS)], getattr(np, op),
          {"axis": axis}, label=str(axis), dtypes=("float32", "int32"))
      for op, axis in (("nanargmax", 1), ("nanargmax", None))),
    Row("nanargmin", [GAPS], np.nanargmin, {"axis": 1, "keepdims": True}),
    Row("nanargmax", [EMPTY_ROW], lambda x, axis: np.array([2, -1]), {"axis": 1}, label="nothing"),
    Row("nanargmin", [EMPTY_ROW], lambda x, axis: np.array([0, -1]), {"axis": 1}, label="nothing"),
    Row("nancumsum", [HOLES], np.nancumsum, {"axis": 1}, dtypes=("float32", "int32")),
    Row("nancumsum", [HOLES], np.nancumsum, label="flat", loose=2),
    Row("nancumprod", [HOLES], np.nancumprod, {"axis": -1}, dtypes=("float32", "int32")),
    Row("fmax", [SPECIAL[:, None], SPECIAL], np.fmax, dtypes=FLOATS, label="special"),
    Row("fmin", [SPECIAL[:, None], SPECIAL], np.fmin, dtypes=FLOATS, label="special"),
    Row("fmax", [X, ROW], np.fmax, dtypes=ALL),
    Row("fmin", [X, ROW], np.fmin, dtypes=ALL),
]  # fmt: skip

METHODS = ("linear", "lower", "higher", "midpoint", "nearest")
QUANTILES = [
    *(Row("quantile", [TIES, [0.1, 0.37, 0.5, 1.0]], np.quantile, {"method": method}, label=method,
          dtypes=("float32", "int32")) for method in METHODS),
    *(Row("nanquantile", [HOLES, 0.3], _skipping(np.nanquantile), {"method": method, "axis": -1},
          label=method) for method in METHODS),
    Row("quantile", [CUBE, 0.3, (0, 2)], np.quantile, {"keepdims": True}, dtypes=FLOATS,
        gradient=True),
    Row("quantile", [CUBE, np.array([[0.3], [0.9]]), 1], np.quantile, label="matrix"),
    Row("quantile", [np.array([1.0, NAN, 2.0]), 0.0], np.quantile, label="nan"),
    Row("quantile", [np.array([[-np.inf, 1.0, np.inf], [np.inf] * 3]), [0.5, 0.75], 1],
        lambda x, q, axis: np.array([[1.0, np.inf], [np.inf, np.inf]]), label="infinite"),
    Row("percentile", [CUBE, [25.0, 60.0], 1], np.percentile, dtypes=("float32", "bfloat16")),
    Row("nanquantile", [HOLES, [0.25, 0.6], (0, 1)], _skipping(np.nanquantile),
        {"keepdims": True}, dtypes=FLOATS),
    Row("nanquantile", [EMPTY_ROW, [0.2, 0.5], 1], _skipping(np.nanquantile), label="nothing"),
    Row("nanpercentile", [HOLES, 40, None], np.nanpercentile),
]  # fmt: skip

COMPLEX_ROWS = [
    Row("real", [X], np.real, dtypes=ALL),
    Row("imag", [X], lambda x: np.zeros_like(x), dtypes=ALL),
    Row("real", [Fixed(X + 1j * Y)], np.real, label="complex", loose=2),
    Row("imag", [Fixed((X + 1j * Y).astype("complex64"))], np.imag, label="complex", loose=2),
    Row("angle", [X], lambda x: np.angle(x * 1.0), dtypes=(*FLOATS, "int32")),
    Row("angle", [Fixed((X + 1j * Y).astype("complex64"))], np.angle, label="complex", loose=2),
    Row("view_as_complex", [CUBE[..., :2]], _complex, dtypes=FLOATS, loose=4, sizes=True),
    Row("view_as_real", [Fixed((X + 1j * Y).astype("complex64"))],
        lambda x: np.stack([x.real, x.imag], -1), label="complex", loose=2),
    Row("view_as_real", [X], lambda x: np.stack([x, 0 * x], -1), dtypes=NUMBERS),
]  # fmt: skip


def _view(x: Any, dtype: str) -> Any:
    # A reference sees floats in double precision.
    return (x.astype("float32") if x.dtype == "float64" else x).view(dtype)


FLOAT32 = Fixed(X.astype("float32"))
BITS = [
    Row("view", [FLOAT32, "int32"], _view),
    Row("view", [FLOAT32, "uint8"], _view, label="smaller"),
    Row("view", [Fixed(np.arange(-4, 4, dtype="int8").reshape(2, 4)), "float32"], _view,
        label="larger", sizes=True),
    Row("view", [ints([1, -5, 7], dtype="int16"), "uint16"], _view, label="sign"),
    Row("view", [MASK, "uint8"], _view, label="from-bool"),
    Row("view", [MASK, "int8"], _view, label="from-bool-2"),
    Row("view", [ints([1, 0, 1], dtype="uint8"), "bool"], lambda x, d: x != 0, label="to-bool"),
    Row("view", [FLOAT32], lambda x: x, label="none"),
    Row("ldexp", [X, ints(3, -2, 0, 12)], np.ldexp, gradient=1, dtypes=FLOATS),
    Row("ldexp", [np.array([1e-30, 1e30]), ints(150, -150)], np.ldexp, label="far"),
    Row("ldexp", [ints(3, 5), ints(2, 1)], np.ldexp, label="ints"),
    Row("heaviside", [np.array([-1.0, 0.0, 2.0, NAN]), np.array(0.5)], np.heaviside,
        dtypes=(*FLOATS, "int32")),
    Row("i0", [np.array([-30.0, -2.0, 0.0, 0.5, 5.0, 60.0])], np.i0, dtypes=("float32", "bfloat16"),
        loose=4),
    Row("i0", [X], np.i0, label="gradient", gradient=True, dtypes=("float32", "int32")),
]  # fmt: skip

NUMBERS_ROWS = [
    Row("gcd", [ints([[12], [-18], [0]]), ints(8, 27, 0)], np.gcd),
    Row("gcd", [ints(12, 18, dtype="uint8"), ints(8, 0, dtype="int8")],
        lambda a, b: np.gcd(a.astype("int16"), b), label="mixed"),
    Row("gcd", [ints(12, 18), 4], np.gcd, label="number"),
    Row("lcm", [ints([[12], [-18], [0]]), ints(8, 27, 5)], np.lcm),
    Row("trapezoid", [CUBE], np.trapezoid, dtypes=(*FLOATS, "int32"), gradient=True),
    Row("trapezoid", [CUBE, None, 0.5, 1], np.trapezoid, label="dx"),
    Row("trapezoid", [CUBE, np.array([0.0, 1.0, 3.0]), 1.0, 1], np.trapezoid, label="places"),
    Row("trapezoid", [X, Y], np.trapezoid, label="all-places"),
    Row("vander", [ROW], np.vander, dtypes=("float32", "int32"), gradient=True, sizes=True),
    Row("vander", [ROW, 3], np.vander, {"increasing": True}, label="rising"),
    Row("vander", [ROW, 0], np.vander, label="none"),
    Row("vander", [np.array([0.0, 2.0]), 3], np.vander, label="zero", gradient=True),
    Row("corrcoef", [X], np.corrcoef, dtypes=("float32", "bfloat16", "int32"), gradient=True,
        loose=4),
    Row("corrcoef", [ROW], np.corrcoef, label="vector"),
    Row("corrcoef", [np.array([[1.0, 1.0, 1.0], [1.0, 2.0, 4.0]])], _skipping(np.corrcoef),
        label="constant"),
    *(Row("correlate", [TIES, ROW[:k]], np.correlate, {"mode": mode}, label=f"{mode}-{k}",
          loose=4) for mode in ("valid", "same", "full") for k in (1, 2, 3, 4)),
    Row("correlate", [ROW[:3], TIES, "same"], np.correlate, label="swapped", loose=4),
    Row("correlate", [ROW[:2], TIES, "same"], np.correlate, label="swapped-even", loose=4),
    Row("correlate", [TIES, ROW], np.correlate, dtypes=(*FLOATS, "int32"), gradient=True, loose=4,
        sizes=True),
    *(Row("segment_prod", [X, ints(0, 2, 0), n], _segments(np.multiply, 1.0), label=str(n),
          dtypes=("float32", "int32"), gradient=n == 3) for n in (3, 4)),
    Row("segment_prod", [np.array([[0.0, 0.0], [2.0, 0.0], [3.0, 4.0]]), ints(0, 0, 0), 1],
        _segments(np.multiply, 1.0), label="zeros", gradient=True),
    Row("segment_prod", [X, ints(0, 2, 0)], _segments(np.multiply, 1.0), label="open",
        dynamic=True),
]  # fmt: skip


def _unique(*names: str) -> Any:
    flags = {f"return_{name}": True for name in names}

    def compute(x: Any, axis: Any = None, **_: Any) -> Any:
        return np.unique(x, axis=axis, equal_nan=False, **flags)

    return compute


ALL_OF_IT = ("index", "inverse", "counts")
FLAGS = {f"return_{name}": True for name in ALL_OF_IT}
SETS = [
    Row("isin", [X, X[1]], np.isin, dtypes=ALL),
    Row("isin", [X, np.array(X[1, 1])], np.isin, {"invert": True}, label="invert"),
    Row("isin", [np.array([NAN, 1.0, np.inf]), np.array([NAN, np.inf])], np.isin, label="nan"),
    Row("isin", [X, np.zeros((0,))], np.isin, label="empty"),
    Row("unique", [TIES], _unique(), dtypes=(*NUMBERS, "bool"), dynamic=True),
    Row("unique", [TIES.reshape(2, 3)], _unique(*ALL_OF_IT), FLAGS, label="all", dynamic=True,
        sizes=True),
    Row("unique", [np.array([NAN, 1.0, NAN])], _unique("counts"), {"return_counts": True},
        label="nan", dynamic=True),
    Row("unique", [ROWS_OF_TIES], _unique(*ALL_OF_IT), {**FLAGS, "axis": 0}, label="rows",
        dynamic=True, sizes=True),
    Row("unique", [ROWS_OF_TIES.T], _unique(*ALL_OF_IT), {**FLAGS, "axis": -1}, label="columns",
        dynamic=True, sizes=True),
    Row("unique", [TIES], lambda x, **_: (
        np.array([1, 2, 5, -1, -1]), np.array([1, 0, 3, 0, 0]), np.array([1, 0, 1, 2, 0, 1]),
        np.array([2, 3, 1, 0, 0])), {**FLAGS, "size": 5, "fill_value": -1}, label="filled"),
    Row("unique", [TIES], lambda x, **_: (np.array([1, 2]), np.array([2, 3])),
        {"return_counts": True, "size": 2}, label="cut"),
    Row("unique", [ROWS_OF_TIES], lambda x, **_: np.array([[0, 3], [0, 5], [1, 2], [0, 0]]),
        {"axis": 0, "size": 4}, label="filled-rows"),
    Row("argpartition", [CUBE, 1], lambda x, k: np.argsort(x, kind="stable"),
        dtypes=("float32", "int32")),
    Row("argpartition", [CUBE, (-1, 2), None], lambda x, k, a: np.argsort(x, a, kind="stable"),
        label="flat"),
    Row("histogram", [TIES], lambda x, bins: np.histogram(x * 1.0, bins), {"bins": 4},
        dtypes=(*FLOATS, "int32")),
    Row("histogram", [X[0]], np.histogram, label="default", loose=2),
    Row("histogram", [TIES], np.histogram, {"bins": 3, "range": (0, 4.5)}, label="range"),
    Row("histogram", [np.array([2.0, 2.0])], np.histogram, {"bins": 2}, label="constant"),
    Row("histogram", [np.zeros((0,))], np.histogram, {"bins": 2}, label="empty"),
]  # fmt: skip


def _stft(x: Any, length: int, stride: int, fft_length: int) -> Any:
    half, side = fft_length // 2, (fft_length - length) // 2
    x = np.pad(x, ((0, 0), (half, half)), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(x, fft_length, -1)[:, ::stride]
    window = np.pad(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length), side)
    return _parts(np.fft.rfft)(frames * window)


FOURIER = [
    Row("fft", [[X, Y]], _parts(np.fft.fft), dtypes=FLOATS, gradient=True, loose=8),
    Row("fft2", [[CUBE, CUBE[::-1]]], _parts(np.fft.fft2), gradient=True, loose=8),
    Row("ifft2", [[CUBE, CUBE[::-1]]], _parts(np.fft.ifft2), loose=8),
    *(Row("rfft", [X, n], _parts(np.fft.rfft), dtypes=("float32", "bfloat16"), gradient=True,
          label=str(n or ""), loose=8) for n in (None, 3, 7, 8)),
    *(Row("irfft", [[X, Y], n], _parts(np.fft.irfft), gradient=True, label=str(n or ""), loose=8)
      for n in (None, 3, 5, 8)),
    Row("extract_sequences", [SIGNAL, 5, 3], lambda x, n, s: np.lib.stride_tricks
        .sliding_window_view(x, n, -1)[:, ::s], dtypes=("float32", "int32"), gradient=True),
    Row("extract_sequences", [ROW, 5, 3], lambda x, n, s: np.zeros((0, 5)), label="short"),
]  # fmt: skip
STFT = [(SIGNAL, 6, 3, 6), (SIGNAL, 6, 4, 8)]
WEIGHTS = np.array([1.0, 2.0, 2.0, 1.0, 0.5, 0.25], "float32")
for _i, _case in enumerate(STFT):
    FOURIER += [
        Row("stft", _case, oracle("stft"), gradient=True, loose=8, label=str(_i or "")),
        Row("stft", _case, oracle("stft"), {"center": False, "window": "hamming"}, loose=8,
            label=f"{_i}-plain"),
    ]  # fmt: skip
FOURIER += [
    Row("stft", [SIGNAL, 5, 2, 9], _stft, label="odd", loose=8),
    Row("stft", STFT[0], oracle("stft"), {"window": WEIGHTS}, loose=8, label="weights"),
    Row("stft", STFT[0], oracle("stft"), {"window": None, "center": False}, loose=8, label="none"),
]

#: Matrices for `rearrange`: pattern, sizes of parts, and the same in NumPy.
PATTERNS: list[tuple[str, dict[str, int], Any]] = [
    ("a b c -> c a b", {}, lambda x: x.transpose(2, 0, 1)),
    ("a b (c d) -> a (b c) d", {"d": 2}, lambda x: x.reshape(2, 6, 2)),
    ("a b (c d) -> (d a) 1 (b c)", {"c": 2},
     lambda x: x.reshape(2, 3, 2, 2).transpose(3, 0, 1, 2).reshape(4, 1, 6)),
    ("... c -> c ...", {}, lambda x: x.transpose(2, 0, 1)),
    ("a ... -> (...) a", {}, lambda x: x.reshape(2, 12).T),
    ("a b c -> (a b c) ()", {}, lambda x: x.reshape(-1, 1)),
]  # fmt: skip
REARRANGE = [
    Row("rearrange", [CUBE, pattern], lambda x, p, f=same, **_: f(x), lengths, label=str(i or ""),
        dtypes=("float32", "bool"), gradient=i == 2)
    for i, (pattern, lengths, same) in enumerate(PATTERNS)
]  # fmt: skip


def _distances(x: Any, y: Any) -> Any:
    return np.sqrt(((x[..., :, None, :] - y[..., None, :, :]) ** 2).sum(-1))


def _lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    return np.linalg.lstsq(a, b, rcond)[0]


MATRICES = [
    Row("cdist", [CUBE, X], _distances, dtypes=(*FLOATS, "int32"), gradient=True),
    Row("cholesky_inverse", [np.linalg.cholesky(SPD)], lambda x: np.linalg.inv(SPD), loose=20),
    Row("cholesky_inverse", [STACK], lambda x: np.linalg.inv(np.tril(x) @ np.tril(x).mT),
        label="lower", loose=50),
    Row("cholesky_inverse", [SQUARE], lambda x, upper: np.linalg.inv(np.triu(x).T @ np.triu(x)),
        {"upper": True}, label="upper", loose=20),
    Row("pinv", [X], np.linalg.pinv, gradient=True, loose=20),
    Row("pinv", [CUBE.mT], np.linalg.pinv, label="tall", loose=20),
    Row("pinv", [np.stack([LOW_RANK, LOW_RANK])], lambda x: np.linalg.pinv(x, 1e-6),
        label="singular", loose=50),
    Row("pinv", [X, 0.5], np.linalg.pinv, label="cut", loose=20),
    Row("lstsq", [X.T, Y.T], _lstsq, loose=20),
    Row("lstsq", [X, X[:, 0]], _lstsq, label="vector", loose=20),
    Row("lstsq", [LOW_RANK.T, Y.T, 1e-4], _lstsq, label="singular", loose=50),
    Row("lstsq", [CUBE.mT, CUBE.mT[..., :1] + 1],
        lambda a, b: np.linalg.pinv(a) @ b, label="many", loose=20),
    Row("matrix_rank", [np.stack([X, LOW_RANK])], lambda x: np.array([3, 2])),
    Row("matrix_rank", [X], np.linalg.matrix_rank, dtypes=("float32", "int32"), label="ints"),
    Row("matrix_rank", [np.diag([3.0, 1.0, 0.2]), 0.5], np.linalg.matrix_rank, label="tol"),
    Row("slogdet", [STACK], lambda x: tuple(np.linalg.slogdet(x)), loose=20,
        dtypes=("float32", "bfloat16")),
    Row("slogdet", [np.ones((2, 2))], lambda x: (0.0, -np.inf), label="singular"),
    Row("logdet", [STACK], lambda x: np.linalg.slogdet(x)[1], gradient=True, loose=20),
]  # fmt: skip

ROWS = [
    *NAN_ROWS, *QUANTILES, *COMPLEX_ROWS, *BITS, *NUMBERS_ROWS, *SETS, *FOURIER, *REARRANGE,
    *MATRICES,
]  # fmt: skip
