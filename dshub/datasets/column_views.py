"""Rename, add, convert, compute and save columns of a dataset."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np

from dshub._validate import DEVICE, NAME, called, choice, flag, whole
from dshub.cache.paths import DATASET_FILE, DERIVED
from dshub.cache.usage import touch
from dshub.catalog.features import BoxFormat, Feature, StructFeature
from dshub.catalog.manifest import AnyPair, Inputs, Pair
from dshub.catalog.spellings import spelled
from dshub.datasets.boxes import BoxSource, check_boxes
from dshub.datasets.derived import (
    CastSource,
    FilledSource,
    FlatSource,
    RenamedSource,
    SelectedSource,
    WidenedSource,
)
from dshub.datasets.from_memory import check_features, from_arrays
from dshub.datasets.mapping import MappedSource
from dshub.datasets.packing import PackedSource
from dshub.datasets.resizing import ResizedSource, resizing_of
from dshub.datasets.saved import SavedSource, Saving, check_target
from dshub.datasets.selection import (
    Selection,
    check_columns,
    row_identity,
)
from dshub.datasets.sources import Source
from dshub.datasets.view import BLOCK, DECODED_BLOCK, RowView
from dshub.errors import ArgumentError, SchemaError
from dshub.loading.pairs import check_pair
from dshub.loading.transforms.transform import Size
from dshub.progress import choose
from dshub.settings import Settings
from dshub.tables.missing import is_valid

MAP_BLOCK = 1000  # rows per call of a function by default


class ColumnViews(RowView):
    """Base class of `Dataset` with the methods that change columns."""

    @classmethod
    def _of(
        cls,
        source: Source,
        supervised: AnyPair | None = None,
        selection: Selection | None = None,
    ) -> Self:
        names = tuple(source.features)
        if supervised is not None:
            supervised = check_pair(supervised, names)
        elif source.manifest is not None:
            supervised = source.manifest.supervised  # not checked, as a split can lack labels
        rows = range(source.rows) if selection is None else selection
        return cls(source, rows, names, supervised)

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open a folder that `save` created, as a memory map.

        Raises:
            StoreError: the folder does not contain a saved dataset, or the dataset is damaged.
        """
        source = SavedSource(Path(folder))
        return cls._of(source, source.record.supervised)

    def _base(self) -> Source:
        """Return a source of only the rows and columns of this view, without decoding."""
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
        """Return a view of all rows of a source that is derived from this view."""
        return replace(
            self,
            _source=source,
            _selection=range(source.rows),
            _names=tuple(source.features if names is None else names),
            _supervised=supervised or self._supervised,
        )

    @cached_property
    def row_identity(self) -> str:
        """SHA-256 that identifies the rows in states of loaders, whatever their columns.

        For your own data, it comes from the features and a sample of the rows; for folders, from
        the names of the files.
        """
        return row_identity(self._source.row_identity, self._selection, self._source.rows)

    def rename(self, names: Mapping[str, str]) -> Self:
        """Rename columns: ``ds.rename({"label": "y"})``.

        Args:
            names: new column names by old name.

        Raises:
            UnknownNameError: a column does not exist.
            ArgumentError: two columns would have the same name.
        """
        check_columns(list(names), self._names, self.manifest)
        new = {names.get(name, name): name for name in self._names}
        if len(new) < len(self._names):
            expected = "a dict of new names that no other column has"
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
            name: name of the column.
            values: one value per row; see `from_arrays`.
            feature: feature of the column; by default inferred from the values.

        Raises:
            SchemaError: `values` does not have one value per row, or does not fit the feature.
        """
        features = {} if feature is None else {name: feature}
        added = from_arrays({name: values}, features)
        if added.rows != len(self):
            expected = f"{len(self):,} values, one for each row"
            raise SchemaError(where=f"column {name}", expected=expected, got=f"{added.rows:,}")
        return self._derived(WidenedSource(self._base(), added))

    def add_index(self, name: str = "index") -> Self:
        """Add a column that numbers the rows from 0, int64."""
        return self.with_column(name, np.arange(len(self), dtype=np.int64))

    def cast(self, features: Mapping[str, Feature]) -> Self:
        """Convert columns when they are read.

        Integers can change their width if every value fits, or become floats that represent
        every value exactly. Floats can become narrower. Text can become numbers, or labels if it
        contains class names.

        Args:
            features: new feature of each column to convert.

        Raises:
            UnknownNameError: a column does not exist.
            SchemaError: one of the first rows cannot be converted, or boxes have another format.
                Other rows raise this error when they are read.
        """
        check_columns(list(features), self._names, self.manifest)
        check_features(features)
        for name, feature in features.items():
            check_boxes(name, self.features[name], feature)
        source = CastSource(self._base(), features)
        source.batch(list(features), range(min(BLOCK, len(self))))
        return self._derived(source)

    def convert_boxes(self, format: BoxFormat, *, relative: bool | None = None) -> Self:  # noqa: A002  # the field's term
        """Convert all bounding boxes to another format when they are read.

        ::

            ds.convert_boxes("xyxy")                      # as torchvision needs them
            ds.convert_boxes("cxcywh", relative=True)     # as YOLO stores them

        Args:
            format: `xyxy`, `xywh` or `cxcywh`; see `dshub.catalog.features.BoxFeature`.
            relative: True for fractions of the width and height of the image, False for pixels, or
                None for no change. A change takes the size from the columns `width` and `height`,
                or else from the image.

        Raises:
            ArgumentError: `format` or `relative` is invalid.
            SchemaError: no column has boxes, or the size of the image is unknown.
            ReadError: an image cannot be read; raised when its row is read.
        """
        chosen = choice("format", format, get_args(BoxFormat))
        relative = None if relative is None else flag("relative", relative)
        return self._derived(BoxSource(self._base(), chosen, relative=relative))

    def flatten(self, column: str | None = None) -> Self:
        """Replace columns of structs by a column for each of their fields.

        ::

            ds.flatten("objects")       # columns `objects.boxes`, `objects.labels`, …

        Frameworks without structs, such as TensorFlow, can then hold the columns.

        Args:
            column: column to replace; None for all structs, including those in structs.

        Raises:
            UnknownNameError: the column does not exist.
            SchemaError: the column does not hold structs, or a new name is taken.
        """
        if column is None:
            structs = (n for n, item in self.features.items() if isinstance(item, StructFeature))
            first = next(structs, None)
            return self._derived(self._base()) if first is None else self.flatten(first).flatten()
        check_columns([column], self._names, self.manifest)
        return self._derived(FlatSource(self._base(), column))

    def valid(self, column: str) -> np.ndarray:
        """Return which rows have a value in a column, bool (rows,).

        NaN and NaT are missing values, too.

        Raises:
            UnknownNameError: the column does not exist.
        """
        check_columns(column, self._names, self.manifest)
        return is_valid(self.columns([column]).decode(on=False)._span()[column])

    def fill(self, values: Mapping[str, Any]) -> Self:
        """Replace missing values when they are read: ``ds.fill({"age": 0})``.

        Args:
            values: replacement for each column, such as a number, a text or a class name.

        Raises:
            UnknownNameError: a column does not exist.
            SchemaError: a replacement does not fit its column.
        """
        check_columns(list(values), self._names, self.manifest)
        return self._derived(FilledSource(self._base(), values))

    def drop_missing(self, columns: str | Sequence[str] | None = None) -> Self:
        """Return a view of the rows that have a value in each of the columns.

        Args:
            columns: one or more columns; by default all of them.

        Raises:
            UnknownNameError: a column does not exist.
        """
        names = self._names if columns is None else columns
        checked = check_columns(names, self._names, self.manifest)
        valid = np.ones(len(self), bool)
        for name in checked:
            valid &= self.valid(name)
        return replace(self, _selection=self.numbers(np.flatnonzero(valid)))

    @spelled("map")
    def map(
        self,
        function: Callable[[Any], Mapping[str, Any]],
        *,
        batched: bool = False,
        columns: Sequence[str] | None = None,
        features: Mapping[str, Feature] | None = None,
        batch_size: int | None = None,
    ) -> Self:
        """Add or replace columns by calling a function when rows are read.

        ::

            ds.map(lambda row: {"words": len(row["text"].split())})
            ds.map(tokenize, batched=True, columns=["text"]).cache("imdb-bert")

        The function is called each time rows are read, unless `cache` stores the results. To
        remove columns, use `without` or `columns`.

        Args:
            function: takes a row as a dict, and returns a dict of new values. The result should
                depend only on the row.
            batched: whether the function takes columns of several rows and returns columns.
            columns: columns to pass to the function; fewer are faster. None passes all columns.
            features: features of new columns; by default inferred from up to 100 rows. A
                replaced column keeps its feature if the new values fit. An empty dataset gets
                only the columns of `features`.
            batch_size: maximum number of rows per call if `batched` is True; by default 1,000,
                or 16 if files are decoded.

        Raises:
            FunctionError: the function fails. The error names the function, the row and its
                values.
            SchemaError: a result differs in type from the first rows, or fits no feature.
        """
        called("function", function, "a row or a batch that returns a dict of columns")
        check_features(features or {})
        base, names = self._base(), self._names if columns is None else columns
        inputs = self.columns(names)._derived(base, names=names)
        least = DECODED_BLOCK if inputs.encoded else MAP_BLOCK
        mapped = MappedSource(
            base,
            inputs,
            function,
            batched=flag("batched", batched),
            block=least if batch_size is None else whole("batch_size", batch_size, least=1),
            features=features or {},
        )
        return self._derived(mapped)

    def resize(self, size: Size, *, encode: str | None = None) -> Self:
        """Resize all image columns when rows are read, so that `cache` stores smaller images.

        ::

            ds.resize(256).cache(workers=8)                 # JPEG files, shorter side 256
            ds.resize(256, encode="raw").cache(workers=8)   # pixels of 256x256, never decoded

        Training from the result is several times as fast, because smaller images take less time to
        decode, and raw pixels none. ``dshub prepare NAME --image-size 256`` computes the same
        result. Images are resized as by `dshub.loading.transforms.Resize`.

        Args:
            size: (height, width), or the length of the shorter side.
            encode: `raw` for pixels; `jpeg` or `jpeg:QUALITY` for JPEG files, by default of quality
                90. None means `raw` if all images get the same size, and `jpeg` otherwise. If
                images would differ in size, `raw` crops their longer side at the center.

        Raises:
            ArgumentError: `size` or `encode` is invalid.
            SchemaError: there is no image column, or its pixels are not uint8.
            DshubError: the dataset has boxes in pixels, which would not be resized.
        """
        resizing = resizing_of(self, size, encode)
        base, names = self._base(), tuple(resizing.encodings)
        inputs = self.columns(names).decode("pillow")._derived(base, names=names)
        return self._derived(ResizedSource(base, inputs, resizing))

    def pack(self, column: str, length: int, *, target: str = "target") -> Self:
        """Concatenate lists of tokens, and cut them into windows with targets one token ahead.

        ``ds.map(tokenize).pack("tokens", 128).batches(32, supervised=True)``

        Args:
            column: name of the column with lists of token ids.
            length: number of tokens per window.
            target: name of the new column with the shifted windows.

        Returns:
            A dataset with two columns of shape (length,), which become `(x, y)`. Tokens at the
            end that do not fill a window are dropped.

        Raises:
            UnknownNameError: the column does not exist.
            SchemaError: the column does not hold lists of numbers, or has too few tokens for
                one window.
        """
        length = whole("length", length, least=1)
        return self._derived(
            PackedSource(self, column, length, target), supervised=(column, target)
        )

    def cache(
        self,
        name: str | None = None,
        *,
        version: str = "1",
        workers: int = 1,
        folder: str | Path | None = None,
    ) -> Self:
        """Compute all rows once, store them in the cache, and open them as a memory map.

        The next call with the same source, columns, name and version opens the result in
        milliseconds. Changes to the code of a `map` function are not detected, so pass a new
        version after you change one. An interrupted run resumes with the next shard.

        Args:
            name: name of the result, such as `imdb-bert`; optional after `resize`.
            version: version of the result.
            workers: number of processes that compute rows.
            folder: cache folder; by default the one in the settings.

        Raises:
            ArgumentError: `name` is missing, or is not a valid folder name.
            FunctionError, SchemaError: a row cannot be computed.
            StoreError: the cache cannot be written.
        """
        path, saving = self._result(name, version, folder)
        progress = choose(Settings.read().progress)
        saving.write(path, workers=_workers(workers), progress=progress)
        touch(path)
        return self.open(path).decode(self._decoded)

    def is_cached(
        self, name: str | None = None, *, version: str = "1", folder: str | Path | None = None
    ) -> bool:
        """Return True if the cache has the result that `cache` would compute or open.

        Args:
            name, version, folder: arguments of `cache`.

        Raises:
            ArgumentError: `name` is missing, or is not a valid folder name.
        """
        return (self._result(name, version, folder)[0] / DATASET_FILE).is_file()

    def estimate_size(self) -> int:
        """Estimate the bytes that `cache` or `save` would write, by computing up to 256 rows.

        Raises:
            FunctionError, SchemaError, ReadError: a row cannot be computed.
        """
        return self._saving("estimate", "").estimate()

    def _result(
        self, name: str | None, version: str, folder: str | Path | None
    ) -> tuple[Path, Saving]:
        """Return the folder of a cached result, and the rows to save there."""
        name = self._source.cache_name if name is None else name
        valid = isinstance(name, str) and NAME.fullmatch(name)
        if not valid or any(map(DEVICE.fullmatch, name.split("/"))):
            expected = "lowercase letters, digits, '-', '_' and '.', such as 'imdb-bert'"
            raise ArgumentError(name="name", value=name or None, expected=expected)
        text = f"{self.decode().fingerprint} {name} {version}"
        identity = hashlib.sha256(text.encode()).hexdigest()
        path = Path(folder or Settings.read().cache) / DERIVED / name / identity[:16]
        return path, self._saving(f"{name}, version {version}", identity, version)

    def save(self, folder: str | Path, *, workers: int = 1) -> None:
        """Write all rows to a new folder, which `Dataset.open` can read on any machine.

        After an interruption, call `save` again to resume with the next shard. If you changed a
        `map` function, remove ``FOLDER.partial`` first.

        Args:
            folder: output folder, which must not exist.
            workers: number of processes that compute rows.

        Raises:
            StoreError: the folder exists or cannot be written.
            FunctionError, SchemaError: a row cannot be computed.
        """
        path = Path(folder)
        check_target(path)
        saving = self._saving(path.name, self.decode().fingerprint)
        progress = choose(Settings.read().progress)
        saving.write(path, workers=_workers(workers), progress=progress)

    def _saving(self, title: str, identity: str, version: str = "") -> Saving:
        return Saving(
            source=self._base(),
            names=self._names,
            identity=identity,
            row_identity=self.row_identity,
            title=title,
            version=version,
            supervised=self.supervised,
        )


def _workers(count: Any) -> int:
    return whole("workers", count, least=0)
