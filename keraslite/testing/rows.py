"""The rows of the op table."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np

from keraslite.testing.table import ALL, FLOATS, INTS, NUMBERS, Fixed, Row

_rng = np.random.default_rng(7)
X = _rng.uniform(-2, 2, (3, 4))
Y = _rng.uniform(-2, 2, (3, 4))
ROW = _rng.uniform(-2, 2, (4,))
CUBE = _rng.uniform(-2, 2, (2, 3, 4))
POSITIVE = _rng.uniform(0.2, 3, (3, 4))
UNIT = _rng.uniform(-0.9, 0.9, (3, 4))
EMPTY = np.zeros((0, 3))
SPECIAL = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1.5, -1.5])
SQUARE = X[:, :3] + 3 * np.eye(3)
SPD = SQUARE @ SQUARE.T
MASK = Fixed(X > 0)
SIGNED = ("float32", "bfloat16", "int32", "int8")


def ints(*values: Any, dtype: str = "int32") -> Fixed:
    return Fixed(np.array(values[0] if len(values) == 1 else values, dtype))


def _inverse_erf(x: Any) -> Any:
    normal = statistics.NormalDist()
    return np.vectorize(lambda v: normal.inv_cdf((v + 1) / 2) / math.sqrt(2))(x)


def _logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


# One tensor, as floats: name, reference, sample
_FUNCTIONS = [
    ("exp", np.exp, X),
    ("exp2", np.exp2, X),
    ("expm1", np.expm1, X),
    ("log", np.log, POSITIVE),
    ("log1p", np.log1p, POSITIVE),
    ("log2", np.log2, POSITIVE),
    ("log10", np.log10, POSITIVE),
    ("sqrt", np.sqrt, POSITIVE),
    ("rsqrt", lambda x: 1 / np.sqrt(x), POSITIVE),
    ("cbrt", np.cbrt, X),
    ("reciprocal", lambda x: 1 / x, POSITIVE),
    ("sin", np.sin, X),
    ("cos", np.cos, X),
    ("tan", np.tan, UNIT),
    ("arcsin", np.arcsin, UNIT),
    ("arccos", np.arccos, UNIT),
    ("arctan", np.arctan, X),
    ("sinh", np.sinh, X),
    ("cosh", np.cosh, X),
    ("tanh", np.tanh, X),
    ("arcsinh", np.arcsinh, X),
    ("arccosh", np.arccosh, POSITIVE + 1),
    ("arctanh", np.arctanh, UNIT),
    ("deg2rad", np.deg2rad, X),
    ("rad2deg", np.rad2deg, X),
    ("sinc", np.sinc, X),
    ("erf", np.vectorize(math.erf), X),
    ("erfc", np.vectorize(math.erfc), X),
    ("erfinv", _inverse_erf, UNIT),
    ("fabs", np.fabs, X),
]
# Where whole numbers are poles or lie outside of the domain.
_WITHOUT_INTS = {
    "log", "log2", "log10", "rsqrt", "reciprocal", "erfinv", "arctanh", "arcsin", "arccos",
}  # fmt: skip

ELEMENTWISE = [
    *(
        Row(
            name,
            [x],
            lambda x, f=reference: f(x * 1.0),
            dtypes=FLOATS if name in _WITHOUT_INTS else (*FLOATS, "int32", "bool"),
            gradient=name not in ("fabs", "cbrt"),
            loose=4,
        )
        for name, reference, x in _FUNCTIONS
    ),
    *(
        Row(name, [SPECIAL], getattr(np, name), dtypes=FLOATS, label="special")
        for name in ("exp", "sqrt", "log", "tanh", "sign", "floor", "ceil", "absolute", "arctan")
    ),
    Row("absolute", [X], np.absolute, dtypes=ALL),
    Row("negative", [X], np.negative, dtypes=SIGNED, gradient=True),
    Row("sign", [X], np.sign, dtypes=NUMBERS),
    Row("square", [X], lambda x: np.square(x * 1), dtypes=ALL, gradient=True),
    Row("floor", [X], np.floor, dtypes=(*FLOATS, "int32")),
    Row("ceil", [X], np.ceil, dtypes=(*FLOATS, "int32")),
    Row("trunc", [X], np.trunc, dtypes=NUMBERS),
    Row("round", [np.array([0.5, 1.5, -2.5, 2.26])], np.round, dtypes=(*FLOATS, "int32")),
    Row("round", [np.array([0.126, 15.351, -2.222])], np.round, {"decimals": 2}, label="2"),
    Row("round", [ints(14, 25, -36)], np.round, {"decimals": -1}, label="-1"),
    Row("signbit", [SPECIAL], np.signbit, dtypes=(*FLOATS, "int32")),
    Row("isnan", [SPECIAL], np.isnan, dtypes=(*FLOATS, "int32", "bool")),
    Row("isinf", [SPECIAL], np.isinf, dtypes=(*FLOATS, "int32", "bool")),
    Row("isfinite", [SPECIAL], np.isfinite, dtypes=(*FLOATS, "int32", "bool")),
    Row("isposinf", [SPECIAL], np.isposinf, dtypes=(*FLOATS, "int32")),
    Row("isneginf", [SPECIAL], np.isneginf, dtypes=(*FLOATS, "int32")),
    Row("isreal", [SPECIAL], np.isreal, dtypes=ALL),
    Row("conj", [X], np.conj, dtypes=NUMBERS),
    Row("logical_not", [X], np.logical_not, dtypes=ALL),
    Row("nan_to_num", [SPECIAL], lambda x, **_: np.nan_to_num(x, nan=7, posinf=9, neginf=-9),
        {"nan": 7, "posinf": 9, "neginf": -9}, dtypes=(*FLOATS, "int32")),
    Row("nan_to_num", [SPECIAL], lambda x: np.nan_to_num(x.astype("float32")), label="default"),
    Row("clip", [X, -0.5, 1.0], np.clip, dtypes=FLOATS, gradient=True),
    Row("clip", [X, -1, 1], np.clip, dtypes=("int32", "int8"), label="ints"),
    Row("clip", [X, ROW - 1, ROW], np.clip, label="tensors"),
    Row("clip", [X, None, 1.0], lambda x, a, b: np.minimum(x, b), label="one"),
    Row("cast", [X], lambda x, dtype: x.astype("int32"), {"dtype": "int32"},
        dtypes=(*FLOATS, "bool")),
    Row("cast", [X], lambda x, dtype: x != 0, {"dtype": "bool"}, dtypes=NUMBERS, label="bool"),
    Row("cast", [X], lambda x, dtype: x, {"dtype": "bfloat16"}, dtypes=FLOATS, label="bfloat16",
        loose=300),
    Row("saturate_cast", [X * 200], lambda x, dtype: np.clip(x, -128, 127).astype("int8"),
        {"dtype": "int8"}, dtypes=("float32", "int32")),
    Row("saturate_cast", [np.array([-1e12, 3e12])],
        lambda x, dtype: np.array([-(2**31), 2**31 - 128]), {"dtype": "int32"}, label="wide"),
    Row("saturate_cast", [np.array([-1e12, 3.0, np.inf, np.nan])],
        lambda x, dtype: np.clip(x, -65504, 65504).astype("float16"), {"dtype": "float16"},
        label="half"),
    Row("stop_gradient", [X], lambda x: x, dtypes=NUMBERS),
    Row("copy", [X], lambda x: x, dtypes=ALL),
    Row("zeros_like", [X], np.zeros_like, dtypes=ALL),
    Row("ones_like", [X], np.ones_like, {"dtype": "int32"}, dtypes=ALL),
    Row("full_like", [X, 3], np.full_like, dtypes=NUMBERS),
]  # fmt: skip

# Two tensors that broadcast: name, reference, dtypes, whether to check the gradient
_PAIRS = [
    ("add", np.add, ALL, True),
    ("subtract", np.subtract, SIGNED, True),
    ("multiply", np.multiply, ALL, True),
    ("true_divide", np.true_divide, FLOATS, True),
    ("divide", np.true_divide, FLOATS, False),
    ("maximum", np.maximum, ALL, True),
    ("minimum", np.minimum, ALL, True),
    ("arctan2", np.arctan2, FLOATS, True),
    ("hypot", np.hypot, FLOATS, True),
    ("logaddexp", np.logaddexp, FLOATS, True),
    ("logaddexp2", np.logaddexp2, FLOATS, True),
    ("equal", np.equal, ALL, False),
    ("not_equal", np.not_equal, ALL, False),
    ("less", np.less, ALL, False),
    ("less_equal", np.less_equal, ALL, False),
    ("greater", np.greater, ALL, False),
    ("greater_equal", np.greater_equal, ALL, False),
    ("logical_and", np.logical_and, ALL, False),
    ("logical_or", np.logical_or, ALL, False),
    ("logical_xor", np.logical_xor, ALL, False),
]

BINARY = [
    *(
        Row(name, [X, ROW], reference, dtypes=kinds, gradient=gradient, loose=2)
        for name, reference, kinds, gradient in _PAIRS
    ),
    *(
        Row(name, [SPECIAL[:, None], SPECIAL], getattr(np, name), label="special")
        for name in ("add", "multiply", "maximum", "minimum", "less", "equal", "logaddexp", "power")
    ),
    Row("add", [EMPTY, np.ones((1, 3))], np.add, label="empty", dtypes=NUMBERS),
    Row("floor_divide", [X * 3, POSITIVE], np.floor_divide),
    Row("floor_divide", [ints(7, -7, 7, -7), ints(2, 2, -2, -2)], np.floor_divide, label="ints"),
    Row("mod", [X * 3, POSITIVE], np.mod),
    Row("mod", [ints(7, -7, 7, -7), ints(3, 3, -3, -3)], np.mod, label="ints"),
    Row("mod", [np.array([5.0, -5.0, 5.0, -5.0]), np.array([3.0, 3.0, -3.0, -3.0])], np.mod,
        label="signs"),
    Row("fmod", [np.array([5.5, -5.5, 5.5, -5.5]), np.array([3.0, 3.0, -3.0, -3.0])], np.fmod),
    Row("power", [POSITIVE, X], np.power, dtypes=FLOATS, gradient=True, loose=4),
    Row("power", [ints(2, -3, 5), ints(3, 2, 0)], np.power, label="ints"),
    Row("divide_no_nan", [X, np.array([1.0, 0.0, -2.0, 0.0])],
        lambda x, y: np.where(y == 0, 0, x / np.where(y == 0, 1, y)), gradient=1),
    Row("isclose", [np.array([1.0, 1.0, np.inf, np.nan, -np.inf]),
                    np.array([1.0 + 1e-7, 1.1, np.inf, np.nan, np.inf])], np.isclose),
    Row("isclose", [SPECIAL, SPECIAL], np.isclose, {"equal_nan": True}, label="nan"),
    Row("allclose", [X, X + 1e-9], np.allclose),
    Row("allclose", [X, ROW], np.allclose, label="no"),
    *(Row(name, [X, Y], getattr(np, name), dtypes=(*INTS, "bool"))
      for name in ("bitwise_and", "bitwise_or", "bitwise_xor")),
    Row("bitwise_not", [X], np.bitwise_not, dtypes=(*INTS, "bool")),
    Row("left_shift", [ints(1, -3, 8), ints(0, 2, 3)], np.left_shift),
    Row("right_shift", [ints(1, -9, 8), ints(0, 2, 3)], np.right_shift),
    Row("right_shift", [ints(200, 9, dtype="uint8"), ints(1, 2, dtype="uint8")], np.right_shift,
        label="unsigned"),
    Row("where", [MASK, X, Y], np.where, dtypes=ALL, gradient=True),
    Row("where", [MASK, X, 0.0], np.where, dtypes=FLOATS, label="number"),
    Row("where", [MASK], np.where, label="indices", dynamic=True),
]  # fmt: skip


def _over(op: str, reference: Any, **more: Any) -> list[Row]:
    """A reduction over all axes, one, two, and with the axes kept."""
    return [
        Row(op, [CUBE], reference, label="all", **more),
        Row(op, [CUBE], lambda x, axis: reference(x, axis=axis), {"axis": 1}, label="one", **more),
        Row(
            op,
            [CUBE],
            lambda x, axis, keepdims: reference(x, axis=tuple(axis), keepdims=keepdims),
            {"axis": [0, -1], "keepdims": True},
            label="two",
            **more,
        ),
    ]


REDUCTIONS = [
    *_over("sum", np.sum, dtypes=ALL, gradient=True, loose=4),
    *_over("prod", np.prod, dtypes=("float32", "int32"), loose=4),
    *_over("mean", np.mean, dtypes=(*FLOATS, "int32", "bool"), gradient=True),
    *_over("var", np.var, dtypes=(*FLOATS, "int32"), gradient=True, loose=2),
    *_over("std", np.std, dtypes=(*FLOATS, "int32"), gradient=True, loose=2),
    *_over("max", np.max, dtypes=ALL, gradient=True),
    *_over("min", np.min, dtypes=ALL, gradient=True),
    *_over("amax", np.max),
    *_over("amin", np.min),
    *_over("ptp", np.ptp, dtypes=("float32", "int32")),
    *_over("all", np.all, dtypes=ALL),
    *_over("any", np.any, dtypes=ALL),
    *_over("logsumexp", _logsumexp, dtypes=(*FLOATS, "int32"), gradient=True, loose=2),
    *_over("median", np.median, dtypes=("float32", "int32"), gradient=True),
    Row("logsumexp", [np.array([1000.0, 1000.0])], lambda x: 1000 + np.log(2.0), label="large"),
    Row("logsumexp", [np.array([-np.inf, -np.inf])], lambda x: -np.inf, label="minus-infinity"),
    Row("median", [np.array([1.0, np.nan])], np.median, label="nan"),
    Row("max", [SPECIAL], np.max, label="nan"),
    Row("sum", [EMPTY], np.sum, {"axis": 0}, label="empty"),
    Row("max", [EMPTY], lambda x, axis, initial: np.max(x, axis=axis, initial=initial),
        {"axis": 0, "initial": -1.0}, label="initial"),
    Row("max", [X], lambda x, axis, initial: np.max(x, axis=axis, initial=initial),
        {"axis": 1, "initial": 1.0}, label="initial-2", dtypes=("float32", "int32")),
    Row("prod", [X], lambda x, dtype: np.prod(x).astype("float64"), {"dtype": "float32"},
        dtypes=("int32", "float32"), label="dtype"),
    Row("count_nonzero", [X], np.count_nonzero, {"axis": 1}, dtypes=ALL),
    *(Row(name, [x], getattr(np, name), {"axis": axis}, dtypes=kinds, label=label)
      for name in ("argmax", "argmin")
      for label, x, axis, kinds in (("last", X, -1, ALL), ("all", X, None, ("float32",)),
                                    ("nan", SPECIAL, 0, ("float32",)))),
    Row("argmax", [X], lambda x, axis, keepdims: np.argmax(x, axis=axis, keepdims=keepdims),
        {"axis": 0, "keepdims": True}, label="kept"),
    Row("cumsum", [X], np.cumsum, {"axis": 0}, dtypes=(*SIGNED, "bool"), gradient=True),
    Row("cumsum", [X], np.cumsum, label="flat"),
    Row("cumprod", [X], np.cumprod, {"axis": -1}, dtypes=("float32", "int32"), gradient=True),
    Row("average", [X], np.average, {"axis": 0}, dtypes=("float32", "int32")),
    Row("average", [X, 1, POSITIVE[0]], lambda x, axis, w: np.average(x, axis=axis, weights=w),
        label="weights", gradient=True),
    Row("average", [X, None, POSITIVE], lambda x, axis, w: np.average(x, axis=axis, weights=w),
        label="same"),
    Row("trace", [CUBE], np.trace, {"offset": 1, "axis1": -2, "axis2": -1},
        dtypes=("float32", "int8")),
    *(Row("norm", [X], np.linalg.norm, {"ord": order, "axis": 1}, label=f"vector-{order}", loose=2)
      for order in (None, 0, 1, 2, 3, np.inf, -np.inf, 0.5)),
    *(Row("norm", [X], np.linalg.norm, {"ord": order}, label=f"matrix-{order}", loose=2)
      for order in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)),
    Row("norm", [CUBE], np.linalg.norm, {"ord": 1, "axis": (-1, 0), "keepdims": True},
        label="kept"),
    Row("norm", [X], np.linalg.norm, label="ints", dtypes=("int32", "bfloat16"), loose=2),
]  # fmt: skip

SHAPING = [
    Row("reshape", [X, (2, -1)], np.reshape, dtypes=ALL, gradient=True),
    Row("reshape", [X, [12]], np.reshape, label="list"),
    Row("reshape", [EMPTY, (3, 0)], np.reshape, label="empty"),
    Row("ravel", [CUBE], np.ravel),
    Row("transpose", [CUBE], np.transpose, dtypes=ALL, gradient=True),
    Row("transpose", [CUBE, [0, 2, 1]], np.transpose, label="axes"),
    Row("moveaxis", [CUBE, 0, -1], np.moveaxis),
    Row("moveaxis", [CUBE, (0, 1), (-1, 0)], np.moveaxis, label="two"),
    Row("swapaxes", [CUBE, 0, -1], np.swapaxes),
    Row("expand_dims", [X, -1], np.expand_dims),
    Row("expand_dims", [X, (0, 2)], np.expand_dims, label="two"),
    Row("squeeze", [X[:1, None]], np.squeeze, label="all"),
    Row("squeeze", [X[:1, None], 1], np.squeeze, label="axis"),
    Row("broadcast_to", [ROW, (2, 3, 4)], np.broadcast_to, dtypes=ALL, gradient=True),
    Row("flip", [X], np.flip, dtypes=ALL),
    Row("flip", [CUBE, (0, -1)], np.flip, label="two"),
    Row("flipud", [X], np.flipud),
    Row("fliplr", [X], np.fliplr),
    Row("roll", [X, 2], np.roll),
    Row("roll", [X, -1, 0], np.roll, label="axis", dtypes=ALL),
    Row("roll", [X, (1, 2), (0, 1)], np.roll, label="two"),
    *(Row("rot90", [CUBE], np.rot90, {"k": k, "axes": (0, 2)}, label=str(k)) for k in range(-1, 4)),
    Row("tril", [CUBE], np.tril, dtypes=ALL, gradient=True),
    Row("tril", [X, -1], np.tril, label="-1"),
    Row("triu", [CUBE, 1], np.triu, dtypes=ALL),
    Row("diagonal", [CUBE], np.diagonal, dtypes=ALL),
    Row("diagonal", [CUBE, -1, 2, 1], np.diagonal, label="offset"),
    Row("diag", [ROW, 1], np.diag, dtypes=("float32", "int32")),
    Row("diag", [X, -1], np.diag, label="matrix"),
    Row("diagflat", [X[:2, :2], 1], np.diagflat),
    Row("concatenate", [[X, Y, X[:1]]], np.concatenate, dtypes=ALL, gradient=True),
    Row("concatenate", [[X, Y[:, :2]], -1], np.concatenate, label="last"),
    Row("stack", [[X, Y]], np.stack, dtypes=ALL, gradient=True),
    Row("stack", [[X, Y], -1], np.stack, label="last"),
    Row("vstack", [[ROW, X]], np.vstack),
    Row("hstack", [[X, Y[:, :1]]], np.hstack),
    Row("hstack", [[ROW, ROW]], np.hstack, label="vectors"),
    Row("dstack", [[X, Y]], np.dstack),
    Row("append", [X, ROW], np.append),
    Row("split", [X, 2, 1], np.split, dtypes=ALL, gradient=True),
    Row("split", [X, [1, 3], -1], np.split, label="places"),
    Row("array_split", [ROW, 3], np.array_split, sizes=True),
    Row("vsplit", [X, 3], np.vsplit),
    Row("hsplit", [X, 2], np.hsplit),
    Row("dsplit", [CUBE, 2], np.dsplit),
    Row("unstack", [X], lambda x, axis: list(np.moveaxis(x, axis, 0)), {"axis": 1}, sizes=True),
    Row("tile", [X, 2], np.tile, dtypes=ALL),
    Row("tile", [X, (2, 1, 3)], np.tile, label="more", gradient=True),
    Row("repeat", [X, 2], np.repeat),
    Row("repeat", [X, 2, 0], np.repeat, label="axis", dtypes=ALL, gradient=True),
    Row("repeat", [X, [1, 0, 2], 0], np.repeat, label="each"),
    Row("pad", [X, ((1, 2), (0, 3))], np.pad, dtypes=ALL, gradient=True),
    Row("pad", [X, 1], lambda x, w, constant_values: np.pad(x, w, constant_values=constant_values),
        {"constant_values": 5}, label="value", dtypes=("float32", "int32")),
    *(Row("pad", [X, [[1, 2], [0, 3]]], np.pad, {"mode": mode}, label=mode)
      for mode in ("reflect", "symmetric", "edge", "wrap")),
    Row("meshgrid", [ROW, X[:, 0]], np.meshgrid),
    Row("meshgrid", [ROW, X[:, 0], X[0, :2]], np.meshgrid, {"indexing": "ij"}, label="ij"),
    Row("diff", [X], np.diff, dtypes=("float32", "int32", "bool")),
    Row("diff", [X, 2, 0], np.diff, label="twice"),
]  # fmt: skip


def _take_along(x: Any, i: Any, axis: Any) -> Any:
    return np.take_along_axis(x, i, axis)


def _scatter(indices: Any, values: Any, shape: Any) -> Any:
    found = np.zeros(shape, values.dtype)
    np.add.at(found, tuple(np.moveaxis(indices, -1, 0)), values)
    return found


def _updated(join: Any) -> Any:
    def update(x: Any, indices: Any, updates: Any, **kwargs: Any) -> Any:
        found, place = x.copy(), tuple(np.moveaxis(indices, -1, 0))
        if join is None:
            found[place] = updates
        else:
            join.at(found, place, updates)
        return found

    return update


def _segments(join: Any, empty: float) -> Any:
    def segment(data: Any, ids: Any, num_segments: Any = None) -> Any:
        count = int(ids.max()) + 1 if num_segments is None else num_segments
        found = np.full((count, *data.shape[1:]), empty)
        join.at(found, ids, data)
        return found

    return segment


def _top_k(x: Any, k: int) -> Any:
    order = np.argsort(-x, axis=-1, kind="stable")[..., :k]
    return np.take_along_axis(x, order, -1), order


TIES = np.round(CUBE)
KEYS: list[tuple[str, Any]] = [
    ("int", 1),
    ("negative", -1),
    ("slice", slice(1, None)),
    ("step", (slice(None), slice(None, None, -2))),
    ("ellipsis", (..., 1)),
    ("new", (None, slice(None), None, 0)),
    ("ints", (slice(None), np.array([2, 0, -1]))),
    ("pair", (np.array([1, 0]), np.array([2, 1]))),
    ("apart", (np.array([1, 0]), slice(None), np.array([2, 1]))),
    ("mixed", (0, slice(None), np.array([2, 1]))),
    ("list", ([1, 0, 1],)),
    ("empty", slice(2, 2)),
]

INDEXING = [
    *(Row("get_item", [CUBE, key], lambda x, key: x[key], label=label, dtypes=("float32", "bool"),
          gradient=label in ("slice", "pair", "new", "step")) for label, key in KEYS),
    Row("get_item", [CUBE, (CUBE > 0,)], lambda x, key: x[key], label="mask", dynamic=True),
    Row("get_item", [CUBE, (slice(None), np.array([True, False, True]))], lambda x, key: x[key],
        label="mask-axis", dynamic=True),
    Row("take", [X, ints([[0, 5], [-1, 3]])], np.take, dtypes=ALL),
    Row("take", [CUBE, ints([[0, 2], [-1, 1]]), 1], np.take, label="axis", gradient=True),
    Row("take", [CUBE, ints(2), -1], np.take, label="last"),
    Row("take_along_axis", [X, ints([[0, 2], [1, -1], [3, 3]]), 1], _take_along, dtypes=ALL,
        gradient=True),
    Row("take_along_axis", [X, ints([3, 1]), None], _take_along, label="flat"),
    Row("nonzero", [X], np.nonzero, dtypes=("int32", "bool"), dynamic=True),
    Row("slice", [CUBE, ints(0, 1, 2), (2, 2, 1)], lambda x, i, s: x[0:2, 1:3, 2:3], dtypes=ALL,
        gradient=True),
    Row("slice", [X, [1, 0], [2, 2]], lambda x, i, s: x[1:3, :2], label="list"),
    Row("slice_update", [X, ints(1, 2), Y[:2, :2]],
        lambda x, i, u: np.concatenate([x[:1], np.concatenate([x[1:, :2], u], 1)]), gradient=True,
        dtypes=ALL),
    Row("scatter", [ints([[0], [2], [2]]), X, (5, 4)], _scatter, dtypes=("float32", "int32"),
        gradient=True),
    Row("scatter", [ints([[0, 1], [2, 3]]), ROW[:2], (3, 4)], _scatter, label="places"),
    Row("scatter_update", [X, ints([[0], [2]]), Y[:2]], _updated(None), gradient=True,
        dtypes=("float32", "int32", "bool")),
    Row("scatter_update", [X, ints([[[0, 1], [2, -1]]]), ROW[None, :2]], _updated(None),
        label="places"),
    *(Row("scatter_update", [X, ints([[1], [0], [1]]), Y], _updated(join), {"reduction": name},
          label=name, dtypes=("float32", "int32"))
      for name, join in (("add", np.add), ("max", np.maximum), ("min", np.minimum),
                         ("mul", np.multiply))),
    Row("scatter_update", [X, ints([[0, 1], [0, 1], [2, -1]]), ROW[:3]], _updated(np.maximum),
        {"reduction": "max"}, label="max-places"),
    Row("segment_sum", [X, ints(0, 2, 0), 4], _segments(np.add, 0.0), dtypes=("float32", "int32"),
        gradient=True),
    Row("segment_sum", [X, ints(0, 2, 0)], _segments(np.add, 0.0), label="open", dynamic=True),
    Row("segment_max", [X, ints(0, 2, 0), 4], _segments(np.maximum, -np.inf)),
    Row("segment_max", [X, ints(0, 1, 0), 2], _segments(np.maximum, -np.inf), gradient=True,
        dtypes=("float32", *INTS), label="full"),
    Row("segment_min", [X, ints(0, 2, 0), 4], _segments(np.minimum, np.inf)),
    Row("segment_min", [X, ints(0, 1, 0), 2], _segments(np.minimum, np.inf), dtypes=INTS,
        label="ints"),
    Row("unravel_index", [ints([[1, 5], [11, 0]]), (3, 4)], np.unravel_index),
    Row("sort", [CUBE], np.sort, dtypes=ALL, gradient=True),
    Row("sort", [CUBE, 1], np.sort, label="axis"),
    Row("sort", [X, None], np.sort, label="flat"),
    Row("sort", [SPECIAL], np.sort, label="nan"),
    Row("argsort", [TIES], lambda x: np.argsort(x, kind="stable"), dtypes=("float32", "int32")),
    Row("argsort", [TIES, 0], lambda x, axis: np.argsort(x, axis, kind="stable"), label="axis"),
    Row("argsort", [TIES, None], lambda x, axis: np.argsort(x, axis, kind="stable"), label="flat"),
    Row("top_k", [CUBE, 2], _top_k, dtypes=("float32", "bfloat16")),
    Row("in_top_k", [ints(1, 0, 9), X, 2],
        lambda t, p, k: np.array(
            [(p[0] > p[0, 1]).sum() < 2, (p[1] > p[1, 0]).sum() < 2, False])),
    Row("searchsorted", [np.sort(ROW), X], np.searchsorted, dtypes=("float32", "int32")),
    Row("searchsorted", [ints(1, 2, 2, 3), ints(2, 0, 9)], np.searchsorted, {"side": "right"},
        label="right"),
    Row("digitize", [X, np.sort(ROW)], np.digitize),
    Row("bincount", [ints(1, 4, 1)], np.bincount, {"minlength": 3}, dynamic=True),
    Row("bincount", [ints(1, 4, 1), POSITIVE[0, :3]], np.bincount, label="weights", dynamic=True),
]  # fmt: skip

LINALG = [
    Row("matmul", [X, CUBE.swapaxes(1, 2)], np.matmul, dtypes=(*FLOATS, "int32"), gradient=True,
        loose=4),
    Row("matmul", [X, Y.T], lambda a, b: np.matmul(a.astype("int32"), b), dtypes=("int8",),
        label="bytes"),
    Row("matmul", [X, ROW], np.matmul, label="vector"),
    Row("matmul", [ROW, ROW], np.matmul, label="vectors"),
    Row("dot", [CUBE, X.T], np.dot, loose=2),
    Row("dot", [X, np.array(2.0)], np.dot, label="scalar", dtypes=("float32", "int32")),
    Row("inner", [X, CUBE], np.inner, loose=2),
    Row("outer", [X, ROW], np.outer, dtypes=("float32", "int32")),
    Row("vdot", [X, Y], np.vdot, loose=2),
    Row("kron", [X, CUBE], np.kron),
    Row("kron", [CUBE, ROW], np.kron, label="vector"),
    Row("tensordot", [CUBE, X.T, 1], np.tensordot, loose=2, gradient=True),
    Row("tensordot", [CUBE, X, [[1, 2], [0, 1]]], np.tensordot, label="axes", loose=2),
    Row("einsum", ["ij,kj->ik", X, Y], np.einsum, dtypes=("float32", "int32"), loose=2,
        gradient=True),
    Row("einsum", ["...ij,jk", CUBE, X.T], np.einsum, label="dots", loose=2),
    Row("einsum", ["ii->i", SQUARE], np.einsum, label="diagonal"),
    Row("einsum", ["ij->", X], np.einsum, label="sum", loose=2),
    Row("cross", [X[:, :3], Y[:, :3]], np.cross, gradient=True),
    Row("cross", [X[:3], Y[:3]], np.cross, {"axis": 0}, label="axis"),
    Row("cross", [X[:, :2], Y[:, :3]],
        lambda a, b: np.cross(np.pad(a, ((0, 0), (0, 1))), b), label="two", sizes=True),
    # No gradient: engines differ in how they read a matrix that is not symmetric.
    Row("cholesky", [SPD], np.linalg.cholesky, loose=4),
    Row("cholesky", [SPD], lambda x, upper: np.linalg.cholesky(x).T, {"upper": True},
        label="upper", loose=4),
    Row("inv", [SQUARE], np.linalg.inv, gradient=True, loose=8),
    Row("det", [SQUARE], np.linalg.det, gradient=True, loose=8),
    Row("solve", [SQUARE, X], np.linalg.solve, gradient=True, loose=8),
    Row("solve", [SQUARE, X[:, 0]], np.linalg.solve, label="vector", loose=8),
    Row("solve_triangular", [SQUARE, X], lambda a, b, lower: np.linalg.solve(np.tril(a), b),
        {"lower": True}, loose=8),
    Row("svd", [X], lambda x, compute_uv: np.linalg.svd(x, compute_uv=False),
        {"compute_uv": False}, loose=4),
]  # fmt: skip
