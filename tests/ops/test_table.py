"""The op table of the conformance kit, with Keras on the same engine for an oracle."""

from __future__ import annotations

import operator
from typing import Any

import keras

from keraslite.testing import oracle
from keraslite.testing.test_ops import *  # noqa: F403 - the tests that its rows generate


def _by_keras(name: str, *args: Any, **kwargs: Any) -> Any:
    found = operator.attrgetter(name)(keras.ops)(*args, **kwargs)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, found)


oracle.use(_by_keras)
