"""Image layers where images are loaded: pipelines of other frameworks, workers, our data sets."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite import utils
from keraslite.backend.foreign import host_array

IMAGES = np.random.default_rng(3).uniform(0, 255, (6, 8, 8, 3)).astype("float32")
LABELS = np.arange(6)
BOXES = {
    "boxes": np.tile(np.array([[[1, 1, 4, 5], [0, 2, 8, 7]]], "float32"), (6, 1, 1)),
    "labels": np.tile(np.array([[1, 2]], "int32"), (6, 1)),
}


def augmentation() -> Any:
    """Layers whose result is a mirrored image, whatever they draw."""
    layers = keraslite.layers
    return layers.Pipeline(
        [
            layers.Resizing(8, 8),
            layers.RandomFlip("horizontal", seed=1),
            layers.RandomTranslation((0.0, 0.0), (0.0, 0.0), interpolation="nearest"),
        ]
    )


def mirrored(found: Any, image: np.ndarray) -> bool:
    """Whether an image is as it was; it must be mirrored otherwise."""
    found, same = host_array(found), np.allclose(found, image, atol=1e-3)
    if not same:
        np.testing.assert_allclose(found, image[:, ::-1], atol=1e-3)
    return not same


@pytest.mark.parametrize("batched", [True, False])
def test_in_map_of_a_data_set_of_tensorflow(batched: bool) -> None:
    tf = pytest.importorskip("tensorflow")
    flip = keraslite.layers.RandomFlip("horizontal", bounding_box_format="xyxy", seed=1)
    data = {"images": IMAGES, "labels": LABELS, "bounding_boxes": BOXES}
    dataset = tf.data.Dataset.from_tensor_slices(data).repeat(5)
    dataset = dataset.batch(6) if batched else dataset
    dataset = dataset.map(flip, num_parallel_calls=2)
    dataset = dataset.unbatch() if batched else dataset
    flips = []
    for place, found in enumerate(dataset):
        i = place % 6
        assert isinstance(found["images"], tf.Tensor) and int(found["labels"]) == i
        flips.append(mirrored(found["images"].numpy(), IMAGES[i]))
        boxes = BOXES["boxes"][i]
        expected = np.stack([8 - boxes[:, 2], boxes[:, 1], 8 - boxes[:, 0], boxes[:, 3]], -1)
        np.testing.assert_allclose(
            found["bounding_boxes"]["boxes"], expected if flips[-1] else boxes, atol=1e-4
        )
    assert len(flips) == 30 and 0 < sum(flips) < 30


class Photos:
    """Samples that a layer changes where they are loaded: in a worker."""

    def __init__(self) -> None:
        self.layer: Any = None

    def __len__(self) -> int:
        return 6

    def __getitem__(self, i: int) -> tuple[np.ndarray, int, int]:
        if self.layer is None:
            self.layer = augmentation()
        return np.array(host_array(self.layer(IMAGES[i]))), i, os.getpid()


@pytest.mark.parametrize("workers", [0, 1])
def test_in_a_loader_of_torch(workers: int) -> None:
    data = pytest.importorskip("torch.utils.data")
    # Started anew: threads of an engine do not live on in copies of a process.
    context = "spawn" if workers else None
    loader = data.DataLoader(
        Photos(), batch_size=3, num_workers=workers, multiprocessing_context=context
    )
    seen = []
    for images, places, processes in loader:
        for image, i, process in zip(images, places, processes, strict=True):
            mirrored(image, IMAGES[int(i)])
            seen.append(int(i))
            assert (int(process) == os.getpid()) == (workers == 0)
    assert seen == list(range(6))


def test_on_tensors_of_torch() -> None:
    torch = pytest.importorskip("torch")
    data = pytest.importorskip("torch.utils.data")
    loader = data.DataLoader(data.TensorDataset(torch.from_numpy(IMAGES)), batch_size=6)
    layer = augmentation()
    for (images,) in loader:
        found = layer(images)
        assert isinstance(found, torch.Tensor)
        flips = [mirrored(x, y) for x, y in zip(found, IMAGES, strict=True)]
        assert len(flips) == 6


@pytest.mark.parametrize("workers", [0, 2])
def test_in_data_sets_of_ours(workers: int) -> None:
    """Arrays only: what `map` calls runs on the engine, in threads as well."""
    layer = augmentation()
    whole, _ = utils.split_dataset((IMAGES, LABELS), left_size=5)
    dataset = whole.batch(2).map(lambda x, y: (host_array(layer(x)), y))
    dataset.workers = workers
    model = keraslite.Sequential([keraslite.layers.Input((8, 8, 3)), keraslite.layers.Flatten()])
    found = model.predict(dataset, verbose=0).reshape(-1, 8, 8, 3)
    assert len(found) == 5
    for image, original in zip(found, IMAGES, strict=False):
        mirrored(image, original)
