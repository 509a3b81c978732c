"""Differences that we know, each with its reason."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Known:
    """Cells that differ for a reason; patterns are those of file names.

    Attributes:
        reason: why they differ.
        op, case, engine, dtype, sample, check: which cells.
    """

    reason: str
    op: str = "*"
    case: str = "*"
    engine: str = "*"
    dtype: str = "*"
    sample: str = "*"
    check: str = "*"

    def covers(self, cell: Mapping[str, str]) -> bool:
        fields = ("op", "case", "engine", "dtype", "sample", "check")
        return all(
            any(fnmatch.fnmatchcase(cell[name], one) for one in getattr(self, name).split("|"))
            for name in fields
        )


#: Cases that say nothing, by the pattern of their ids, and why: they are left out.
OUTSIDE: dict[str, str] = {
    "*crossentropy* zero|*crossentropy* special": "the row's reference takes probabilities only",
    "normalize* zero|rms_normalization* zero|sparsemax* special|batch_normalization* special": (
        "the row's reference divides by 0, or searches between the largest and the least"
    ),
    "nan_to_num-default float64 *|matrix_rank* zero|matrix_rank* empty": (
        "the row's reference is for its own values and dtype"
    ),
    "image.* special|conv* special|depthwise_conv* special|separable_conv* special": (
        "whether 0 times infinity takes part in a sum is up to the algorithm"
    ),
    "*fft* special|stft* special|extract_sequences* special|correlate* special": (
        "whether 0 times infinity takes part in a sum is up to the algorithm"
    ),
    "matrix_rank* special|cholesky* special|slogdet* special|*det* special|inv* special": (
        "there is no decomposition of a matrix with NaN"
    ),
    "*solve* special|lstsq* special|pinv* special|svd* special|qr* special|ei* special": (
        "there is no decomposition of a matrix with NaN"
    ),
    "cholesky_inverse* zero|cholesky_inverse* empty|lstsq* empty|pinv* empty": (
        "the matrix is singular, or no longer a square"
    ),
    "searchsorted* special|digitize* special": "a sequence with NaN inside is not sorted",
    "*quantile* special|*percentile* special|polar* special": (
        "between infinities nothing can be interpolated or rotated"
    ),
    "slice* empty|image.map_coordinates* empty|image.scale_and_translate* empty": (
        "other arguments hold the size"
    ),
    "cast* special|saturate_cast* special": "which integer a NaN becomes is up to the processor",
    "top_k* special": "the row's reference sorts NaN last",
    "max_pool-3* special": "TensorFlow, the reference of this row, loses NaN in windows",
}


def outside(case: str) -> bool:
    """Whether a case says nothing."""
    return any(fnmatch.fnmatchcase(case, one) for all in OUTSIDE for one in all.split("|"))


KNOWN: list[Known] = [
    Known(
        "Keras on JAX has float32, but takes nothing empty; elsewhere, narrow integers overflow",
        op="histogram",
        sample="empty",
        check="dtype",
    ),
    Known(
        "differences of unsigned pixels are negative: in Keras they wrap, or raise an error",
        op="image.sobel_edges",
        check="dtype",
    ),
    Known(
        "of equal elements any one may get the gradient",
        op="sort|median|nanmedian|quantile|percentile|nanquantile|nanpercentile|ctc_loss",
        sample="zero",
        check="gradient",
    ),
    Known(
        "at the origin it has no derivative, and torch's own one is NaN",
        op="hypot",
        engine="torch",
        sample="zero",
        check="gradient",
    ),
    Known(
        "`torch.topk` does not say which of equal elements comes first",
        op="top_k",
        engine="torch",
        sample="zero",
    ),
    Known(
        "torch's fused attention has no defined result for NaN and infinities",
        op="dot_product_attention",
        engine="torch",
        sample="special",
    ),
    Known(
        "torch's mean and variance in one pass turn infinities into NaN",
        op="moments",
        engine="torch",
        sample="special",
    ),
    Known(
        "TensorFlow's gradient of a cumulative product is wrong where a factor is 0",
        op="cumprod",
        engine="tensorflow",
        sample="zero",
        check="gradient",
    ),
    Known(
        "TensorFlow's gradient of a determinant inverts the matrix, which is singular here",
        op="det",
        engine="tensorflow",
        sample="zero",
        check="gradient",
    ),
    Known(
        "TensorFlow's own op leaves NaN where it was and makes the rest of the row 0",
        op="softmax",
        engine="tensorflow",
        sample="special",
        check="forward",
    ),
]


def reason(cell: Mapping[str, str]) -> str:
    """Why a cell differs, or "" where nobody knows."""
    return cell.get("excuse") or next((k.reason for k in KNOWN if k.covers(cell)), "")
