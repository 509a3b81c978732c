"""A model that changes between calls: what was compiled before is not used for what it is now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keraslite

X = np.ones((2, 3), "float32")


class Changing(keraslite.Model):
    """The sum of the inputs over all parts, wherever these are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Add(1.0)
        self.listed = [Add(10.0)]
        self.nested = {"deep": ([],)}

    def call(self, x: Any) -> Any:
        (inner,) = self.nested["deep"]
        for part in (self.first, *self.listed, *inner):
            x = part(x)
        return x


class Add(keraslite.layers.Layer):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = self.add_weight(shape=(), initializer=keraslite.initializers.Constant(value))

    def call(self, x: Any) -> Any:
        return x + self.value


def test_predict_sees_changes() -> None:
    model = Changing()
    #: one after the other, with what comes of them
    changes: list[tuple[Callable[[], Any], float]] = [
        (lambda: None, 12.0),
        (lambda: model.first.value.assign(2.0), 13.0),
        (lambda: model.listed.__setitem__(0, Add(20.0)), 23.0),
        (lambda: model.nested["deep"][0].append(Add(5.0)), 28.0),
        (lambda: model.listed.clear(), 8.0),
    ]
    for change, expected in changes:
        change()
        for _ in range(2):
            np.testing.assert_allclose(model.predict(X, verbose=0), expected)


@pytest.mark.parametrize("value", [Add(2.0), [Add(2.0)], {"a": (Add(2.0),)}])
def test_a_built_model_takes_no_new_layers(value: Any) -> None:
    model = Changing()
    model.extra = model.first  # not built yet
    model.predict(X, verbose=0)
    model.extra, model.number = model.listed[0], 3  # nothing new
    with pytest.raises(ValueError, match="'changing.*' .* is built, and takes no new .* extra="):
        model.extra = value
    with pytest.raises(ValueError, match="is built, and takes no new .* value="):
        model.first.value = keraslite.Variable(3.0)
    np.testing.assert_allclose(model.predict(X, verbose=0), 12.0)
