"""Kernels gathered from the modules that define them."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace


def gathered(*modules: ModuleType) -> SimpleNamespace:
    """The public functions of `modules` by name; helpers begin with an underscore.

    A trailing underscore (`sum_`) only avoids hiding a builtin.
    """
    return SimpleNamespace(
        **{
            name.rstrip("_"): value
            for module in modules
            for name, value in vars(module).items()
            if name[0] != "_" and callable(value) and not isinstance(value, type)
        }
    )
