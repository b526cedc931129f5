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
    sliced,
)
from dshub.datasets.sources import Source, TableSource
from dshub.datasets.splitting import class_numbers, cut, fold, kept_rows, stratified
from dshub.loading.loader import Loader
from dshub.loading.options import BatchOptions, takes
from dshub.loading.transforms.transform import Batch
from dshub.tables.columns import Values

BLOCK = 1024  # rows read at a time to iterate or filter
DECODED_BLOCK = 16  # the same for decoded rows: photos take some MB each


@dataclass(frozen=True, eq=False)
class Dataset(plugins.FrameworkMethods):
    """Rows and columns, immutable; every method returns a new view and copies nothing.

    ::

        ds[3]            a row: {"image": uint8 (28, 28, 1), "label": int}
        ds[10:20]        columns of ten rows: {"image": uint8 (10, 28, 28, 1), …}
        ds[[1, 5]]       columns of the rows 1 and 5
        ds["label"]      a whole column: int64 (rows,), a view of the memory map if possible

    Images are RGB or gray, uint8 (height, width, channels); audio is int16 (samples,) or (samples,
    channels); labels are int64; text is `str`; a list is an array (values, …), or a list of `str`.
    Several rows are one array if all rows have one shape, else a list. Encoded images and audio
    are decoded when a row is read; a whole column of them is a sequence that decodes row by row.

    Arrays that are views are read-only. A dataset pickles to a few hundred bytes, for worker
    processes.

    Get one from `dshub.load`, or from your own data with the `from_…` methods.
    """

    _source: Source
    _selection: Selection
    _names: tuple[str, ...]
    _supervised: tuple[str, str] | None = None
    _decoded: bool = True
    _verb: ClassVar = "rows"

    # Constructors

    @classmethod
    def from_tables(cls, folders: Sequence[Path], manifest: Manifest | None = None) -> Self:
        """Concatenate prepared tables, with the columns that all of them have.

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
        """Use your own arrays, (rows, …), without copying them, or lists.

        A list holds `str`; or `bytes`, which are image or audio files; or an array or a list for
        each row, of any length.

        Args:
            columns: by name, all of one length.
            features: of columns, such as class names; by default inferred from dtype and shape.
                Files need one.
            supervised: the columns that become `(x, y)`.

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
        """Use a `pyarrow.Table` of numbers, text, lists and files, without copying it.

        Args:
            table: without missing values; or a `DataFrame` of pandas or polars, a relation of
                DuckDB, a `RecordBatchReader`, or anything else with Arrow's C stream interface.
            features: of columns, which are converted to them: text can become classes or
                numbers. By default inferred from the type; `binary` needs one.
            supervised: the columns that become `(x, y)`.

        Raises:
            SchemaError: a column does not fit its feature, or has a missing value.
            UnknownNameError: `supervised` names an unknown column.
        """
        return cls._of(from_arrow(table, features), supervised)

    @classmethod
    def from_folder(cls, path: str | Path, split: str | None = None) -> Self:
        """Use images or audio files in a folder for each class, ``cat/1.jpg``, ``dog/7.jpg``.

        Rows are sorted by class and file name, with columns `image` (or `audio`) and `label`.
        Files outside of class folders have no label. Folders such as `train`, `val` and `test`
        are splits, all with the same classes. Files are read when their rows are read. The
        fingerprint covers names, sizes and modification times.

        Args:
            path: the folder.
            split: `train`, `train[:10%]`, `train+val`; by default, the folder itself holds the
                classes.

        Raises:
            ReadError: the folder is missing or empty; or, later, a file is damaged.
            ArgumentError, UnknownNameError, SplitError: the folder has splits, and `split` does
                not name one of them.
            SchemaError: it holds both images and audio, or audio files of several kinds.
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
        """Use a `datasets.Dataset` of Hugging Face, over the same Arrow data.

        Class names, images, audio, lists and arrays keep their meaning. A column of classes that
        are all hidden (-1) is left out.

        Args:
            dataset: one split.
            features: of columns that `datasets` calls `binary`.
            title: of the dataset, for errors.

        Raises:
            SchemaError: no feature fits a column, or it has a missing value.
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
            supervised = source.manifest.supervised  # of a split that can hide its labels
        rows = range(source.rows) if selection is None else selection
        return cls(source, rows, names, supervised)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out cached values."""
        return {name: value for name, value in vars(self).items() if name.startswith("_")}

    if not TYPE_CHECKING:  # or a type checker would allow any attribute

        def __getattr__(self, name: str) -> NoReturn:
            raise phrasebook.missing(self, name, phrasebook.DATASET)

    # Properties

    @property
    def files(self) -> Sequence[Path]:
        """The Arrow files of the prepared tables that hold the rows; empty for own data."""
        return self._source.files

    @property
    def stretch(self) -> range | None:
        """The rows of those files that these are, if they are consecutive; else None."""
        rows = self._selection
        if isinstance(rows, range) and rows.step == 1:
            return range(rows.start, rows.start + len(rows))
        return None

    def __len__(self) -> int:
        return len(self._selection)

    @cached_property
    def features(self) -> dict[str, Feature]:
        """The columns in order, with their features."""
        return {name: self._source.features[name] for name in self._names}

    @property
    def manifest(self) -> Manifest | None:
        """Describes the dataset: name, version, license, citation; None for own data."""
        return self._source.manifest

    @property
    def supervised(self) -> tuple[str, str] | None:
        """The columns that become `(x, y)`; None unless both are present."""
        pair = self._supervised
        return pair if pair is not None and set(pair) <= set(self._names) else None

    @property
    def pictures(self) -> list[str]:
        """The columns whose rows are images, rather than image files."""
        return [
            name
            for name, kind in self.features.items()
            if isinstance(kind, ImageFeature) and (self._decoded or not is_encoded(kind))
        ]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 that identifies these rows and columns, to log with a result.

        Views created in the same way have the same fingerprint. Views of the same rows can have
        different ones, such as ``ds.take(3)`` and ``ds.select([0, 1, 2])``.
        """
        return fingerprint(
            self._source.identity, self._selection, self._names, decoded=self._decoded
        )

    def __repr__(self) -> str:
        manifest = self.manifest
        title = manifest.identifier if manifest is not None else "own data"
        note = ", synthetic" if manifest is not None and manifest.synthetic else ""
        return f"<Dataset {title}{note}: {len(self):,} rows of {', '.join(self._names)}>"

    # Rows and columns

    @overload
    def __getitem__(self, key: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, key: str) -> np.ndarray | Sequence[Any]: ...
    @overload
    def __getitem__(self, key: slice | Sequence[int] | np.ndarray) -> Batch: ...
    def __getitem__(self, key: Any) -> Any:
        """Read a row, a column, or columns of some rows; see the class.

        Raises:
            IndexError: a row is out of range.
            UnknownNameError: there is no such column.
        """
        if isinstance(key, str):
            return self._column(key)
        if isinstance(key, slice):
            return self._sliced(key)._span()
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
        """Read the rows at some positions, in the given order, into new arrays.

        Args:
            rows: int64, each from 0 to len - 1; not checked.
        """
        return self._read(self.numbers(rows))

    def without(self, names: Sequence[str]) -> Self:
        """The same rows without some columns."""
        return replace(self, _names=tuple(name for name in self._names if name not in names))

    def pixels(self, name: str) -> np.ndarray | None:
        """A column of raw images, of all rows of the source, if it is one array; else None."""
        feature = self.features[name]
        if not isinstance(feature, ImageFeature) or feature.encoding != "raw":
            return None
        return self._source.whole(name)

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """The numbers of rows in the source, int64."""
        return rows_at(self._selection, rows)

    def lengths(self, name: str, rows: np.ndarray) -> np.ndarray:
        """The lengths of texts (characters), files (bytes) or lists (values), int64."""
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
        rows = self.stretch
        return self.numbers(np.arange(len(self), dtype=np.int64)) if rows is None else rows

    def _read(self, rows: range | np.ndarray) -> Batch:
        """Read some rows of the source, and decode columns if they are encoded."""
        batch = {name: self._source.read(name, rows) for name in self._names}
        for name in self.encoded:
            feature, where = cast("Encoded", self.features[name]), partial(self._where, rows, name)
            batch[name] = decode_all(list(batch[name]), feature, where)
        return batch

    def _where(self, rows: range | np.ndarray, name: str, index: int) -> str:
        return f"{self._source.where(int(rows[index]))}, column {name}"

    @cached_property
    def encoded(self) -> list[str]:
        """The columns that are decoded when rows are read."""
        return [name for name in self._names if self._decoded and is_encoded(self.features[name])]

    @property
    def _block(self) -> int:
        """The number of rows to read at a time to visit all."""
        return DECODED_BLOCK if self.encoded else BLOCK

    # Views

    def _sliced(self, positions: slice) -> Self:
        return replace(self, _selection=sliced(self._selection, positions))

    def columns(self, names: Sequence[str]) -> Self:
        """The same rows with only those columns, in that order.

        Raises:
            UnknownNameError: there is no such column.
            ArgumentError: a column is named twice.
        """
        return replace(self, _names=check_columns(names, self._names, self.manifest))

    def decode(self, on: bool = True) -> Self:  # noqa: FBT001, FBT002  # `decode(False)` reads well
        """The same rows with images and audio decoded (the default), or as the `bytes` of files."""
        return replace(self, _decoded=on)

    def align_labels(self, names: Sequence[str], column: str | None = None) -> Self:
        """The same rows with classes numbered in the order of `names`, as in a model's outputs.

        ``ds.align_labels(model_classes)["label"]``

        Args:
            names: the name or code of each class of the column; extra names are allowed.
            column: of classes, or of lists of them; by default the only one, or `y`.

        Raises:
            SchemaError: lists the classes that are missing among the names, or match several.
            ArgumentError: `names` is not a list.
            UnknownNameError: there is no such column, or several are possible.
        """
        column, label = label_column(self.features, column, self.supervised)
        return replace(self, _source=AlignedSource(self._source, column, label, names))

    def select(self, rows: Sequence[int] | np.ndarray) -> Self:
        """The rows of those numbers (or where a mask is true), in that order."""
        return replace(self, _selection=self.numbers(positions_of(rows, len(self))))

    def take(self, count: int) -> Self:
        """The first `count` rows, or all if there are fewer."""
        return self._sliced(slice(0, max(whole("count", count), 0)))

    def skip(self, count: int) -> Self:
        """All rows but the first `count`."""
        return self._sliced(slice(max(whole("count", count), 0), None))

    @phrasebook.foreign(phrasebook.SHUFFLE)
    def shuffle(self, seed: int = 0) -> Self:
        """The same rows in the order of a seed: the same on every machine, in every release."""
        selection = Shuffled(self._selection, whole("seed", seed), range(len(self)))
        return replace(self, _selection=selection)

    def shard(self, index: int, count: int) -> Self:
        """Every `count`-th row from row `index`; the shards 0 … count-1 hold each row once.

        Raises:
            ArgumentError: the index is outside 0 … count-1.
        """
        count = whole("count", count, least=1)
        index = whole("index", index, least=0, most=count - 1)
        return self._sliced(slice(index, None, count))

    def split(
        self, *shares: float, seed: int | None = None, stratify: str | None = None
    ) -> list[Self]:
        """Divide the rows into consecutive parts, one for each share and one for the rest.

        ``train, held_out = ds.split(0.9, seed=0, stratify="label")``

        Args:
            *shares: of the rows, each above 0, at most 1 in total.
            seed: shuffle with it first; None keeps the order.
            stratify: a column whose values have the same proportion in each part, give or take a
                row.

        Raises:
            ArgumentError: the shares are invalid.
            UnknownNameError, SchemaError: there is no such column, or its rows are not single
                values.
        """
        if stratify is not None:
            classes = class_numbers(self, stratify)
            return [self.select(part) for part in stratified(classes, shares, seed)]
        rows = self if seed is None else self.shuffle(seed)
        return [rows._sliced(part) for part in cut(len(self), shares)]

    def folds(
        self, count: int, *, seed: int | None = None, stratify: str | None = None
    ) -> list[tuple[Self, Self]]:
        """Make `count` pairs of training rows and held-out rows, for cross-validation.

        Every row is held out once. Rows keep their order.

        Args:
            count: number of folds, whose sizes differ by at most a row.
            seed: decides which rows are held out together; None holds out consecutive rows.
            stratify: a column whose values are spread evenly over the folds, give or take a row.

        Raises:
            ArgumentError: there are fewer rows than folds.
            UnknownNameError, SchemaError: there is no such column, or its rows are not single
                values.
        """
        classes = None if stratify is None else class_numbers(self, stratify)
        numbers = fold(len(self), count, seed, classes)
        return [(self.select(numbers != i), self.select(numbers == i)) for i in range(count)]

    @staticmethod
    def mix(datasets: Sequence["Dataset"], weights: Sequence[float] | None = None) -> Mixture:
        """Mix several datasets with equal columns in the same batches.

        ``Dataset.mix([news, books], weights=[0.3, 0.7]).batches(128, seed=0)``; see `Mixture`.
        """
        return Mixture(datasets, weights)

    def filter(
        self, keep: Callable[[Batch], np.ndarray], *, columns: Sequence[str] | None = None
    ) -> Self:
        """The rows for which `keep` is true.

        ``ds.filter(lambda batch: batch["label"] < 5, columns=["label"])``

        Args:
            keep: takes columns of up to 1,024 rows (fewer if images are decoded), and returns a
                bool for each row.
            columns: the columns that it needs; fewer are faster. None means all.
        """
        view = self if columns is None else self.columns(columns)
        return self.select(kept_rows(view, keep, view._block))

    # Output

    @phrasebook.foreign(phrasebook.BATCHES)
    @takes(BatchOptions)
    def batches(self, options: BatchOptions) -> Loader:
        """Batches of `size` rows, epoch after epoch.

        Args:
            size: rows in a batch; the last one of an epoch may hold fewer.
            shuffle: `True` for a new order of all rows each epoch, a pure function of seed and
                epoch; `"blocks"` for data larger than memory, see `dshub.loading.order.Blocks`.
            seed: of the order, and of the random numbers of transforms.
            drop_last: leave out a last batch with fewer rows.
            transform: one or several of `dshub.loading.transforms`, or callables. A callable takes
                a batch (a dict of arrays, which it can change) and returns one; it gets a
                `numpy.random.Generator` if it has a parameter `generator`.
            layout: `hwc`, or `chw` for images with channels first. dshub's own transforms take
                channels last and come before callables, which get the requested layout.
                Transforms of torchvision get tensors, channels first, and those of
                albumentations arrays, channels last, in either layout: one image at a time.
            supervised: batches are `(x, y)` instead of dicts.
            weights: draw rows with replacement, in proportion to these weights.
            bucket: a column of text or lists; the rows of a batch have about the same length in
                it.
            rank, world: the number of this process, and of all; by default those of
                `torch.distributed`, or of torchrun, MPI or Slurm from the environment.
            uneven: what to do if `world` does not divide the rows: `pad`, `drop` or `exact`; see
                `dshub.loading.order.Share`. `loader.share.counts` are the rows of each rank.
            threads: threads that make batches in advance; 0 makes each batch on demand, as
                transforms of torchvision always need, because they use torch's global generator.
            prefetch: bytes of batches that can wait.

        Raises:
            ArgumentError: an option has an invalid value.
            UnknownNameError: `bucket` is not a column.
            SettingsError: the environment names a rank outside its world.
        """
        return Loader(self, options)

    def numpy(self) -> Batch:
        """Read whole columns, like `ds["label"]`: views of the memory map if possible."""
        lazy = {name: self._column(name) for name in self.encoded}
        rest = self.columns([name for name in self._names if name not in lazy])._span()
        return {name: lazy[name] if name in lazy else rest[name] for name in self._names}

    def arrow(self) -> pa.Table:
        """Make a `pyarrow.Table`, in which images and audio are files.

        Consecutive rows are not copied; others are, such as those after `shuffle`.
        """
        return arrow_table(self._source, self._names, self._source_rows())


def _plain(value: Any) -> Any:
    """Turn NumPy scalars into Python's own numbers."""
    return value.item() if isinstance(value, np.generic) else value
