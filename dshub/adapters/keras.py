"""Keras 3: a `keras.utils.PyDataset` of batches, for each of its backends.

``model.fit(ds.batches(128, shuffle=True, supervised=True).to("keras"), shuffle=False, epochs=5)``

Each epoch of `fit` is the loader's next one; if the loader resumes within an epoch, it is as many
batches from there. Batches are NumPy arrays, which Keras hands to its backend; text is an array of
objects. `shuffle=False`, because the loader shuffles: otherwise Keras takes the same batches in
another order, which differs between runs.

Keras takes batches ahead of their use, so `loader.state_dict()` stays at the beginning of an epoch
until `fit` ends it. Within an epoch, call `loader.state_after(batch + 1)` in
`on_train_batch_end(batch, …)` of a callback; this requires `shuffle=False`.

To build a new model, Keras takes up to three batches and ends an "epoch" without training. So
an epoch that short counts only from the second time that Keras ends one: give each model its own
loader if it has three batches or fewer.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from dshub.adapters import convert
from dshub.errors import DshubError, needs
from dshub.loading.loader import Loader, walk_of

with needs("keras", extra="keras"):
    import keras

BUILT_FROM = 3  # limit of the batches that Keras takes to build a model


def batches(loader: Loader) -> "KerasBatches":
    """Return batches: `(x, y)` if the loader is supervised, else dicts.

    Args:
        loader: of the batches; it makes as many ahead as it has threads.

    Raises:
        DshubError: rows of a column differ in shape, and no transform makes one array of them.
    """
    return KerasBatches(loader)


class KerasBatches(keras.utils.PyDataset):
    """The batches of an epoch by number; `on_epoch_end` continues with the next epoch."""

    def __init__(self, loader: Loader) -> None:
        # several workers of Keras would hand out batches of an interrupted pass
        super().__init__(workers=1)
        self.loader, self._walk = loader, walk_of(loader)
        self._taken = 0
        self._built = False
        threads = loader.options.threads
        self._maker = ThreadPoolExecutor(threads, "dshub-keras") if threads else None
        self._ahead: dict[tuple[int, int], Future[Any]] = {}
        self._batch(*self._walk.place(0))  # fail now if a column cannot be an array

    def __len__(self) -> int:
        """Return the batches in an epoch, also if the loader resumes within one."""
        return len(self.loader)

    def __getitem__(self, index: int) -> Any:
        place = self._walk.place(index)
        self._taken = max(self._taken, index + 1)
        batch = self._ahead.pop(place, None)
        if self._maker is not None:
            self._make_ahead(self._maker, index)
        return batch.result() if batch is not None else self._batch(*place)

    def _make_ahead(self, maker: ThreadPoolExecutor, index: int) -> None:
        """Start making the next batches, and drop those made for another order."""
        last = min(index + self.loader.options.threads, len(self) - 1)
        places = [self._walk.place(number) for number in range(index + 1, last + 1)]
        for place in set(self._ahead).difference(places):
            self._ahead.pop(place, None)
        for place in places:
            if place not in self._ahead:
                self._ahead[place] = maker.submit(self._batch, *place)

    def _batch(self, epoch: int, position: int) -> Any:
        return convert(self._walk.batch(position, epoch), _array, self.loader.pair)

    def on_epoch_begin(self) -> None:
        """Start counting for `state_after`."""
        self._walk.begin()

    def on_epoch_end(self) -> None:
        """Continue with the next epoch if all batches of this one were taken.

        `fit` and `evaluate` also call this before their first epoch, after they built a new model
        from the first batches.
        """
        short = len(self) <= BUILT_FROM and not self._built
        if self._taken >= len(self) and not short:
            self._walk.go(*self._walk.place_after(len(self)))
        self._built, self._taken = True, 0


def _array(values: Any, name: str) -> np.ndarray:
    if isinstance(values, np.ndarray):
        return values
    if all(isinstance(value, str | bytes) for value in values):
        return np.array(values, object)
    raise DshubError(
        f"rows of column {name} may differ in shape, but Keras needs arrays",
        hint="make one array of them in `batches(…, transform=…)`, or leave the column out",
    )
