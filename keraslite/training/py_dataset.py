"""`PyDataset`: batches by index, fetched by worker threads or processes.

Nothing here loads an engine: worker processes import this module.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any


class PyDataset:
    """A data set that gives whole batches by index.

    Subclasses define `__len__` (or `num_batches`) and `__getitem__`, which returns `(x,)`,
    `(x, y)` or `(x, y, sample_weight)`.

    Args:
        workers: how many threads or processes fetch batches ahead; 0 and 1 mean that the
            main thread fetches them when they are needed.
        use_multiprocessing: workers are processes, started anew by `fit` and ended with it.
            The data set is pickled to them at the beginning of a pass if it has changed, so
            what `on_epoch_end` does counts; what they change stays with them. The script must
            begin with `if __name__ == "__main__":`.
        max_queue_size: how many batches may wait.

    Attributes:
        timeout: seconds that `fit` waits for a batch of a worker before it ends with an error.
            None, the default, has no limit for a worker that does something (there is a warning
            after 8 seconds), but ends `fit` when it slept through all of them (on Linux, which
            tells). `float("inf")` waits for ever.

    Example:
        >>> class Squares(keras.utils.PyDataset):
        ...     def __len__(self):
        ...         return 10
        ...
        ...     def __getitem__(self, index):
        ...         x = np.full((32, 1), index, "float32")
        ...         return x, x**2
        >>> model.fit(Squares(workers=4))
    """

    # Subclasses may forget `super().__init__`.
    _workers = 1
    _use_multiprocessing = False
    _max_queue_size = 10
    _initialized = False
    timeout: float | None = None

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size
        self._initialized = True

    def _warn_if_not_initialized(self) -> None:
        if not self._initialized:
            warnings.warn(
                f"`{type(self).__name__}.__init__` should call `super().__init__(**kwargs)`; "
                "`workers`, `use_multiprocessing` and `max_queue_size` go there.",
                stacklevel=3,
            )

    @property
    def workers(self) -> int:
        """How many threads or processes fetch batches ahead."""
        return self._workers

    @workers.setter
    def workers(self, value: int) -> None:
        self._workers = value

    @property
    def use_multiprocessing(self) -> bool:
        """Whether the workers are processes."""
        return self._use_multiprocessing

    @use_multiprocessing.setter
    def use_multiprocessing(self, value: bool) -> None:
        self._use_multiprocessing = value

    @property
    def max_queue_size(self) -> int:
        """How many batches may wait."""
        return self._max_queue_size

    @max_queue_size.setter
    def max_queue_size(self, value: int) -> None:
        self._max_queue_size = value

    def __getitem__(self, index: int) -> Any:
        """The batch at `index`."""
        raise NotImplementedError(f"`{type(self).__name__}` must define `__getitem__`.")

    @property
    def num_batches(self) -> int | None:
        """How many batches there are; None when they never end."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(
            f"`{type(self).__name__}` must define `__len__`, or the property `num_batches` "
            "(None for data that never end)."
        )

    def on_epoch_begin(self) -> None:
        """Called before every pass."""

    def on_epoch_end(self) -> None:
        """Called after every pass; a place to shuffle."""

    def __iter__(self) -> Iterator[Any]:
        index = 0
        number = self.num_batches
        while number is None or index < number:
            yield self[index]
            index += 1
