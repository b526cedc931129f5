"""Keras 3: a `keras.utils.PyDataset` of batches, for all Keras backends.

``model.fit(ds.batches(128, shuffle=True, supervised=True).to("keras"), shuffle=False, epochs=5)``

Each epoch of `fit` is the next epoch of the loader. If the loader resumes within an epoch, an epoch
of `fit` has the same number of batches, counted from there. Batches are NumPy arrays, which Keras
passes to its backend. Text and files are string tensors of TensorFlow; other backends have no
strings, so these columns are an error there. Pass `shuffle=False`, because the loader
shuffles. Otherwise Keras uses the same batches in a different order, which varies between runs.

Keras prefetches batches, so `loader.state_dict()` stays at the beginning of an epoch until `fit`
ends it. To save a state within an epoch, call `loader.state_after(batch + 1)` in
`on_train_batch_end(batch, …)` of a callback. This requires `shuffle=False`.

To build a new model, Keras takes up to three batches and ends an "epoch" without training. An epoch
of up to three batches therefore counts only from the second time that Keras ends one. If a loader
has three batches or fewer, create a separate loader for each model.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from dshub.adapters import convert
from dshub.errors import DshubError, needs
from dshub.loading.loader import Loader, cursor_of

with needs("keras", extra="keras"):
    import keras

BUILD_BATCHES = 3  # maximum number of batches that Keras takes to build a model


def batches(loader: Loader) -> "KerasBatches":
    """Return batches as `(x, y)` if `supervised` is set, or else as dicts.

    Args:
        loader: loader of the batches; it prefetches one batch per thread.

    Raises:
        DshubError: rows of a column differ in shape, or are text and the backend is not
            TensorFlow, and no transform converts them to one array.
    """
    return KerasBatches(loader)


class KerasBatches(keras.utils.PyDataset):
    """Batches of an epoch by number; `on_epoch_end` continues with the next epoch."""

    def __init__(self, loader: Loader) -> None:
        # with several workers, Keras would return batches of an interrupted epoch
        super().__init__(workers=1)
        self.loader, self._cursor = loader, cursor_of(loader)
        self._taken = 0
        self._built = False
        threads = self._cursor.ahead
        self._executor = ThreadPoolExecutor(threads, "dshub-keras") if threads else None
        self._prefetched: dict[tuple[int, int], Future[Any]] = {}
        self._batch(*self._cursor.place(0))  # fail early if a column is not an array

    def __len__(self) -> int:
        """Return the number of batches in a full epoch, even if the loader resumes within one."""
        return len(self.loader)

    def __getitem__(self, index: int) -> Any:
        place = self._cursor.place(index)
        self._taken = max(self._taken, index + 1)
        batch = self._prefetched.pop(place, None)
        if self._executor is not None:
            self._prefetch(self._executor, index)
        return batch.result() if batch is not None else self._batch(*place)

    def _prefetch(self, executor: ThreadPoolExecutor, index: int) -> None:
        """Start preparing the next batches, and drop those prepared for another order."""
        last = min(index + self._cursor.ahead, len(self) - 1)
        places = [self._cursor.place(number) for number in range(index + 1, last + 1)]
        for place in set(self._prefetched).difference(places):
            self._prefetched.pop(place, None)
        for place in places:
            if place not in self._prefetched:
                self._prefetched[place] = executor.submit(self._batch, *place)

    def _batch(self, epoch: int, position: int) -> Any:
        return convert(self._cursor.batch(position, epoch), _array, self.loader.pair)

    def on_epoch_begin(self) -> None:
        """Record the start of an epoch for `state_after`."""
        self._cursor.begin()

    def on_epoch_end(self) -> None:
        """Continue with the next epoch if all batches of the current one were taken.

        `fit` and `evaluate` also call this method before their first epoch, after they build a new
        model from the first batches.
        """
        short = len(self) <= BUILD_BATCHES and not self._built
        if self._taken >= len(self) and not short:
            self._cursor.seek(*self._cursor.place_after(len(self)))
        self._built, self._taken = True, 0


def _array(values: Any, name: str) -> Any:
    if isinstance(values, np.ndarray):
        return values
    reason = "can differ in shape, but Keras requires arrays"
    if all(isinstance(value, str | bytes) for value in values):
        backend = keras.backend.backend()
        if backend == "tensorflow":
            # the only strings that `fit` takes; it rejects NumPy's
            return keras.ops.convert_to_tensor(np.array(values, object), "string")
        reason = f"are text or files, but Keras has no strings on {backend}"
    raise DshubError(
        f"rows of column {name} {reason}",
        hint="convert them to one array in `batches(…, transform=…)`, or leave the column out",
    )
