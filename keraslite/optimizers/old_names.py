"""What arguments and attributes of optimizers were called in Keras 2."""

from __future__ import annotations

from typing import Any

OLD_ARGUMENTS = {
    "lr": "It is called `learning_rate` now.",
    "decay": "Pass `learning_rate=keras.optimizers.schedules.InverseTimeDecay(learning_rate, "
    "decay_steps=1, decay_rate=decay)`; decay of weights is `weight_decay`.",
}


def renamed(old: str) -> property:
    """An attribute that optimizers of Keras 2 had: reading and setting it says what to use.

    Classes of users may have one of the name.
    """

    def read(self: Any) -> Any:
        if old in vars(self):
            return vars(self)[old]
        raise AttributeError(f"{type(self).__name__} has no `{old}`. {OLD_ARGUMENTS[old]}")

    def write(self: Any, value: Any) -> None:
        if type(self).__module__.startswith("keraslite."):
            read(self)
        vars(self)[old] = value

    return property(read, write)
