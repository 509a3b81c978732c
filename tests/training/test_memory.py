"""Nothing stays of models that are gone, and nothing grows with steps and calls."""

from __future__ import annotations

import gc
import itertools
import weakref
from typing import Any

import numpy as np

import keraslite

X, Y = np.ones((8, 4), "float32"), np.ones((8, 1), "float32")


def model() -> Any:
    found = keraslite.Sequential(
        [
            keraslite.Input((4,)),
            keraslite.layers.Dense(3, "relu"),
            keraslite.layers.BatchNormalization(),
            keraslite.layers.Dropout(0.1),
            keraslite.layers.Dense(1, "sigmoid"),
        ]
    )
    metrics = [keraslite.metrics.AUC(num_thresholds=5), "accuracy"]
    found.compile("adam", "binary_crossentropy", metrics=metrics)
    return found


def objects() -> int:
    gc.collect()
    return len(gc.get_objects())


def test_steps_and_calls_leave_nothing(caps: Any) -> None:
    used = model()

    def work(times: int) -> None:
        for _ in range(times):
            used.predict_on_batch(X)
            used.predict(X, verbose=0)
        if caps.trainable:
            used.fit(X, Y, epochs=times, batch_size=4, verbose=0)
        used.evaluate(X, Y, verbose=0)

    # As long as an engine looks at steps before it compiles them. A leak grows each time; what
    # an engine or an earlier test still had to set up does so once.
    work(60)
    sizes = [objects()]
    for _ in range(3):
        work(20)
        sizes.append(objects())
    assert min(after - before for before, after in itertools.pairwise(sizes)) < 20


def test_models_that_are_gone_leave_nothing(caps: Any) -> None:
    def cycle() -> list[Any]:
        used = model()
        if caps.trainable:
            used.fit(X, Y, epochs=2, verbose=0)
        used.predict(X, verbose=0)
        used.evaluate(X, Y, verbose=0)
        parts = [used, used.layers[0], used.weights[0], used.optimizer, used.metrics[-1]]
        return [weakref.ref(part) for part in parts]

    cycle()
    sizes = [objects()]
    for _ in range(3):
        references = cycle()
        sizes.append(objects())
        assert [reference() for reference in references] == [None] * len(references)
    assert min(after - before for before, after in itertools.pairwise(sizes)) < 300
