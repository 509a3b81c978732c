"""Optimizers, and schedules of learning rates."""

from __future__ import annotations

from typing import Any

from keraslite.core.old_names import add_hints
from keraslite.core.registry import Catalog
from keraslite.optimizers import legacy, schedules
from keraslite.optimizers.adafactor import Adafactor
from keraslite.optimizers.adam import Adam, Adamax, AdamW, Lamb, Nadam
from keraslite.optimizers.adaptive import Adadelta, Adagrad, Ftrl, RMSprop
from keraslite.optimizers.loss_scale import LossScaleOptimizer
from keraslite.optimizers.multi import MultiOptimizer, OptimizerMap
from keraslite.optimizers.muon import Muon
from keraslite.optimizers.optimizer import Optimizer
from keraslite.optimizers.schedule_free import ScheduleFreeAdamW
from keraslite.optimizers.sgd import SGD, Lion

__all__ = [
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "MultiOptimizer",
    "Muon",
    "Nadam",
    "Optimizer",
    "OptimizerMap",
    "RMSprop",
    "SGD",
    "ScheduleFreeAdamW",
    "deserialize",
    "get",
    "legacy",
    "schedules",
    "serialize",
]
add_hints(__name__)
del adam, sgd  # noqa: F821 - modules that are called like functions of Keras 1

CATALOG = Catalog(
    "optimizer",
    "keras.optimizers",
    [
        Adadelta,
        Adafactor,
        Adagrad,
        Adam,
        AdamW,
        Adamax,
        Ftrl,
        Lamb,
        Lion,
        LossScaleOptimizer,
        MultiOptimizer,
        Muon,
        Nadam,
        RMSprop,
        SGD,
        ScheduleFreeAdamW,
    ],
    base=Optimizer,
)


def get(identifier: Any) -> Any:
    """The optimizer that `identifier` stands for.

    Args:
        identifier: None, a name in any case (`"adam"`, `"AdamW"`), a config, a class or an
            instance.

    Returns:
        An `Optimizer`; a new one for a name, a config or a class.

    Raises:
        ValueError: for an unknown name; says the nearest one.

    Example:
        >>> keras.optimizers.get("adam")
        <Adam name=adam>
    """
    return CATALOG.get(identifier)


def serialize(optimizer: Any) -> Any:
    """What a config holds for an optimizer; `deserialize` takes it."""
    return CATALOG.serialize(optimizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The optimizer for what `serialize` gave.

    Args:
        config: a config or a name.
        custom_objects: name -> your own class.
    """
    return CATALOG.deserialize(config, custom_objects)
