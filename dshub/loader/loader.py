"""Batches, epoch after epoch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec
import numpy as np

from dshub import plugins
from dshub.errors import StateError
from dshub.loader.order import ORDER_VERSION, key_of, permute

Batch = dict[str, Any]
"""Column name to an array (rows, …), or to a list where rows are no arrays of one shape."""

Layout = Literal["hwc", "chw"]


class Rows(Protocol):
    """What a loader walks over."""

    def __len__(self) -> int: ...
    def gather(self, rows: np.ndarray) -> Batch:
        """The rows of those numbers, int64, in that order; arrays that nobody else holds."""

    @property
    def supervised(self) -> tuple[str, str] | None:
        """The columns that `(x, y)` means."""

    @property
    def pictures(self) -> Sequence[str]:
        """The columns that hold pictures, (height, width, channels)."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a loader walks: what `Dataset.batches` was given."""

    size: int
    shuffle: bool = False
    seed: int = 0
    drop_last: bool = False
    transform: Callable[[Batch], Batch] | None = None
    layout: Layout = "hwc"
    supervised: bool = False


class Loader:
    """Batches of a dataset, one epoch for each iteration.

    Which rows a batch holds is a pure function of (seed, epoch, position): running twice gives
    the same batches, and each epoch has an order of its own. `state_dict()` says where the walk
    is, in a few numbers; a loader that is given them goes on there, also with another batch
    size.

    Iterating yields NumPy batches; `.torch()`, `.tf()` and `.to(name)` those of a framework.
    """

    def __init__(self, rows: Rows, plan: Plan) -> None:
        self.rows, self.plan = rows, plan
        self.epoch = 0
        self._position = 0
        self._resume = 0

    def __len__(self) -> int:
        """Batches in an epoch."""
        full, rest = divmod(len(self.rows), self.plan.size)
        return full + bool(rest and not self.plan.drop_last)

    def __iter__(self) -> Iterator[Any]:
        """The batches of one epoch: a dict, or `(x, y)` where `supervised` was asked for.

        The next iteration is the next epoch. Leaving early keeps the place in `state_dict`, but
        a new iteration begins its epoch anew unless the state is loaded again.
        """
        position, epoch = self._resume, self.epoch
        self._resume = 0
        while (count := self._count(position)) > 0:
            batch = self.batch(position, epoch)
            position += count
            self.epoch, self._position = epoch, position
            yield batch
        self.epoch, self._position = epoch + 1, 0

    def positions(self) -> range:
        """Where the batches begin that the next iteration gives."""
        missing = self.plan.size - 1 if self.plan.drop_last else 0
        stop = max(len(self.rows) - missing, self._resume)
        return range(self._resume, stop, self.plan.size)

    def advance(self) -> None:
        """Count an epoch whose batches were taken with `positions` and `batch`."""
        self.epoch, self._position, self._resume = self.epoch + 1, 0, 0

    def batch(self, position: int, epoch: int) -> Any:
        """The batch that begins at a position of an epoch."""
        stop = position + self._count(position)
        where = np.arange(position, stop, dtype=np.int64)
        if self.plan.shuffle:
            where = permute(where, len(self.rows), key_of(self.plan.seed, epoch))
        batch = self.rows.gather(where)
        if self.plan.layout == "chw":
            for name in self.rows.pictures:
                batch[name] = _channels_first(batch[name])
        if self.plan.transform is not None:
            batch = self.plan.transform(batch)
        return self._paired(batch)

    def _count(self, position: int) -> int:
        left = len(self.rows) - position
        if left < self.plan.size and self.plan.drop_last:
            return 0
        return min(left, self.plan.size)

    def _paired(self, batch: Batch) -> Any:
        pair = self.rows.supervised
        if not self.plan.supervised or pair is None:
            return batch
        return batch[pair[0]], batch[pair[1]]

    def state_dict(self) -> dict[str, int]:
        """Where the walk is: `{"order": 1, "seed": 0, …, "epoch": 3, "position": 512}`.

        `position` counts the rows of the epoch that were handed out.
        """
        return {
            "order": ORDER_VERSION,
            "seed": self.plan.seed,
            "shuffle": int(self.plan.shuffle),
            "rows": len(self.rows),
            "epoch": self.epoch,
            "position": self._position,
        }

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where `state_dict` was taken, with the next iteration.

        Raises:
            StateError: the state is of another order (other seed, other rows, other version),
                or is no state of a loader.
        """
        own = self.state_dict()
        for name in ("order", "seed", "shuffle", "rows"):
            if state.get(name) != own[name]:
                raise StateError(
                    f"this state has {name} {state.get(name)}, but the loader has {own[name]}"
                )
        if state.get("epoch", -1) < 0 or not 0 <= state.get("position", -1) <= own["rows"]:
            raise StateError(f"{dict(state)} says no place in an epoch of {own['rows']:,} rows")
        self.epoch = state["epoch"]
        self._position = self._resume = state["position"]

    def numpy(self) -> "Loader":
        """NumPy batches, which is what iterating a loader gives; here for symmetry."""
        return self

    def torch(self) -> Any:
        """An iterable of batches of torch tensors; see `dshub.adapters.torch`."""
        return self.to("torch")

    def tf(self) -> Any:
        """A `tf.data.Dataset` of batches; see `dshub.adapters.tf`."""
        return self.to("tf")

    def to(self, framework: str) -> Any:
        """Batches for a framework, by the name of its adapter.

        Raises:
            UnknownNameError: there is no such adapter.
            MissingExtraError: the framework is not installed.
        """
        return plugins.module("adapters", framework).batches(self)


def _channels_first(pictures: Any) -> Any:
    """(…, height, width, channels) to (…, channels, height, width), one array or a list."""
    if isinstance(pictures, list):
        return [_channels_first(picture) for picture in pictures]
    return np.ascontiguousarray(np.moveaxis(pictures, -1, -3))
