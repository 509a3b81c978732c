"""Operations on images: sizes, coordinates, colours, filters and patches."""

from keraslite.ops.image.colours import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from keraslite.ops.image.cropping import crop_images, pad_images
from keraslite.ops.image.filters import gaussian_blur, sobel_edges, ssim
from keraslite.ops.image.geometry import (
    affine_transform,
    elastic_transform,
    map_coordinates,
    perspective_transform,
)
from keraslite.ops.image.patches import extract_patches, extract_patches_3d
from keraslite.ops.image.resizing import resize, scale_and_translate

__all__ = [
    "affine_transform",
    "crop_images",
    "elastic_transform",
    "extract_patches",
    "extract_patches_3d",
    "gaussian_blur",
    "hsv_to_rgb",
    "map_coordinates",
    "pad_images",
    "perspective_transform",
    "resize",
    "rgb_to_grayscale",
    "rgb_to_hsv",
    "scale_and_translate",
    "sobel_edges",
    "ssim",
]
