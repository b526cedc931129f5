"""`Dataset`: an immutable view of some rows and columns of a source."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, cast, overload

import numpy as np
import pyarrow as pa

from dshub import plugins
from dshub._validate import whole
from dshub.catalog import phrasebook
from dshub.catalog.features import Feature, ImageFeature, is_encoded
from dshub.catalog.manifest import Manifest
from dshub.datasets.arrow import arrow_table
from dshub.datasets.decoding import Encoded, LazyColumn, decode_all
from dshub.datasets.folders import from_folder
from dshub.datasets.from_memory import check_pair, from_arrays, from_arrow
from dshub.datasets.hugging_face import from_hf
from dshub.datasets.labels import AlignedSource, label_column
from dshub.datasets.mixing import Mixture
from dshub.datasets.selection import (
    Selection,
    Shuffled,
    check_columns,
    fingerprint,
    position_of,
    positions_of,
    rows_at,
    slice_positions,
)
from dshub.datasets.sources import Source, TableSource
from dshub.datasets.splitting import class_numbers, cut, cut_stratified, filter_rows, fold
from dshub.loading.loader import Loader
from dshub.loading.options import BatchOptions, takes
from dshub.loading.transforms.transform import Batch
from dshub.tables.columns import Values

BLOCK = 1024  # rows per read when iterating or filtering
DECODED_BLOCK = 16  # rows per read if files are decoded; a photo takes several MB


@dataclass(frozen=True, eq=False)
class Dataset(plugins.FrameworkMethods):
    """An immutable table of rows; selecting rows or columns returns a view without copying.

    ::

        ds[3]            a row: {"image": uint8 (28, 28, 1), "label": int}
        ds[10:20]        columns of ten rows: {"image": uint8 (10, 28, 28, 1), …}
        ds[[1, 5]]       columns of rows 1 and 5
        ds["label"]      a whole column: int64 (rows,), a view of the memory map if possible

    The values of a row have these types:

    - image: uint8 (height, width, channels), RGB or gray
    - audio: int16 (samples,) or (samples, channels)
    - label: int64
    - text: `str`
    - list: array (values, …), or list of `str`

    Several rows form one array if all rows have the same shape, or else a list. Encoded images and
    audio are decoded when a row is read. A whole column of them is a sequence that decodes each row
    on access.

    Arrays that are views are read-only. Pickling a dataset of prepared tables stores paths and row
    numbers instead of data, so sending one to a worker process is cheap.

    Create a dataset with `dshub.load`, or from your own data with a `from_…` method.
    """

    _source: Source
    _selection: Selection
    _names: tuple[str, ...]
    _supervised: tuple[str, str] | None = None
    _decoded: bool = True
    _verb: ClassVar = "rows"

    @classmethod
    def from_tables(cls, folders: Sequence[Path], manifest: Manifest | None = None) -> Self:
        """Concatenate prepared tables, keeping the columns that all of them have.

        Args:
            folders: of the tables.
            manifest: of the dataset; by default that of the first table.
        """
        return cls._of(TableSource(folders, manifest))

    @classmethod
    def from_arrays(
        cls,
        columns: Mapping[str, np.ndarray | Sequence[Any]],
        *,
        features: Mapping[str, Feature] | None = None,
        supervised: tuple[str, str] | None = None,
    ) -> Self:
        """Create a dataset from arrays or lists, without copying the arrays.

        Arrays have the shape (rows, …). A list holds `str`, contents of image or audio files as
        `bytes`, or arrays or lists of any length.

        Args:
            columns: arrays and lists by column name, all of the same length.
            features: features of columns, such as class names; by default inferred from dtype and
                shape. Columns of `bytes` require a feature.
            supervised: pair of columns that become `(x, y)`.

        Raises:
            SchemaError: columns differ in length, or do not fit their features.
            UnknownNameError: `supervised` names an unknown column.
        """
        return cls._of(from_arrays(columns, features), supervised)

    @classmethod
    def from_arrow(
        cls,
        table: Any,
        *,
        features: Mapping[str, Feature] | None = None,
        supervised: tuple[str, str] | None = None,
    ) -> Self:
        """Create a dataset from a `pyarrow.Table`, without copying it.

        Columns can hold numbers, text, lists, and image or audio files.

        Args:
            table: table without missing values. Any object with Arrow's C stream interface works,
                such as a pandas or polars `DataFrame`, a DuckDB relation or a `RecordBatchReader`.
            features: features of columns, which are converted to match; for example, text can
                become classes or numbers. By default inferred from Arrow types. `binary` columns
                require a feature.
            supervised: pair of columns that become `(x, y)`.

        Raises:
            SchemaError: a column does not fit its feature, or has a missing value.
            UnknownNameError: `supervised` names an unknown column.
        """
        return cls._of(from_arrow(table, features), supervised)

    @classmethod
    def from_folder(cls, path: str | Path, split: str | None = None) -> Self:
        """Create a dataset from image or audio files in one folder per class.

        ``cat/1.jpg``, ``dog/7.jpg``

        Rows are sorted by class and file name, with columns `image` (or `audio`) and `label`.
        Without class folders, the `label` column is missing. Folders such as `train`, `val` and
        `test` are splits that share the same classes. Files are read when their rows are read. The
        fingerprint covers file names, sizes and modification times.

        Args:
            path: folder of the files.
            split: split expression such as `train`, `train[:10%]` or `train+val`; None for a folder
                without splits.

        Raises:
            ReadError: the folder is missing, or has no image or audio file. Reading a row raises it
                if the file is damaged.
            ArgumentError: the folder has splits, and `split` is None.
            UnknownNameError: the folder does not have the split.
            SplitError: `split` has invalid syntax.
            SchemaError: the folder mixes images and audio, or several kinds of audio files.
        """
        return cls._of(*from_folder(Path(path), split))

    @classmethod
    def from_hf(
        cls,
        dataset: Any,
        *,
        features: Mapping[str, Feature] | None = None,
        title: str = "the dataset",
    ) -> Self:
        """Create a dataset that shares the Arrow data of a Hugging Face `datasets.Dataset`.

        Class labels, images, audio, lists and arrays become the corresponding dshub features. A
        label column that contains only -1 (hidden labels) is left out.

        Args:
            dataset: a single split.
            features: features of columns with the type `binary`.
            title: name of the dataset in error messages.

        Raises:
            SchemaError: a column has an unsupported type or a missing value.
        """
        source, selection = from_hf(dataset, features, title)
        return cls._of(source, selection=selection)

    @classmethod
    def _of(
        cls,
        source: Source,
        supervised: tuple[str, str] | None = None,
        selection: Selection | None = None,
    ) -> Self:
        names = tuple(source.features)
        if supervised is not None:
            supervised = check_pair(supervised, names)
        elif source.manifest is not None:
            supervised = source.manifest.supervised  # unchecked: a split can lack labels
        rows = range(source.rows) if selection is None else selection
        return cls(source, rows, names, supervised)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle, without cached values."""
        return {name: value for name, value in vars(self).items() if name.startswith("_")}

    if not TYPE_CHECKING:  # type checkers would accept any attribute

        def __getattr__(self, name: str) -> NoReturn:
            raise phrasebook.missing(self, name, phrasebook.DATASET)

    @property
    def files(self) -> Sequence[Path]:
        """Arrow files of the prepared tables; empty for your own data."""
        return self._source.files

    @property
    def row_range(self) -> range | None:
        """Range of source rows in this view, or None if they are not consecutive."""
        rows = self._selection
        if isinstance(rows, range) and rows.step == 1:
            return range(rows.start, rows.start + len(rows))
        return None

    def __len__(self) -> int:
        return len(self._selection)

    @cached_property
    def features(self) -> dict[str, Feature]:
        """Features by column name, in column order."""
        return {name: self._source.features[name] for name in self._names}

    @property
    def manifest(self) -> Manifest | None:
        """Manifest with name, version, license and citation, or None for your own data."""
        return self._source.manifest

    @property
    def supervised(self) -> tuple[str, str] | None:
        """Pair of columns for `(x, y)`, or None if one of them is missing."""
        pair = self._supervised
        return pair if pair is not None and set(pair) <= set(self._names) else None

    @property
    def image_columns(self) -> list[str]:
        """Columns that contain pixels, not encoded image files."""
        return [
            name
            for name, kind in self.features.items()
            if isinstance(kind, ImageFeature) and (self._decoded or not is_encoded(kind))
        ]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the rows and columns, for example to log with results.

        Views created in the same way have the same fingerprint. Fingerprints of views with equal
        rows can differ, such as those of ``ds.take(3)`` and ``ds.select([0, 1, 2])``.
        """
        return fingerprint(
            self._source.identity, self._selection, self._names, decoded=self._decoded
        )

    def __repr__(self) -> str:
        manifest = self.manifest
        title = manifest.identifier if manifest is not None else "own data"
        note = ", synthetic" if manifest is not None and manifest.synthetic else ""
        return f"<Dataset {title}{note}: {len(self):,} rows of {', '.join(self._names)}>"

    @overload
    def __getitem__(self, key: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, key: str) -> np.ndarray | Sequence[Any]: ...
    @overload
    def __getitem__(self, key: slice | Sequence[int] | np.ndarray) -> Batch: ...
    def __getitem__(self, key: Any) -> Any:
        """Return a row (integer), a column (name), or several rows (slice, list or mask).

        Raises:
            IndexError: a row is out of range.
            UnknownNameError: the column does not exist.
        """
        if isinstance(key, str):
            return self._column(key)
        if isinstance(key, slice):
            return self._slice(key)._span()
        if isinstance(key, list | tuple) or np.ndim(key):
            return self.gather(positions_of(key, len(self)))
        row = self.gather(position_of(key, len(self)))
        return {name: _plain(values[0]) for name, values in row.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for start in range(0, len(self), self._block):
            columns = self[start : start + self._block]
            for i in range(min(self._block, len(self) - start)):
                yield {name: _plain(values[i]) for name, values in columns.items()}

    def gather(self, rows: np.ndarray) -> Batch:
        """Read the rows at the passed positions, in that order, into new arrays.

        Args:
            rows: int64 positions from 0 to len - 1, which are not checked.
        """
        return self._read(self.numbers(rows))

    def without(self, names: Sequence[str]) -> Self:
        """Return a view without the named columns."""
        return replace(self, _names=tuple(name for name in self._names if name not in names))

    def pixels(self, name: str) -> np.ndarray | None:
        """Return raw images of all source rows, or None if they are not one array."""
        feature = self.features[name]
        if not isinstance(feature, ImageFeature) or feature.encoding != "raw":
            return None
        return self._source.contiguous(name)

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """Return the source row number of each position, int64."""
        return rows_at(self._selection, rows)

    def lengths(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Return the length of each text (characters), file (bytes) or list (values), int64."""
        values = self._source.read(name, self.numbers(rows))
        return np.fromiter(map(len, values), np.int64, len(rows))

    def _column(self, name: str) -> np.ndarray | Sequence[Any]:
        view = self.columns([name])
        if name in self.encoded:
            return LazyColumn(view, name)
        return cast("Values", view._span()[name])

    def _span(self) -> Batch:
        """Read all rows, as views if they are consecutive."""
        return self._read(self._source_rows())

    def _source_rows(self) -> range | np.ndarray:
        rows = self.row_range
        return self.numbers(np.arange(len(self), dtype=np.int64)) if rows is None else rows

    def _read(self, rows: range | np.ndarray) -> Batch:
        """Read source rows, and decode encoded columns."""
        batch = {name: self._source.read(name, rows) for name in self._names}
        for name in self.encoded:
            feature, where = cast("Encoded", self.features[name]), partial(self._where, rows, name)
            batch[name] = decode_all(list(batch[name]), feature, where)
        return batch

    def _where(self, rows: range | np.ndarray, name: str, index: int) -> str:
        return f"{self._source.where(int(rows[index]))}, column {name}"

    @cached_property
    def encoded(self) -> list[str]:
        """Columns that are decoded when rows are read."""
        return [name for name in self._names if self._decoded and is_encoded(self.features[name])]

    @property
    def _block(self) -> int:
        """Number of rows per read when iterating or filtering."""
        return DECODED_BLOCK if self.encoded else BLOCK

    def _slice(self, positions: slice) -> Self:
        return replace(self, _selection=slice_positions(self._selection, positions))

    def columns(self, names: Sequence[str]) -> Self:
        """Return a view with only the named columns, in that order.

        Raises:
            UnknownNameError: a column does not exist.
            ArgumentError: a column is named twice.
        """
        return replace(self, _names=check_columns(names, self._names, self.manifest))

    def decode(self, on: bool = True) -> Self:  # noqa: FBT001, FBT002  # `decode(False)` reads well
        """Return a view that decodes images and audio, or returns their files if `on` is False."""
        return replace(self, _decoded=on)

    def align_labels(self, names: Sequence[str], column: str | None = None) -> Self:
        """Return a view with classes renumbered in the order of `names`.

        ``ds.align_labels(model_classes)["label"]`` numbers classes like the outputs of a model.

        Args:
            names: name or code of each class, in the new order; extra names are allowed.
            column: column of labels, or of lists of labels; by default the only such column, or
                the supervised label.

        Raises:
            SchemaError: a class is missing from `names`, or matches several entries.
            ArgumentError: `names` is not a list.
            UnknownNameError: the column does not exist or has no labels, or several columns do.
        """
        column, label = label_column(self.features, column, self.supervised)
        return replace(self, _source=AlignedSource(self._source, column, label, names))

    def select(self, rows: Sequence[int] | np.ndarray) -> Self:
        """Select rows by a list of numbers, in that order, or by a boolean mask."""
        return replace(self, _selection=self.numbers(positions_of(rows, len(self))))

    def take(self, count: int) -> Self:
        """Return the first `count` rows, or all rows if there are fewer."""
        return self._slice(slice(0, max(whole("count", count), 0)))

    def skip(self, count: int) -> Self:
        """Return all rows after the first `count`."""
        return self._slice(slice(max(whole("count", count), 0), None))

    @phrasebook.foreign(phrasebook.SHUFFLE)
    def shuffle(self, seed: int = 0) -> Self:
        """Shuffle rows with a seed; the order is the same on every machine and in every release."""
        selection = Shuffled(self._selection, whole("seed", seed), range(len(self)))
        return replace(self, _selection=selection)

    def shard(self, index: int, count: int) -> Self:
        """Return every `count`-th row, starting at row `index`.

        Together, the shards 0 … count-1 hold each row once.

        Raises:
            ArgumentError: `count` is less than 1, or `index` is not in 0 … count-1.
        """
        count = whole("count", count, least=1)
        index = whole("index", index, least=0, most=count - 1)
        return self._slice(slice(index, None, count))

    def split(
        self, *shares: float, seed: int | None = None, stratify: str | None = None
    ) -> list[Self]:
        """Divide the rows into parts, one for each share and one for the remaining rows.

        ``train, held_out = ds.split(0.9, seed=0, stratify="label")``

        Args:
            *shares: fraction of the rows in each part, above 0; at most 1 in total.
            seed: seed for shuffling before the split; None keeps the order of rows.
            stratify: column whose values have the same proportion in each part, to within one row.

        Raises:
            ArgumentError: a share is not above 0, or the shares add up to more than 1.
            UnknownNameError: the column `stratify` does not exist.
            SchemaError: the rows of the column `stratify` are not single values.
        """
        if stratify is not None:
            classes = class_numbers(self, stratify)
            return [self.select(part) for part in cut_stratified(classes, shares, seed)]
        rows = self if seed is None else self.shuffle(seed)
        return [rows._slice(part) for part in cut(len(self), shares)]

    def folds(
        self, count: int, *, seed: int | None = None, stratify: str | None = None
    ) -> list[tuple[Self, Self]]:
        """Return `count` pairs of training rows and held-out rows, for cross-validation.

        Every row is held out exactly once. Rows keep their order.

        Args:
            count: number of folds; fold sizes differ by at most one row.
            seed: seed to assign rows to folds; None makes folds of consecutive rows.
            stratify: column whose values have the same proportion in each fold, to within one row.

        Raises:
            ArgumentError: there are fewer than 2 folds, or more folds than rows.
            UnknownNameError: the column `stratify` does not exist.
            SchemaError: the rows of the column `stratify` are not single values.
        """
        classes = None if stratify is None else class_numbers(self, stratify)
        numbers = fold(len(self), count, seed, classes)
        return [(self.select(numbers != i), self.select(numbers == i)) for i in range(count)]

    @staticmethod
    def mix(datasets: Sequence["Dataset"], weights: Sequence[float] | None = None) -> Mixture:
        """Mix rows of several datasets with equal columns in each batch.

        ``Dataset.mix([news, books], weights=[0.3, 0.7]).batches(128, seed=0)``; see `Mixture`.
        """
        return Mixture(datasets, weights)

    def filter(
        self, keep: Callable[[Batch], np.ndarray], *, columns: Sequence[str] | None = None
    ) -> Self:
        """Return the rows that a function selects.

        ``ds.filter(lambda batch: batch["label"] < 5, columns=["label"])``

        Args:
            keep: function of a batch of up to 1,024 rows (16 if files are decoded) that returns a
                bool for each row.
            columns: columns to pass to `keep`; fewer are faster. None passes all columns.
        """
        view = self if columns is None else self.columns(columns)
        return self.select(filter_rows(view, keep, view._block))

    @phrasebook.foreign(phrasebook.BATCHES)
    @takes(BatchOptions)
    def batches(self, options: BatchOptions) -> Loader:
        """Return a loader that yields batches of `size` rows; each iteration is an epoch.

        Args:
            size: rows per batch; the last batch of an epoch can have fewer.
            shuffle: `True` for a new order of all rows in each epoch, which depends only on seed
                and epoch; `"blocks"` for data larger than memory, see
                `dshub.loading.order.Blocks`.
            seed: seed of the order and of random transforms.
            drop_last: whether to drop a last batch with fewer rows.
            transform: one or more transforms from `dshub.loading.transforms`, or callables. A
                callable takes a batch (a dict of arrays, which it can change) and returns a batch.
                If it has a parameter `generator`, it receives a `numpy.random.Generator`.
            layout: `hwc`, or `chw` for images with channels first. dshub transforms come first and
                always receive channels last. Other callables receive the requested layout, except
                that torchvision and albumentations transforms receive one image at a time: a tensor
                with channels first (torchvision), or an array with channels last (albumentations).
            supervised: whether batches are `(x, y)` instead of dicts.
            weights: weight of each row, to draw rows with replacement.
            bucket: column of text or lists; the rows of a batch have similar lengths in it.
            rank, world: number of this process and number of all processes; by default from
                `torch.distributed`, or from the environment of torchrun, MPI or Slurm.
            uneven: how to share rows if `world` does not divide them: `pad`, `drop` or `exact`; see
                `dshub.loading.order.Share`. `loader.share.counts` has the rows of each rank.
            threads: threads that prepare batches in advance; 0 prepares each batch on demand, which
                is always the case for torchvision transforms, because they use torch's global
                generator.
            prefetch: maximum size of batches prepared in advance, in bytes.

        Raises:
            ArgumentError: an option has an invalid value.
            UnknownNameError: the column `bucket` does not exist.
            SettingsError: the rank in the environment is not below the world size.
        """
        return Loader(self, options)

    def numpy(self) -> Batch:
        """Return whole columns by name, as views of the memory map if possible."""
        lazy = {name: self._column(name) for name in self.encoded}
        arrays = self.columns([name for name in self._names if name not in lazy])._span()
        return {name: lazy[name] if name in lazy else arrays[name] for name in self._names}

    def arrow(self) -> pa.Table:
        """Return a `pyarrow.Table`, with images and audio as encoded files.

        Consecutive rows are not copied. Other rows are copied, for example after `shuffle`.
        """
        return arrow_table(self._source, self._names, self._source_rows())


def _plain(value: Any) -> Any:
    """Convert NumPy scalars to Python numbers."""
    return value.item() if isinstance(value, np.generic) else value
