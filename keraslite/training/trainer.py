"""`Trainer`: `fit`, `evaluate` and `predict`, on whole data sets and on single batches."""

from __future__ import annotations

import datetime
from typing import Any

from keraslite.backend import engine
from keraslite.core.errors import names_nearest
from keraslite.training import loop
from keraslite.training.pure_state import PureState


class Trainer(PureState):
    """Mixin of `Model`: everything between a model and its data."""

    @names_nearest
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | list[int] = 1,
        *,
        max_time: float | datetime.timedelta | None = None,
        validation_every: int | None = None,
        fast_dev_run: bool | int = False,
    ) -> Any:
        """Train for a number of passes over the data.

        Args:
            x: inputs: array, list or dict of arrays, generator, `PyDataset`, `tf.data`
                dataset, torch `DataLoader`; those after the arrays give `(x, y)` batches.
            y: targets, for arrays.
            batch_size: samples in a step, for arrays; 32 by default.
            epochs: index of the last epoch.
            verbose: 0 silent, 1 a progress bar, 2 one line an epoch.
            callbacks: list of `keras.callbacks.Callback`.
            validation_split: share of the (last) samples kept for validation.
            validation_data: `(x, y)` or `(x, y, sample_weight)`, or a source of batches.
            shuffle: new order in every epoch, for arrays.
            class_weight: class -> weight in the loss.
            sample_weight: weight of each sample.
            initial_epoch: index of the first epoch.
            steps_per_epoch: batches in an epoch; needed for endless data.
            validation_steps: batches of validation.
            validation_batch_size: samples in a validation step.
            validation_freq: every how many epochs, or a list of epochs.
            max_time: seconds, or a `timedelta`, after which training stops (in the middle of
                an epoch, whose end is still reported).
            validation_every: validate after so many steps, and not at the ends of epochs. All
                results are in `validations` of the `History`, a list of dicts with the `step`;
                the last ones of an epoch are among its logs.
            fast_dev_run: try the program out: one epoch of one batch, or of as many as given,
                for training and validation, without `callbacks`.

        Returns:
            A `History`: `history.history["loss"]` and so on, one value an epoch.

        Raises:
            ValueError: for data that do not fit together; the message says which.
        """
        self._assert_compiled("fit")
        if not engine.capabilities.trainable:
            raise engine.unsupported("training (`fit`)")
        return loop.fit(
            self,
            x,
            y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            validation_data=validation_data,
            shuffle=shuffle,
            class_weight=class_weight,
            sample_weight=sample_weight,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size,
            validation_freq=validation_freq,
            max_time=max_time,
            validation_every=validation_every,
            fast_dev_run=fast_dev_run,
        )

    @names_nearest
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Loss and metrics over a data set.

        Returns:
            A list that begins with the loss (or the loss alone without metrics), or a dict
            by name when `return_dict` is set.
        """
        self._assert_compiled("evaluate")
        logs = loop.evaluate(
            self,
            x,
            y,
            batch_size=batch_size,
            verbose=verbose,
            sample_weight=sample_weight,
            steps=steps,
            callbacks=callbacks,
        )
        return logs if return_dict else self._as_list(logs)

    @names_nearest
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The outputs for a data set, as NumPy arrays.

        Example:
            >>> model.predict(np.ones((3, 4))).shape
            (3, 2)
        """
        return loop.predict(
            self, x, batch_size=batch_size, verbose=verbose, steps=steps, callbacks=callbacks
        )

    def _as_list(self, logs: dict[str, Any]) -> Any:
        names = [name for name in self.metrics_names if name in logs]
        values = [logs[name] for name in [*names, *(k for k in logs if k not in names)]]
        return values[0] if len(values) == 1 else values

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One update from one batch; returns its loss and metrics as `evaluate` does."""
        self._assert_compiled("train_on_batch")
        if not engine.capabilities.trainable:
            raise engine.unsupported("training (`train_on_batch`)")
        logs = loop.on_batch(self, "train", x, y, sample_weight, class_weight)
        return logs if return_dict else self._as_list(logs)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch, as `evaluate` gives them."""
        self._assert_compiled("test_on_batch")
        logs = loop.on_batch(self, "test", x, y, sample_weight)
        return logs if return_dict else self._as_list(logs)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as NumPy arrays."""
        return loop.predict_on_batch(self, x)
