"""Logs that stay on the device until someone reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from keraslite.backend import engine
from keraslite.core.variable import Variable


class LazyLogs(dict):
    """A dict of Python floats, fetched from the device at the first read.

    A callback that gets logs and does not look at them costs no synchronisation.

    Args:
        tensors: the logs, or a function that gives them.
    """

    def __init__(self, tensors: dict[str, Any] | Callable[[], dict[str, Any]]) -> None:
        super().__init__()
        self._pending: Any = tensors

    def _fetch(self) -> None:
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending = pending() if callable(pending) else pending
            for key, value in sorted_logs(pending).items():
                super().setdefault(key, value)

    def __bool__(self) -> bool:
        # `logs = logs or {}` is not a look at the values.
        return bool(self._pending) or len(self) > 0

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


def _fetching(name: str) -> Any:
    method = getattr(dict, name)

    def fetched(self: LazyLogs, *args: Any, **kwargs: Any) -> Any:
        self._fetch()
        return method(self, *args, **kwargs)

    return fetched


for _name in (
    "__getitem__",
    "__contains__",
    "__iter__",
    "__len__",
    "__repr__",
    "__eq__",
    "__ne__",
    "__or__",
    "__ror__",
    "__setitem__",
    "__delitem__",
    "copy",
    "get",
    "items",
    "keys",
    "pop",
    "setdefault",
    "update",
    "values",
):
    setattr(LazyLogs, _name, _fetching(_name))


def to_python(value: Any) -> Any:
    """A scalar tensor as a float; larger tensors as arrays."""
    if engine.is_tensor(value):
        array = engine.to_numpy(value)
        return array.item() if array.size == 1 else array
    return value


def sorted_logs(logs: dict[str, Any]) -> dict[str, Any]:
    """Plain Python values by name, in alphabetical order as Keras shows them."""
    ordered = {key: logs[key] for key in sorted(logs)}
    return {key: to_python(value) for key, value in flatten_results(ordered)}


def flatten_results(results: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """`(name, value)` with the dict that a metric may return spread out.

    A metric may also return a variable, which stands for its value at this moment.
    """
    for name, value in results.items():
        for key, part in value.items() if isinstance(value, dict) else [(name, value)]:
            yield key, part.value if isinstance(part, Variable) else part
