"""View a dataset as pairs `(x, y)`, like torchvision and `tfds.load(as_supervised=True)`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from PIL import Image

from dshub.catalog.features import ImageFeature
from dshub.catalog.manifest import AnyPair, Pair, pair_columns
from dshub.datasets.dataset import Dataset
from dshub.errors import ArgumentError
from dshub.loading.loader import Loader
from dshub.loading.pairs import paired

Transform = Callable[[Any], Any]


class Pairs:
    """Rows of a dataset as pairs `(x, y)`.

    Pass the pairs directly to `torch.utils.data.DataLoader`. Methods of `Dataset` are available,
    and return pairs instead of datasets.

    Args:
        dataset: dataset of the rows.
        supervised: columns of `(x, y)`; True uses the pair of the dataset.
        transform: function to apply to each x. Images are `PIL.Image` objects, as in torchvision.
        target_transform: function to apply to each y.

    Raises:
        ArgumentError, UnknownNameError: `supervised` does not name a pair of columns.
    """

    def __init__(
        self,
        dataset: Dataset,
        supervised: bool | AnyPair = True,  # noqa: FBT001, FBT002  # as in `batches`
        *,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        self.dataset, self.transform, self.target_transform = dataset, transform, target_transform
        self.pair = cast("Pair", dataset.pair(supervised))  # None only for `supervised=False`

    def __repr__(self) -> str:
        return f"<Pairs of {self.dataset!r}>"

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: Any) -> Any:
        """Return a row `(x, y)`, the pairs of a slice, or a whole column by name."""
        if isinstance(key, slice):
            return self._with(self.dataset.select(range(len(self))[key]))
        value = self.dataset[key]
        return self._row(value) if isinstance(key, int | np.integer) else value

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return map(self._row, self.dataset)

    def _row(self, row: Mapping[str, Any]) -> tuple[Any, Any]:
        columns = {name: [row[name]] for name in pair_columns(self.pair)}
        x, y = map(_first, paired(columns, self.pair, self.dataset.features))
        if self.transform is not None:
            x = self.transform(self._image(x))
        return x, y if self.target_transform is None else self.target_transform(y)

    def _image(self, x: Any) -> Any:
        """Convert images to `PIL.Image` as torchvision does, and return other values unchanged."""
        part = self.pair[0]
        feature = self.dataset.features[part] if isinstance(part, str) else None
        if not isinstance(feature, ImageFeature) or x.dtype != np.uint8:
            return x
        return Image.fromarray(x[..., 0] if x.shape[-1] == 1 else x)

    def map(
        self,
        function: Callable[[Any, Any], tuple[Any, Any]],
        *,
        num_parallel_calls: Any = None,  # noqa: ARG002  # ignored
    ) -> "Pairs":
        """Replace each pair with the result of a function, as in TensorFlow.

        Args:
            function: takes `x` and `y`, and returns the new `(x, y)`.
            num_parallel_calls: ignored, because rows are computed when they are read.
        """
        mapped = self.dataset.map(
            _PairFunction(self._row, function), columns=pair_columns(self.pair)
        )
        return Pairs(mapped.columns(["x", "y"]), ("x", "y"))

    def filter(self, keep: Callable[[Any, Any], Any]) -> "Pairs":
        """Keep the pairs for which `keep(x, y)` is true."""
        return self._with(
            self.dataset.select([row for row, (x, y) in enumerate(self) if bool(keep(x, y))])
        )

    def cache(self, name: str | None = None, *, version: str = "1", workers: int = 1) -> "Pairs":
        """Cache the pairs if `name` is set (see `Dataset.cache`), or return them unchanged."""
        if name is None:
            return self
        return self._with(self.dataset.cache(name, version=version, workers=workers))

    def batches(self, size: int, **options: Any) -> Loader:
        """Return a loader of batches `(x, y)`; see `Dataset.batches`.

        Raises:
            ArgumentError: the pairs have a transform, which applies only to single rows.
        """
        if self.transform is not None or self.target_transform is not None:
            raise ArgumentError(
                name="transform",
                value=self.transform or self.target_transform,
                expected="omitted for batches, because it applies to single rows",
                hint="use torch.utils.data.DataLoader(ds, batch_size=…), or "
                "ds.dataset.batches(…, supervised=True, transform=…)",
            )
        return self.dataset.batches(size, **{"supervised": self.pair} | options)

    def batch(self, batch_size: int, *, drop_remainder: bool = False) -> Loader:
        """Return `batches(batch_size)`."""
        return self.batches(batch_size, drop_last=drop_remainder)

    def as_numpy_iterator(self) -> Iterator[tuple[Any, Any]]:
        """Return an iterator of the pairs."""
        return iter(self)

    def torch(self, **options: Any) -> Any:
        """Return the pairs for a `DataLoader`; see `dshub.adapters.torch`."""
        if self.transform is not None or self.target_transform is not None:
            return self
        return self.dataset.torch(**{"supervised": self.pair} | options)

    def tf(self, **options: Any) -> Any:
        """Return the pairs as a `tf.data.Dataset`; see `dshub.adapters.tf`."""
        return self.dataset.tf(**{"supervised": self.pair} | options)

    def _with(self, dataset: Dataset) -> "Pairs":
        return Pairs(
            dataset,
            self.pair,
            transform=self.transform,
            target_transform=self.target_transform,
        )

    def _paired(self, value: Any) -> Any:
        if isinstance(value, Dataset):
            return self._with(value)
        if isinstance(value, list | tuple):
            return type(value)(map(self._paired, value))
        if isinstance(value, Mapping) and not isinstance(value, dict):  # `Splits`
            return {name: self._paired(value[name]) for name in value}
        return value

    if not TYPE_CHECKING:  # otherwise, type checkers would accept any attribute

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_") or "dataset" not in vars(self):
                raise AttributeError(f"'Pairs' object has no attribute {name!r}")
            value = getattr(self.dataset, name)
            if not callable(value):
                return value

            @wraps(value)
            def call(*args: Any, **options: Any) -> Any:
                return self._paired(value(*args, **options))

            return call


@dataclass(frozen=True)
class _PairFunction:
    """Adapter that calls a function of `x` and `y` with a row."""

    row: Callable[[Mapping[str, Any]], tuple[Any, Any]]
    function: Callable[[Any, Any], tuple[Any, Any]]

    def __call__(self, values: Mapping[str, Any]) -> dict[str, Any]:
        x, y = self.function(*self.row(values))
        return {"x": _plain(x), "y": _plain(y)}


def _plain(value: Any) -> Any:
    """Convert tensors to arrays, or to numbers if they are scalar."""
    array = np.asarray(value) if hasattr(value, "__array__") else None
    if array is None:
        return value
    return array if array.ndim else array[()]


def _first(values: Any) -> Any:
    if isinstance(values, dict):
        return {name: column[0] for name, column in values.items()}
    return values[0]
