"""What the table cannot say of ops on images: randomness, options and the words of errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from keraslite import ops, random

IMAGES = np.random.default_rng(5).uniform(0, 1, (2, 6, 7, 3)).astype("float32")


def _moves(alpha: float, sigma: float, **options: Any) -> np.ndarray:
    """How far `elastic_transform` moves pixels to the side."""
    ramp = np.broadcast_to(np.arange(80, dtype="float32")[:, None], (2, 80, 80, 1))
    found = ops.image.elastic_transform(ramp, alpha, sigma, fill_mode="nearest", **options)
    return (ops.convert_to_numpy(found) - ramp)[:, 25:-25, 25:-25, 0]


@pytest.mark.parametrize(("alpha", "sigma"), [(1.0, 1.0), (2.0, 3.0)])
def test_elastic_moves_have_the_given_size_and_smoothness(alpha: float, sigma: float) -> None:
    moves = _moves(alpha, sigma, seed=7)
    # The variance of averaged noise, and the correlation of neighbours under a bell curve.
    np.testing.assert_allclose(moves.std(), 0.282 * alpha, rtol=0.3)
    alike = np.corrcoef(moves[:, :-1].ravel(), moves[:, 1:].ravel())[0, 1]
    np.testing.assert_allclose(alike, np.exp(-1 / (4 * sigma**2)), atol=0.05)
    assert not np.allclose(moves[0], moves[1])


def test_elastic_transform_follows_its_seed() -> None:
    np.testing.assert_array_equal(_moves(2.0, 2.0, seed=3), _moves(2.0, 2.0, seed=3))
    assert not np.allclose(_moves(2.0, 2.0, seed=3), _moves(2.0, 2.0, seed=4))
    generator = random.SeedGenerator(3)
    assert not np.allclose(_moves(2.0, 2.0, seed=generator), _moves(2.0, 2.0, seed=generator))


def test_sigma_may_be_a_tensor() -> None:
    found = ops.image.gaussian_blur(IMAGES, (3, 5), ops.convert_to_tensor([0.7, 1.4]))
    wanted = ops.image.gaussian_blur(IMAGES, (3, 5), (0.7, 1.4))
    np.testing.assert_allclose(
        ops.convert_to_numpy(found), ops.convert_to_numpy(wanted), rtol=1e-5, atol=1e-6
    )


def test_reducing_by_a_whole_factor_averages_blocks() -> None:
    found = ops.image.resize(IMAGES[:, :, :6], (3, 3), antialias=True, interpolation="bilinear")
    assert found.shape == (2, 3, 3, 3)
    flat = ops.image.resize(np.full((4, 4, 1), 7.0), (3, 9), interpolation="lanczos5")
    np.testing.assert_allclose(ops.convert_to_numpy(flat), 7.0, rtol=1e-5)


_EIGHT = np.zeros(8, "float32")


@pytest.mark.parametrize(
    ("op", "args", "options", "message"),
    [
        ("resize", [IMAGES, (4,)], {}, "`size` must be two integers"),
        ("resize", [IMAGES, (4, 0)], {}, "`size` must be two integers"),
        ("resize", [IMAGES, (4, 4), "cubic"], {}, "`interpolation` must be one of 'nearest'"),
        ("resize", [IMAGES[0, 0], (4, 4)], {}, "`images` must have 3 or 4 axes"),
        ("resize", [IMAGES, (4, 4)], {"fill_mode": "wrap"}, "`fill_mode` must be one of"),
        ("resize", [IMAGES, (4, 4)], {"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True},
         "Only one of"),
        ("scale_and_translate", [IMAGES, (2, 4, 4, 3), [1.0], [0.0], (1, 2), "linear"], {},
         "`scale` must be a vector of 2"),
        ("scale_and_translate", [IMAGES, (3, 4, 7, 3), [1.0], [0.0], (1,), "linear"], {},
         "must stay"),
        ("crop_images", [IMAGES, 1, 1, 1, 1, 4], {}, "Exactly two of top_cropping"),
        ("crop_images", [IMAGES, 4, 1, 4, 1], {}, "`target_height` must not be negative"),
        ("pad_images", [IMAGES, -1, 1, 1, 1], {}, "`top_padding` must not be negative"),
        ("affine_transform", [IMAGES, _EIGHT[:6]], {}, "`transform` must have the shape"),
        ("affine_transform", [IMAGES, np.stack([_EIGHT] * 3)], {}, "is for 3 images"),
        ("perspective_transform", [IMAGES, np.zeros((3, 2)), np.zeros((4, 2))], {},
         "`start_points` must have the shape"),
        ("map_coordinates", [IMAGES, np.zeros((3, 5)), 1], {}, "`coordinates` must have the shape"),
        ("map_coordinates", [IMAGES, np.zeros((4, 5)), 2], {}, "`order` must be 0 or 1"),
        ("rgb_to_hsv", [(IMAGES * 255).astype("uint8")], {}, "must be floats"),
        ("hsv_to_rgb", [IMAGES[..., :2]], {}, "must have 3 channels"),
        ("rgb_to_grayscale", [IMAGES[..., :2]], {}, "must have 3 channels"),
        ("gaussian_blur", [IMAGES, 3], {}, "`kernel_size` must be two integers"),
        ("gaussian_blur", [IMAGES, (3, 3), 1.0], {}, "`sigma` must be two numbers"),
        ("ssim", [IMAGES, IMAGES], {}, "A window of 11 does not fit"),
        ("extract_patches", [IMAGES, 0], {}, "`size` must be an integer of at least 1"),
        ("extract_patches_3d", [IMAGES[0], 2], {}, "`volumes` must have 4 or 5 axes"),
    ],
)  # fmt: skip
def test_errors_say_the_op_and_what_is_wrong(
    op: str, args: list[Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        getattr(ops.image, op)(*args, **options)
    assert op in str(caught.value) and len(str(caught.value)) <= 600


@pytest.mark.parametrize(
    ("op", "args", "message"),
    [
        ("depth_to_space", [IMAGES, 2], "must be a multiple"),
        ("space_to_depth", [IMAGES, 4], "must be multiples"),
        ("space_to_depth", [IMAGES, 1], "`block_size` must be at least 2"),
        ("unfold", [IMAGES, 9], "does not fit"),
        ("fold", [np.ones((2, 12, 5)), (4, 4), 2], "There must be 9 windows"),
        ("adaptive_max_pool", [IMAGES, (2, 0)], "`output_size` must be"),
        ("ctc_loss", [[[1]], np.zeros((1, 2, 2)), [1, 1], [2]], "batch sizes"),
        ("ctc_loss", [[[1]], np.zeros((1, 2, 2)), [1], [2], 5], "`mask_index` must lie in"),
        ("ctc_decode", [np.zeros((1, 2, 2)), [2], "best"], "`strategy` must be"),
        ("ctc_decode", [np.zeros((1, 2, 2)), [2], "beam_search", 1, 2], "`top_paths` must be"),
    ],
)
def test_errors_of_spatial_ops(op: str, args: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        getattr(ops, op)(*args)
    assert op in str(caught.value) or "mask_index" in message
