"""Rows of the op table for patches, adaptive pooling, and sequences without alignment."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from keraslite.testing.image_rows import FIRST, IMAGES, VOLUMES, first
from keraslite.testing.oracle import oracle
from keraslite.testing.table import Fixed, Row

_rng = np.random.default_rng(29)
# So far apart that a small step changes no order.
SEQUENCES, PICTURES, SPACES = (
    (_rng.permutation(math.prod(shape)).reshape(shape) - 60) / 30
    for shape in ((2, 10, 3), (1, 7, 9, 2), (1, 4, 5, 6, 1))
)


# Patches -----------------------------------------------------------------------------


def _windows(x: Any, axis: int, size: int, stride: int, dilation: int, padding: str) -> Any:
    """The windows along an axis: one axis for them before, one for their elements after it."""
    span = (size - 1) * dilation + 1
    if padding == "same":
        extra = max((math.ceil(x.shape[axis] / stride) - 1) * stride + span - x.shape[axis], 0)
        pads = [(0, 0)] * x.ndim
        pads[axis] = (extra // 2, extra - extra // 2)
        x = np.pad(x, pads)
    seen = np.lib.stride_tricks.sliding_window_view(x, span, axis)[..., ::dilation]
    return np.moveaxis(np.take(seen, range(0, seen.shape[axis], stride), axis), -1, axis + 1)


def _patches(
    x: Any, size: Any, strides: Any = None, dilation_rate: Any = 1, padding: str = "valid",
    data_format: str | None = None,
) -> Any:  # fmt: skip
    space = x.ndim - 2
    if data_format == "channels_first":
        return first(_patches(np.moveaxis(x, 1, -1), size, strides, dilation_rate, padding))
    several = [v if isinstance(v, tuple) else (v,) * space for v in
               (size, size if strides is None else strides, dilation_rate)]  # fmt: skip
    for i, options in enumerate(zip(*several, strict=True)):
        x = _windows(x, 1 + 2 * i, *options, padding)
    counts, inner = range(1, 2 * space, 2), range(2, 2 * space + 1, 2)
    x = np.transpose(x, (0, *counts, *inner, x.ndim - 1))
    return x.reshape(*x.shape[: space + 1], -1)


_PATCH_OPTIONS = [
    {"size": 3},
    {"size": (2, 3), "strides": 1},
    {"size": (2, 3), "strides": (2, 1), "padding": "same"},
    {"size": (2, 3), "dilation_rate": (2, 1), "strides": 2, "padding": "same"},
]


def _unfold(x: Any, size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    pads, steps, rates, sizes = (
        v if isinstance(v, tuple) else (v, v) for v in (padding, stride, dilation, size)
    )
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in pads)])
    x = _windows(x, 2, sizes[0], steps[0], rates[0], "valid")
    x = _windows(x, 4, sizes[1], steps[1], rates[1], "valid")
    x = np.transpose(x, (0, 1, 3, 5, 2, 4))
    return x.reshape(x.shape[0], math.prod(x.shape[1:4]), -1)


def _fold(x: Any, space: Any, *args: Any, **options: Any) -> Any:
    """By which windows the pixels come to lie in."""
    count = math.prod(space)
    pixels = _unfold(np.arange(1, count + 1).reshape(1, 1, *space), *args, **options)[0]
    found = np.zeros((*x.reshape(len(x), -1, *pixels.shape).shape[:2], count + 1), x.dtype)
    windows = x.reshape(*found.shape[:2], *pixels.shape)
    for place in np.ndindex(pixels.shape):
        found[:, :, pixels[place]] += windows[(slice(None), slice(None), *place)]
    return found[..., 1:].reshape(*found.shape[:2], *space)


_UNFOLD_OPTIONS = [
    ((3,), {}),
    (((2, 3),), {"dilation": 2}),
    (((2, 3),), {"padding": (1, 2), "stride": (2, 3)}),
    ((2,), {"dilation": (2, 1), "padding": 1, "stride": 2}),
]
_FLAT = [_unfold(first(IMAGES), *a, **k) for a, k in _UNFOLD_OPTIONS]
DEEP = _rng.uniform(-3, 3, (2, 4, 6, 12))
# Channels first: the rows and columns of blocks follow the channel that they are of.
_shuffled = np.concatenate(
    [first(DEEP)[:, c : c + 1, i::2, j::2] for c in range(12) for i in (0, 1) for j in (0, 1)], 1
)

PATCHES = [
    *(
        Row(f"image.{op}", [x], _patches, {**options, **more}, gradient=not more,
            label="-".join(map(str, [*options.values(), *more])),
            dtypes=("float32", "bfloat16", "uint8", "bool"))
        for options in _PATCH_OPTIONS
        for op, x, more in (
            ("extract_patches", IMAGES, {}),
            ("extract_patches", first(IMAGES), FIRST),
        )
    ),
    Row("image.extract_patches", [IMAGES[0], 2], lambda x, n: _patches(x[None], n)[0], label="one"),
    Row("image.extract_patches", [VOLUMES, (2, 3, 2)], _patches, label="volumes"),
    *(
        Row("image.extract_patches_3d", [x], _patches, {**options, **more},
            label="-".join(map(str, [*options.values(), *more])))
        for options in (
            {"size": 2},
            {"size": (2, 3, 1), "strides": (2, 1, 1), "padding": "same"},
            {"size": 2, "dilation_rate": 2, "strides": 1},
        )
        for x, more in ((VOLUMES, {}), (first(VOLUMES), FIRST))
    ),
    Row("depth_to_space", [DEEP, 2], oracle("depth_to_space"), gradient=True,
        dtypes=("float32", "int32", "bool")),
    Row("depth_to_space", [_shuffled, 2, "channels_first"], lambda x, *_: first(DEEP),
        label="first"),
    Row("space_to_depth", [DEEP, 2], oracle("space_to_depth"), gradient=True,
        dtypes=("float32", "int32", "bool")),
    Row("space_to_depth", [first(DEEP), 2, "channels_first"], lambda x, *_: _shuffled,
        label="first"),
    *(
        Row("unfold", [first(IMAGES), *args], _unfold, options, gradient=True,
            label=f"{args}-{options}", dtypes=("float32", "bfloat16", "int32", "uint8"))
        for args, options in _UNFOLD_OPTIONS
    ),
    *(
        Row("fold", [x, (7, 9), *args], _fold, options, gradient=True, label=f"{args}-{options}",
            dtypes=("float32", "int32"))
        for x, (args, options) in zip(_FLAT, _UNFOLD_OPTIONS, strict=True)
    ),
]  # fmt: skip


# Adaptive pooling ----------------------------------------------------------------------


def _adaptive(pool: Callable[..., Any]) -> Callable[..., Any]:
    def reference(x: Any, new: Any, data_format: str = "channels_last") -> Any:
        at = 1 if data_format == "channels_last" else 2
        for axis in range(at, at + x.ndim - 2):
            m = new if isinstance(new, int) else new[axis - at]
            n = x.shape[axis]
            parts = [
                pool(np.take(x, range(i * n // m, math.ceil((i + 1) * n / m)), axis), axis)
                for i in range(m)
            ]
            x = np.stack(parts, axis)
        return x

    return reference


ADAPTIVE = [
    Row(op, [x, new], _adaptive(pool), options, label=f"{x.ndim}-{new}-{len(options)}",
        gradient=True, loose=2,
        dtypes=("float32", "bfloat16", *(("uint8",) if pool is np.max else ())))
    for op, pool in (("adaptive_average_pool", np.mean), ("adaptive_max_pool", np.max))
    for x, new, options in (
        (SEQUENCES, 4, {}),
        (SEQUENCES, 5, {}),
        (first(SEQUENCES), 12, FIRST),
        (PICTURES, (3, 4), {}),
        (PICTURES, (7, 3), {}),
        (first(PICTURES), 2, FIRST),
        (SPACES, (2, 4, 3), {}),
    )
]  # fmt: skip


# Sequences without alignment -----------------------------------------------------------

LOGITS = _rng.uniform(-2, 2, (4, 8, 5))
LABELS = Fixed(np.array([[1, 2, 3], [1, 1, 4], [2, 2, 2], [4, 3, 0]], "int32"))
COUNTS, STEPS = (Fixed(np.array(v, "int32")) for v in ([3, 3, 3, 2], [8, 6, 5, 8]))
FEW = _rng.uniform(-2, 2, (2, 4, 3))
FEW_STEPS = Fixed(np.array([4, 3], "int32"))


def _log_softmax(x: Any) -> Any:
    return x - np.log(np.sum(np.exp(x), -1, keepdims=True))


def _paths(found: list[list[tuple[tuple[int, ...], float]]], steps: int) -> tuple[Any, Any]:
    """The best labels of each sequence, as the op gives them."""
    labels = np.full((len(found[0]), len(found), steps), -1)
    for i, paths in enumerate(found):
        for j, (path, _) in enumerate(paths):
            labels[j, i, : len(path)] = path
    return labels, np.array([[score for _, score in paths] for paths in found])


def _decode_by_enumeration(x: Any, steps: Any, *_: Any, top: int = 2, blank: int = 0) -> Any:
    """The probabilities of labels, summed over all their alignments."""
    found = []
    for scores, count in zip(_log_softmax(x), steps, strict=True):
        chances: dict[tuple[int, ...], float] = defaultdict(float)
        for path in itertools.product(range(x.shape[2]), repeat=int(count)):
            merged = tuple(c for c, _ in itertools.groupby(path) if c != blank)
            chances[merged] += math.exp(sum(scores[t, c] for t, c in enumerate(path)))
        best = sorted(chances.items(), key=lambda pair: -pair[1])[:top]
        found.append([(path, math.log(chance)) for path, chance in best])
    return _paths(found, x.shape[1])


def _decode_by_search(
    x: Any, steps: Any, strategy: str, width: int, top: int, merge: bool, blank: int
) -> Any:
    """Prefix beam search with a dictionary from labels to (blank, other) probabilities."""
    found = []
    for scores, count in zip(np.exp(_log_softmax(x)), steps, strict=True):
        beams = {(): (1.0, 0.0)}
        for chances in scores[:count]:
            after: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
            for path, (with_blank, other) in beams.items():
                after[path][0] += (with_blank + other) * chances[blank]
                if path:
                    after[path][1] += other * chances[path[-1]]
                for c in set(range(x.shape[2])) - {blank}:
                    before = with_blank if path[-1:] == (c,) else with_blank + other
                    after[(*path, c)][1] += before * chances[c]
            best = sorted(after.items(), key=lambda pair: -sum(pair[1]))[:width]
            beams = {path: (a, b) for path, (a, b) in best}
        found.append([(path, math.log(a + b)) for path, (a, b) in list(beams.items())[:top]])
    return _paths(found, x.shape[1])


def _decode_greedily(x: Any, steps: Any, merge_repeated: bool = True, mask_index: int = 0) -> Any:
    found = []
    for scores, count in zip(x, steps, strict=True):
        best = list(np.argmax(scores[:count], -1))
        if merge_repeated:
            best = [c for c, _ in itertools.groupby(best)]
        path = tuple(c for c in best if c != mask_index % x.shape[2])
        found.append([(path, -np.sum(np.max(scores[:count], -1)))])
    return _paths(found, x.shape[1])


SEQUENCE_LABELS = [
    Row("ctc_loss", [LABELS, LOGITS, COUNTS, STEPS], oracle("ctc_loss"), gradient=True, loose=4),
    Row("ctc_loss", [Fixed(4 - LABELS.value), LOGITS, COUNTS, STEPS],
        lambda *args, mask_index: oracle("ctc_loss")(*args, mask_index=4), {"mask_index": -1},
        label="last", loose=4),
    Row("ctc_loss", [Fixed(LABELS.value[:2]), LOGITS[:2], Fixed(np.array([0, 3], "int32")),
        Fixed(np.array([2, 2], "int32"))],
        lambda t, x, *_: np.array([-_log_softmax(x)[0, :2, 0].sum(), 1e5]), label="none", loose=8),
    Row("ctc_decode", [LOGITS, STEPS], _decode_greedily),
    *(
        Row("ctc_decode", [LOGITS, STEPS], _decode_greedily, options, label=str(options))
        for options in ({"merge_repeated": False}, {"mask_index": 2}, {"mask_index": -1})
    ),
    Row("ctc_decode", [FEW, FEW_STEPS, "beam_search", 50, 2], _decode_by_enumeration,
        label="all", loose=2),
    *(
        Row("ctc_decode", [LOGITS, STEPS, "beam_search", width, top, True, blank],
            _decode_by_search, label=f"{width}-{top}-{blank}", loose=2)
        for width, top, blank in ((1, 1, 0), (2, 2, 0), (10, 3, 4), (7, 7, 2))
    ),
]  # fmt: skip

ROWS = [*PATCHES, *ADAPTIVE, *SEQUENCE_LABELS]
