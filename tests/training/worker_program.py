"""A program without TensorFlow (unless it is the engine) that hangs with two workers."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from multiprocessing import active_children

if "tensorflow" not in os.environ["KERAS_BACKEND"]:
    sys.modules["tensorflow"] = None  # Whoever imports it fails.


def main() -> None:
    import numpy as np

    import keraslite as keras
    from keraslite.preprocessing.image import ImageDataGenerator
    from tests.training.worker_data import Faulty

    root = tempfile.mkdtemp()
    for name in ("a", "b"):
        os.makedirs(f"{root}/{name}")
        for i in range(3):
            keras.utils.save_img(f"{root}/{name}/{i}.png", np.random.random((4, 4, 3)))
            with open(f"{root}/{name}/{i}.txt", "w") as file:
                file.write(f"{name} {i}")
    images = keras.utils.image_dataset_from_directory(root, image_size=(4, 4), verbose=False)
    texts = keras.utils.text_dataset_from_directory(root, verbose=False)
    windows = keras.utils.timeseries_dataset_from_array(np.arange(20), np.arange(20), 4)
    left, right = keras.utils.split_dataset(np.zeros((9, 4)), 0.5)
    flow = ImageDataGenerator(horizontal_flip=True).flow_from_directory(root, target_size=(4, 4))
    layers = keras.layers
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(2)])
    model.compile(loss="mse")
    model.evaluate(flow, verbose=0)
    model.evaluate(images.map(lambda x, y: (x, keras.utils.to_categorical(y, 2))), verbose=0)
    print(len(texts), len(windows), len(left), len(right), flush=True)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile(loss="mse")
    data = Faulty("hangs", workers=2, use_multiprocessing=True)

    def tell() -> None:
        while len(active_children()) < 2:
            time.sleep(0.1)
        time.sleep(1)
        print(*(child.pid for child in active_children()), flush=True)

    threading.Thread(target=tell, daemon=True).start()
    model.evaluate(data, verbose=0)


if __name__ == "__main__":
    main()
