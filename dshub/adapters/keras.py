"""Keras 3: a `keras.utils.PyDataset` of batches, for each of its backends.

``model.fit(ds.batches(128, shuffle=True, supervised=True).to("keras"), shuffle=False, epochs=5)``

Each epoch of `fit` is the loader's next one; where the loader goes on amid an epoch, as many
batches from there. Batches are NumPy arrays, which Keras hands to its backend; text is an array of
objects. `shuffle=False` because the loader has shuffled: without it Keras takes the same batches in
an order of its own, which differs from run to run.

Keras takes batches ahead of their use, so `loader.state_dict()` stays at the beginning of an epoch
until `fit` has ended it. Within one, ask `loader.state_after(batch + 1)`, from
`on_train_batch_end(batch, …)` of a callback; `shuffle=False` is then a must.

To build a new model, Keras takes up to three batches and ends an "epoch" that it never trained on.
An epoch that short counts from the second time that Keras ends it: give each model a loader of its
own if it has three batches or fewer.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from dshub.errors import DshubError, MissingExtraError
from dshub.loading.loader import Loader, walk_of

try:
    import keras
except ImportError as error:
    raise MissingExtraError(package="keras", extra="keras") from error

BUILT_FROM = 3  # batches that Keras takes, at most, to build a model


def batches(loader: Loader) -> "KerasBatches":
    """Batches `(x, y)` where the loader is supervised, or dicts.

    Args:
        loader: whose next epochs those of `fit` are; as many batches as it has threads are made
            ahead.

    Raises:
        DshubError: rows of a column differ in shape, and no transform makes one array of them.
    """
    return KerasBatches(loader)


class KerasBatches(keras.utils.PyDataset):
    """The batches of an epoch under their numbers; `on_epoch_end` goes on to the next one."""

    def __init__(self, loader: Loader) -> None:
        # workers of Keras's own hand out batches of an earlier pass after one that was broken off
        super().__init__(workers=1)
        self.loader, self._walk = loader, walk_of(loader)
        self._taken = 0
        self._built = False
        threads = loader.options.threads
        self._maker = ThreadPoolExecutor(threads, "dshub-keras") if threads else None
        self._ahead: dict[tuple[int, int], Future[Any]] = {}
        self._batch(*self._walk.place(0))  # raises now if a column cannot be an array

    def __len__(self) -> int:
        """Batches in an epoch, also where the first of them are the rest of one."""
        return len(self.loader)

    def __getitem__(self, index: int) -> Any:
        place = self._walk.place(index)
        self._taken = max(self._taken, index + 1)
        batch = self._ahead.pop(place, None)
        if self._maker is not None:
            self._make_ahead(self._maker, index)
        return batch.result() if batch is not None else self._batch(*place)

    def _make_ahead(self, maker: ThreadPoolExecutor, index: int) -> None:
        """Begin to make the batches after one, and drop those made for another order."""
        last = min(index + self.loader.options.threads, len(self) - 1)
        places = [self._walk.place(number) for number in range(index + 1, last + 1)]
        for place in set(self._ahead).difference(places):
            self._ahead.pop(place, None)
        for place in places:
            if place not in self._ahead:
                self._ahead[place] = maker.submit(self._batch, *place)

    def _batch(self, epoch: int, position: int) -> Any:
        batch, pair = self._walk.batch(position, epoch), self.loader.rows.supervised
        if isinstance(batch, tuple) and pair is not None:
            return tuple(_array(values, name) for name, values in zip(pair, batch, strict=True))
        return {name: _array(values, name) for name, values in batch.items()}

    def on_epoch_begin(self) -> None:
        """Count `state_after` from here."""
        self._walk.begin()

    def on_epoch_end(self) -> None:
        """Go on to the next epoch if all batches of this one were taken.

        `fit` and `evaluate` call this once before their first epoch, after building the model from
        the first batches if it is new.
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
        f"rows of column {name} may differ in shape: Keras takes arrays",
        hint="make one array of them in `batches(…, transform=…)`, or leave the column out",
    )
