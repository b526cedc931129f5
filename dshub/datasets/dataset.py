"""`Dataset`: an immutable view of some rows and columns of a source."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, cast, overload

import numpy as np
import pyarrow as pa

from dshub import plugins
from dshub._validate import NAME, called, flag, whole
from dshub.cache.paths import DERIVED
from dshub.catalog import phrasebook
from dshub.catalog.features import Feature, ImageFeature, is_encoded
from dshub.catalog.manifest import Inputs, Manifest, Pair
from dshub.datasets.arrow import arrow_table
from dshub.datasets.decoding import Encoded, LazyColumn, decode_all
from dshub.datasets.derived import (
    CastSource,
    RenamedSource,
    SelectedSource,
    StackedSource,
    WidenedSource,
)
from dshub.datasets.folders import from_folder
from dshub.datasets.from_memory import from_arrays, from_arrow
from dshub.datasets.hugging_face import from_hf
from dshub.datasets.labels import AlignedSource, label_column
from dshub.datasets.mapping import MappedSource, plain
from dshub.datasets.mixing import Mixture
from dshub.datasets.packing import PackedSource
from dshub.datasets.saved import SavedSource, Saving, check_target
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
from dshub.datasets.values import counted, distinct, matched_rows, sorted_rows
from dshub.errors import ArgumentError, SchemaError
from dshub.loading.loader import Loader
from dshub.loading.options import BatchOptions, takes
from dshub.loading.pairs import check_pair, usable
from dshub.loading.transforms.transform import Batch
from dshub.progress import choose
from dshub.settings import Settings
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
    _supervised: Pair | None = None
    _decoded: bool = True
    _verb: ClassVar = "rows"

    # Constructors

    @classmethod
    def from_tables(cls, folders: Sequence[Path]) -> Self:
        """Concatenate prepared tables, with the columns that all of them have."""
        return cls._of(TableSource(folders))

    @classmethod
    def from_arrays(
        cls,
        columns: Mapping[str, np.ndarray | Sequence[Any]],
        *,
        features: Mapping[str, Feature] | None = None,
        supervised: Pair | None = None,
    ) -> Self:
        """Use your own arrays, (rows, …), without copying them, or lists.

        A list holds `str`; or `bytes`, which are image or audio files; or an array or a list for
        each row, of any length.

        Args:
            columns: by name, all of one length.
            features: of columns, such as class names; by default inferred from dtype and shape.
                Files need one.
            supervised: the columns that become `(x, y)`; each part can be a list of columns.

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
        supervised: Pair | None = None,
    ) -> Self:
        """Use a `pyarrow.Table` of numbers, text, lists and files, without copying it.

        Args:
            table: without missing values; or a `DataFrame` of pandas or polars, a relation of
                DuckDB, a `RecordBatchReader`, or anything else with Arrow's C stream interface.
            features: of columns, which are converted to them: text can become classes or
                numbers. By default inferred from the type; `binary` needs one.
            supervised: the columns that become `(x, y)`; each part can be a list of columns.

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
        supervised: Pair | None = None,
        selection: Selection | None = None,
    ) -> Self:
        names = tuple(source.features)
        if supervised is not None:
            supervised = check_pair(supervised, names)
        elif source.manifest is not None:
            supervised = source.manifest.supervised  # of a split that can hide its labels
        rows = range(source.rows) if selection is None else selection
        return cls(source, rows, names, supervised)

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open a folder that `save` wrote, as a memory map.

        Raises:
            StoreError: the folder has no saved dataset, or a damaged one.
        """
        source = SavedSource(Path(folder))
        return cls._of(source, source.record.supervised)

    @classmethod
    def concat(cls, datasets: Sequence["Dataset"]) -> Self:
        """Concatenate datasets with equal columns; `a + b` does the same.

        Raises:
            SchemaError: a column is missing in a dataset, or has another feature there.
            ArgumentError: the list is empty.
        """
        datasets = list(datasets)
        if not datasets:
            raise ArgumentError(name="datasets", value=datasets, expected="at least one dataset")
        first = datasets[0]
        stacked = StackedSource([dataset._base() for dataset in datasets])
        return cast("Self", first._derived(stacked, names=first._names))

    def __add__(self, other: "Dataset") -> Self:
        return self.concat([self, other]) if isinstance(other, Dataset) else NotImplemented

    def _base(self) -> Source:
        """Return a source of exactly these rows and columns, without decoding."""
        source = self._source
        same = isinstance(self._selection, range) and self._selection == range(source.rows)
        if same and self._names == tuple(source.features):
            return source
        return SelectedSource(source, self._selection, self._names)

    def _derived(
        self,
        source: Source,
        *,
        names: Sequence[str] | None = None,
        supervised: Pair | None = None,
    ) -> Self:
        """Return all rows of a source that was made from these."""
        return replace(
            self,
            _source=source,
            _selection=range(source.rows),
            _names=tuple(source.features if names is None else names),
            _supervised=supervised or self._supervised,
        )

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
    def supervised(self) -> Pair | None:
        """The columns that become `(x, y)`; None unless all are present."""
        return usable(self._supervised, self._names)

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
    def __getitem__(self, key: str) -> Any: ...  # an array, or a sequence for text and files
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
        return {name: plain(values[0]) for name, values in row.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for start in range(0, len(self), self._block):
            columns = self[start : start + self._block]
            for i in range(min(self._block, len(self) - start)):
                yield {name: plain(values[i]) for name, values in columns.items()}

    def gather(self, rows: np.ndarray) -> Batch:
        """Read the rows at some positions, in the given order, into new arrays.

        Args:
            rows: int64, each from 0 to len - 1; not checked.
        """
        return self._read(self.numbers(rows))

    def positions(self, key: Any) -> np.ndarray:
        """Return the positions that a key of `__getitem__` selects, int64; errors as there."""
        if isinstance(key, slice):
            return np.arange(len(self), dtype=np.int64)[key]
        several = isinstance(key, list | tuple) or np.ndim(key) > 0
        return positions_of(key, len(self)) if several else position_of(key, len(self))

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
        batch = self._source.batch(self._names, rows)
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

    def where(self, row: int) -> str:
        """Describe a row for an error message: `mnist@1.0.0, split train, row 3`."""
        return self._source.where(int(self.numbers(np.array([row]))[0]))

    def rename(self, names: Mapping[str, str]) -> Self:
        """Rename columns: ``ds.rename({"label": "y"})``.

        Args:
            names: new name of each column to rename, by its old name.

        Raises:
            UnknownNameError: there is no such column.
            ArgumentError: two columns would have the same name.
        """
        check_columns(list(names), self._names, self.manifest)
        new = {names.get(name, name): name for name in self._names}
        if len(new) < len(self._names):
            expected = "new names that no other column has"
            raise ArgumentError(name="names", value=dict(names), expected=expected)

        def renamed(part: Inputs) -> Inputs:
            if isinstance(part, str):
                return names.get(part, part)
            return tuple(names.get(name, name) for name in part)

        pair = self._supervised and (renamed(self._supervised[0]), renamed(self._supervised[1]))
        return self._derived(RenamedSource(self._base(), new), supervised=pair)

    def with_column(
        self, name: str, values: np.ndarray | Sequence[Any], feature: Feature | None = None
    ) -> Self:
        """Add or replace a column.

        Args:
            name: of the column.
            values: one for each row; see `from_arrays`.
            feature: by default inferred from the values.

        Raises:
            SchemaError: the number of values differs, or they do not fit the feature.
        """
        features = {} if feature is None else {name: feature}
        added = from_arrays({name: values}, features)
        if added.rows != len(self):
            expected = f"{len(self):,} values, one for each row"
            raise SchemaError(where=f"column {name}", expected=expected, got=f"{added.rows:,}")
        return self._derived(WidenedSource(self._base(), added))

    def add_index(self, name: str = "index") -> Self:
        """Add a column with the number of each row, int64, from 0."""
        return self.with_column(name, np.arange(len(self), dtype=np.int64))

    def cast(self, features: Mapping[str, Feature]) -> Self:
        """Convert columns when they are read.

        Integers may change their width if every value fits, and become floats that hold them
        exactly; floats may become narrower. Text becomes a number, or a class by its name.

        Args:
            features: new feature of each column to convert.

        Raises:
            UnknownNameError: there is no such column.
            SchemaError: one of the first rows cannot be converted; or, later, another row.
        """
        check_columns(list(features), self._names, self.manifest)
        source = CastSource(self._base(), features)
        source.batch(list(features), range(min(BLOCK, len(self))))
        return self._derived(source)

    def map(
        self,
        function: Callable[[Any], Mapping[str, Any]],
        *,
        batched: bool = False,
        columns: Sequence[str] | None = None,
        features: Mapping[str, Feature] | None = None,
        batch_size: int = 1000,
    ) -> Self:
        """Add or replace columns with a function, which is called when rows are read.

        ::

            ds.map(lambda row: {"words": len(row["text"].split())})
            ds.map(tokenize, batched=True, columns=["text"]).cache("imdb-bert")

        The result is computed again whenever rows are read; `cache` keeps it. Remove columns with
        `without` or `columns`.

        Args:
            function: gets a row as a dict, and returns a dict of new values; it should depend on
                nothing but the row.
            batched: call it with columns of several rows, and expect columns.
            columns: columns that it needs; fewer are faster. None means all.
            features: of new columns; by default inferred from the first 100 rows. A replaced
                column keeps its feature if the new values fit.
            batch_size: rows per call at most, if batched.

        Raises:
            FunctionError: the function fails; names it, the row and its values.
            SchemaError: a result has another type than that of the first rows, or no feature.
        """
        called("function", function, "a row or a batch that returns a dict of columns")
        inputs = self if columns is None else self.columns(columns)
        mapped = MappedSource(
            self._base(),
            inputs,
            function,
            batched=flag("batched", batched),
            batch_size=whole("batch_size", batch_size, least=1),
            features=features or {},
        )
        return self._derived(mapped)

    def pack(self, column: str, length: int, *, target: str = "target") -> Self:
        """Concatenate lists of tokens and cut them into windows, with targets one token later.

        ``ds.map(tokenize).pack("tokens", 128).batches(32, supervised=True)``

        Args:
            column: lists of token ids.
            length: tokens in a window.
            target: name of the column with the shifted windows.

        Returns:
            A dataset of two columns, (length,) each, which become `(x, y)`. Tokens that fill no
            window are left out.

        Raises:
            UnknownNameError: there is no such column.
            SchemaError: its rows are not lists of numbers, or too short for one window.
        """
        length = whole("length", length, least=1)
        return self._derived(
            PackedSource(self, column, length, target), supervised=(column, target)
        )

    def cache(
        self,
        name: str,
        *,
        version: str = "1",
        workers: int = 1,
        folder: str | Path | None = None,
    ) -> Self:
        """Compute all rows once, keep them in the cache, and open them as a memory map.

        The next call with the same source, columns, name and version opens the result in
        milliseconds. The code of functions is not looked at: choose another version when a
        function changes. An interrupted run continues with its next shard.

        Args:
            name: of the result, such as `imdb-bert`.
            version: of the result.
            workers: processes that compute rows.
            folder: the cache folder; by default that of the settings.

        Raises:
            ArgumentError: the name has characters that no folder should have.
            FunctionError, SchemaError: a row cannot be computed.
            StoreError: the cache cannot be written.
        """
        if not isinstance(name, str) or not NAME.fullmatch(name):
            expected = "lowercase letters, digits, '-', '_' and '.', such as 'imdb-bert'"
            raise ArgumentError(name="name", value=name, expected=expected)
        settings = Settings.read()
        saving = self._saving(f"{name}, version {version}", version)
        key = hashlib.sha256(f"{saving.identity} {name} {version}".encode()).hexdigest()[:16]
        path = Path(folder or settings.cache) / DERIVED / name / key
        saving.write(path, workers=_workers(workers), progress=choose(settings.progress))
        return self.open(path)

    def save(self, folder: str | Path, *, workers: int = 1) -> None:
        """Write all rows into a new folder, which `Dataset.open` reads on any machine.

        An interrupted run continues with its next shard.

        Args:
            folder: must not exist, or have these rows already.
            workers: processes that compute rows.

        Raises:
            StoreError: the folder has other content, or cannot be written.
            FunctionError, SchemaError: a row cannot be computed.
        """
        path, saving = Path(folder), self._saving(Path(folder).name)
        check_target(path, saving.identity)
        progress = choose(Settings.read().progress)
        saving.write(path, workers=_workers(workers), progress=progress)

    def _saving(self, title: str, version: str = "") -> Saving:
        return Saving(
            source=self._base(),
            names=self._names,
            identity=self.decode().fingerprint,
            title=title,
            version=version,
            supervised=self.supervised,
        )

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

    def sort(self, column: str, *, reverse: bool = False) -> Self:
        """Sort rows by a column of numbers, classes (by number) or text; equal rows keep order.

        Raises:
            UnknownNameError, SchemaError: there is no such column, or its rows are not single
                values.
        """
        return self.select(sorted_rows(self, column, reverse=flag("reverse", reverse)))

    def sample(self, count: int, *, seed: int = 0) -> Self:
        """Choose `count` random rows without repetition, or all if there are fewer."""
        return self.shuffle(seed).take(count)

    def unique(self, column: str) -> list[Any]:
        """Return the distinct values of a column, sorted; classes as numbers.

        Raises:
            UnknownNameError, SchemaError: see `sort`.
        """
        return distinct(self, column)

    def counts(self, column: str) -> dict[Any, int]:
        """Count the rows of each class by name, or of each number or text, in sorted order.

        Raises:
            UnknownNameError, SchemaError: see `sort`.
        """
        return counted(self, column)

    def join(self, other: "Dataset", on: str) -> Self:
        """Add the columns of the rows of another dataset that have the same value in a column.

        Rows without a match are left out; the others keep their order.

        Args:
            other: has each value of that column at most once.
            on: column of both.

        Raises:
            UnknownNameError, SchemaError: see `sort`; or `other` has a value twice.
            ArgumentError: another column is in both datasets.
        """
        rows, matches = matched_rows(self, other, on)
        added = other.without([on]).select(matches)
        for name in added.features:
            if name in self.features:
                expected = f"a dataset without column {name!r}, which both have"
                hint = f'other.rename({{{name!r}: "…"}})'
                raise ArgumentError(name="other", value=other, expected=expected, hint=hint)
        base = self.select(rows)._base()
        return self._derived(WidenedSource(base, added._base()))

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

    def filter(self, keep: Callable[[Any], Any], *, columns: Sequence[str] | None = None) -> Self:
        """Keep the rows for which a function is true.

        ::

            ds.filter(lambda row: row["text"].startswith("A"))
            ds.filter(lambda batch: batch["label"] < 5, columns=["label"])   # faster

        Args:
            keep: gets columns of up to 1,024 rows (fewer if images are decoded), and returns a
                bool for each row. If that fails, it gets each row and returns a bool.
            columns: columns that it needs; fewer are faster. None means all.

        Raises:
            ArgumentError: `keep` does not return bools.
            FunctionError: it fails; names the row and its values.
        """
        view = self if columns is None else self.columns(columns)
        return self.select(kept_rows(view, keep, view._block))

    # Output

    def pair(self, supervised: bool | Pair) -> Pair | None:  # noqa: FBT001  # as in `batches`
        """Return the columns of `(x, y)` that an argument `supervised` means; None for False.

        Raises:
            ArgumentError, UnknownNameError: it names no pair of columns of these rows.
        """
        options = BatchOptions(1, supervised=supervised)
        options.check_columns(self)
        return options.pair(self)

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
            supervised: batches are `(x, y)` instead of dicts: True for the columns that the dataset
                states, or a pair of columns, ``("image", "label")``. A part can be a list of
                columns, which become one array if they hold single numbers, else a dict.
            weights: draw rows with replacement, in proportion to these weights.
            bucket: a column of text or lists; the rows of a batch have about the same length in
                it.
            pad: fill value of each column of lists to pad at the end, to the longest row of the
                batch: ``pad={"input_ids": 0}``. Columns that transforms add can be padded, too.
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


def _workers(count: Any) -> int:
    return whole("workers", count, least=0)
