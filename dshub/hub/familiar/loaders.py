"""Familiar names of loaders."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from dshub.loading.loader import Loader
    from dshub.loading.options import Rows

_TRANSFORM = "ds.batches(32, transform=f) transforms batches"


class LoaderNames:
    """Familiar names of `Loader`."""

    _lessons: ClassVar[Mapping[str, str]] = {
        "filter": "ds.filter(f).batches(32) filters rows",
        "map": _TRANSFORM,
        "shuffle": "ds.batches(32, shuffle=True, seed=0) gives each epoch a new order of all rows",
        "skip": "ds.skip(1000).batches(32) skips rows; load_state_dict resumes at a row",
    }

    def __init__(self, own: "Loader") -> None:
        self._own = own

    @property
    def batch_size(self) -> int:
        """Same as `loader.options.size`."""
        return self._own.options.size

    @property
    def drop_last(self) -> bool:
        """Same as `loader.options.drop_last`."""
        return self._own.options.drop_last

    @property
    def dataset(self) -> "Rows":
        """Same as `loader.rows`."""
        return self._own.rows

    @property
    def class_names(self) -> list[str]:
        """Same as `ds.features["label"].names`."""
        rows: Any = self._own.rows
        names: list[str] = rows.class_names
        return names

    def set_epoch(self, epoch: int) -> None:
        """Same as `loader.epoch = epoch`."""
        self._own.epoch = epoch

    def take(self, count: int) -> Iterator[Any]:
        """Same as `itertools.islice(loader, 10)`."""
        return islice(self._own, count)

    def as_numpy_iterator(self) -> Iterator[Any]:
        """Same as `iter(loader)`."""
        return iter(self._own)

    def cardinality(self) -> int:
        """Same as `len(loader)`."""
        return len(self._own)

    def unbatch(self) -> "Rows":
        """Same as `loader.rows`."""
        return self._own.rows

    def cache(self) -> "Loader":
        """Same as `loader`, because rows are memory-mapped."""
        return self._own

    def prefetch(self, buffer_size: Any = None) -> "Loader":
        """Same as `loader`, because batches are prefetched by default."""
        return self._own
