"""`SpectralNormalization`: a layer whose kernel keeps the largest singular value 1."""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.layers.layer import Layer
from keraslite.layers.options import check_positive
from keraslite.layers.wrappers import Wrapper

__all__ = ["SpectralNormalization"]


class SpectralNormalization(Wrapper):
    """Divides the kernel of a layer by its largest singular value at each training step.

    The singular value is `v @ kernel @ u`, with vectors found by power iteration; `u` is kept
    from step to step. Miyato et al., https://arxiv.org/abs/1802.05957

    Args:
        layer: a layer with a `kernel` or, like `Embedding`, with `embeddings`.
        power_iterations: number of iterations at each step.

    Example:
        >>> layer = keras.layers.SpectralNormalization(keras.layers.Dense(4))
        >>> layer(np.ones((2, 3), "float32"), training=True).shape
        (2, 4)
    """

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        check_positive(self, power_iterations=power_iterations)
        self.power_iterations = power_iterations

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        kernel = getattr(self.layer, "kernel", None)
        kernel = getattr(self.layer, "embeddings", None) if kernel is None else kernel
        if kernel is None:
            raise ValueError(
                f"Layer {self.name!r} (SpectralNormalization): `layer` must have a `kernel` or "
                f"`embeddings`. Received: {type(self.layer).__name__}"
            )
        self.kernel = kernel
        self.vector_u = self.add_weight(
            shape=(1, kernel.shape[-1]),
            initializer="truncated_normal",
            trainable=False,
            name="vector_u",
            dtype=kernel.dtype,
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            kernel, vector = self.normalized_weights()
            # By the kernel the derivative is 1: gradients are those at the new value, on
            # every engine, whether or not it differentiates through assignments.
            change = ops.stop_gradient(kernel - self.kernel)
            self.kernel.assign(self.kernel + change)
            self.vector_u.assign(ops.stop_gradient(vector))
        return self.layer(inputs)

    def normalized_weights(self) -> tuple[Any, Any]:
        """The divided kernel and the next `u`."""
        matrix = ops.reshape(self.kernel, (-1, self.kernel.shape[-1]))
        u = ops.convert_to_tensor(self.vector_u)
        for _ in range(self.power_iterations):
            v = ops.normalize(ops.matmul(u, ops.transpose(matrix)), axis=None)
            u = ops.normalize(ops.matmul(v, matrix), axis=None)
        largest = ops.matmul(ops.matmul(v, matrix), ops.transpose(u))
        return ops.divide(self.kernel, ops.reshape(largest, ())), u
