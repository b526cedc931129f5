"""Keras 3: a `keras.utils.PyDataset` of batches, for each of its backends.

``model.fit(ds.batches(128, shuffle=True, supervised=True).to("keras"), shuffle=False, epochs=5)``

Each epoch of `fit` is the loader's next one. Batches are NumPy arrays, which Keras hands to its
backend; text is an array of objects. `shuffle=False` because the loader has shuffled: without it
Keras takes the same batches in an order of its own, which differs from run to run.

Keras takes batches ahead of their use, so `loader.state_dict()` stays at the beginning of an epoch
until `fit` has ended it. Within one, ask `loader.state_after(batch + 1)`, from
`on_train_batch_end(batch, …)` of a callback; `shuffle=False` is then a must.
"""

import inspect
from typing import Any

import numpy as np

from dshub.errors import DshubError, MissingExtraError
from dshub.loader import Loader

try:
    import keras
except ImportError as error:
    raise MissingExtraError(package="keras", extra="keras") from error


def batches(loader: Loader, *, workers: int = 1) -> "KerasBatches":
    """Batches `(x, y)` where the loader is supervised, or dicts.

    Args:
        loader: whose next epochs those of `fit` are.
        workers: threads of Keras that take batches ahead; 1 takes each when it is asked for, but
            that the TensorFlow backend takes some ahead all the same.

    Raises:
        DshubError: rows of a column differ in shape, and no transform makes one array of them.
    """
    return KerasBatches(loader, workers)


class KerasBatches(keras.utils.PyDataset):  # type: ignore[misc]  # Any to mypy
    """The batches of an epoch under their numbers; `on_epoch_end` goes on to the next one."""

    def __init__(self, loader: Loader, workers: int = 1) -> None:
        super().__init__(workers=workers, max_queue_size=2 * workers)
        self.loader = loader
        self._taken = 0
        self[0]  # what cannot be batched is said now, and not in the midst of Keras
        self._taken = 0

    def __len__(self) -> int:
        """Batches in an epoch; of one that the loader goes on with, those that are left."""
        return len(self.loader.positions())

    def __getitem__(self, index: int) -> Any:
        positions = self.loader.positions()
        self._taken = max(self._taken, index + 1)
        start = positions[index] if len(positions) else 0
        batch = self.loader.batch(start, self.loader.epoch)
        pair = self.loader.rows.supervised
        if isinstance(batch, tuple) and pair is not None:
            return tuple(_array(values, name) for name, values in zip(pair, batch, strict=True))
        return {name: _array(values, name) for name, values in batch.items()}

    def on_epoch_end(self) -> None:
        """Go on to the next epoch, where this one was walked through.

        Keras also calls this when it has looked at a batch to build a model by, before the first
        epoch, and may have taken all of a short epoch ahead by then.
        """
        frame = inspect.currentframe()
        callers = []
        while frame is not None and len(callers) < 3:
            callers.append(frame.f_code.co_name)
            frame = frame.f_back
        if self._taken >= len(self) and "reset" not in callers:
            self.loader.advance()
        self._taken = 0


def _array(values: Any, name: str) -> np.ndarray:
    if isinstance(values, np.ndarray):
        return values
    if all(isinstance(value, str | bytes) for value in values):
        return np.array(values, object)
    raise DshubError(
        f"rows of column {name} may differ in shape: Keras takes arrays",
        hint="make one array of them in `batches(…, transform=…)`, or leave the column out",
    )
