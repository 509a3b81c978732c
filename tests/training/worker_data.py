"""A `PyDataset` whose workers fail as asked. Loads no engine, so that processes start fast."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import numpy as np

from keraslite.training.py_dataset import PyDataset

FAULTY = 3


class Faulty(PyDataset):
    """Batches whose first column is the pass and whose second one is the process."""

    def __init__(self, fault: str | None = None, size: int = 6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fault = fault
        self.size = size
        self.width = 4
        self.epoch = 0
        self.limited = True

    @property
    def num_batches(self) -> int | None:
        return self.size if self.limited else None

    def on_epoch_end(self) -> None:
        self.epoch += 1

    def __getitem__(self, index: int) -> Any:
        if index == FAULTY and self.fault == "raises":
            raise KeyError("bad row")
        if index == FAULTY and self.fault in ("hangs", "sleeps"):
            time.sleep(100)
        if index == FAULTY and self.fault == "is slow":
            for _ in range(50):  # With a turn every now and then.
                time.sleep(0.01)
        if index == FAULTY and self.fault == "is killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if index == FAULTY and self.fault == "exits":
            os._exit(3)
        if index == FAULTY and self.fault == "cannot be pickled":
            return (lambda: None,)
        x = np.full((4, self.width), index, "float32")
        x[:, 0], x[:, 1] = self.epoch, os.getpid()
        return x, x[:, :1]
