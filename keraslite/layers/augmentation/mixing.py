"""Layers that mix the images of a batch, and their labels: MixUp and CutMix."""

from __future__ import annotations

from typing import Any

from keraslite import ops, random
from keraslite.core import dtypes
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.op import Tensor
from keraslite.layers.augmentation.base import ImageLayer, Sizes, per_image, rectangles, uniform

__all__ = ["CutMix", "MixUp"]


class _Mix(ImageLayer):
    """Each image gets something of another one of the batch."""

    #: What becomes floats, in training or not.
    _in_floats: tuple[str, ...] = ("labels",)

    def _permutation(self, sizes: Sizes, seed: Any) -> Tensor:
        return random.shuffle(ops.arange(sizes.batch, dtype="int32"), seed=seed)

    def _others(self, x: Tensor, transformation: Any) -> Tensor:
        return ops.take(x, transformation["permutation_order"], 0)

    def _weighed(self, x: Any, transformation: Any) -> Tensor:
        x = self._floats(x)
        weight = per_image(transformation["mix_weight"], x)
        return x * weight + self._others(x, transformation) * (1.0 - weight)

    def _labels(self, labels: Tensor, transformation: Any) -> Tensor:
        return self._weighed(labels, transformation)

    @property
    def _label_dtype(self) -> str:
        return self._dtypes("float32")[0]

    def _floats(self, x: Any) -> Tensor:
        x = ops.convert_to_tensor(x)
        return x if dtypes.is_float(ops.dtype(x)) else ops.cast(x, self._label_dtype)

    def transform_labels(
        self, labels: Any, transformation: Any = None, training: bool = True
    ) -> Tensor:
        """Labels of a batch, mixed as the images are; floats, in training or not."""
        if self._acts(training):
            return self._labels(labels, transformation)
        return self._floats(labels)

    def _spec_beside(self, key: str, value: Any) -> Any:
        if key in self._in_floats and not dtypes.is_float(value.dtype):
            return KerasTensor(value.shape, self._label_dtype, record_history=False)
        return super()._spec_beside(key, value)


class MixUp(_Mix):
    """Mixes each image, and its label, with another one of the batch.

    Zhang et al., "mixup: Beyond Empirical Risk Minimization", https://arxiv.org/abs/1710.09412

    Bounding boxes are those of both images.

    Args:
        alpha: the weight of an image is drawn from the beta distribution with this parameter
            twice.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
        seed: for repeatable numbers.

    Raises:
        ValueError: for a parameter that is not positive.

    Example:
        >>> images, labels = np.ones((4, 8, 8, 3)), np.eye(4)
        >>> mixed = keras.layers.MixUp()({"images": images, "labels": labels})
        >>> mixed["labels"].shape
        (4, 4)
    """

    _in_floats = ("labels", "segmentation_masks")

    def __init__(
        self,
        alpha: float = 0.2,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        if not isinstance(alpha, (int, float)) or alpha <= 0:
            raise ValueError(f"MixUp: `alpha` must be a positive number. Received: {alpha!r}")
        self.alpha = alpha
        self._seed_with(seed)

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        return {
            "mix_weight": random.beta(
                (sizes.batch,), self.alpha, self.alpha, dtype="float32", seed=seed
            ),
            "permutation_order": self._permutation(sizes, seed),
        }

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        return self._weighed(images, transformation)

    def _masks(self, masks: Tensor, transformation: Any) -> Tensor:
        return self._weighed(masks, transformation)

    def _boxes(self, bounding_boxes: dict[str, Tensor], transformation: Any) -> dict[str, Tensor]:
        tensors = {key: ops.convert_to_tensor(x) for key, x in bounding_boxes.items()}
        return {
            key: ops.concatenate([x, self._others(x, transformation)], 1)
            for key, x in tensors.items()
        }

    def _spec_beside(self, key: str, value: Any) -> Any:
        if key != "bounding_boxes":
            return super()._spec_beside(key, value)
        # How many boxes there are depends on whether it is in training.
        axis = len(value["boxes"].shape) - 2
        return {
            k: KerasTensor((*x.shape[:axis], None, *x.shape[axis + 1 :]), x.dtype)
            for k, x in value.items()
        }

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Tensor:
        """Segmentation masks of a batch, mixed as the images are; floats, in training or not."""
        if self._acts(training):
            return self._masks(segmentation_masks, transformation)
        return self._floats(segmentation_masks)


class CutMix(_Mix):
    """Puts a rectangle of another image of the batch into each image, and mixes their labels.

    Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable
    Features", https://arxiv.org/abs/1905.04899

    Args:
        factor: the share of an image that stays is drawn from the beta distribution with a
            parameter from this range twice; a number is the range from 0; from 0 to 1.
        seed: for repeatable numbers.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Raises:
        ValueError: for numbers out of range.
        NotImplementedError: for bounding boxes, parts of which would be covered.
    """

    def __init__(
        self,
        factor: Any = 1.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.factor = self._range("factor", factor, 0.0, 1.0, start=0.0)
        self._seed_with(seed)

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        alpha = ops.maximum(uniform(sizes, self.factor, seed), 1e-2)
        kept = random.beta((sizes.batch,), alpha, alpha, dtype="float32", seed=seed)
        share = ops.sqrt(ops.stack([1.0 - kept, 1.0 - kept], -1))
        masks = rectangles(share, sizes, self.data_format, seed)
        return {
            "permutation_order": self._permutation(sizes, seed),
            "batch_masks": masks,
            # What is there, after sizes are rounded.
            "mix_weight": 1.0 - ops.mean(ops.cast(masks, "float32"), (1, 2, 3)),
        }

    def _cut(self, x: Tensor, transformation: Any) -> Tensor:
        return ops.where(transformation["batch_masks"], self._others(x, transformation), x)

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        return self._cut(images, transformation)

    def _masks(self, masks: Tensor, transformation: Any) -> Tensor:
        return self._cut(ops.convert_to_tensor(masks), transformation)

    def _boxes(self, bounding_boxes: dict[str, Tensor], transformation: Any) -> dict[str, Tensor]:
        raise NotImplementedError(
            f"Layer {self.name!r} (CutMix) cannot mix bounding boxes. Take it out of the "
            "pipeline, or the key 'bounding_boxes' out of the data."
        )
