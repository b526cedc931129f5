"""`Dataset`: which rows, which columns, and how they are handed out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, cast, overload

import numpy as np
import pyarrow as pa

from dshub import plugins
from dshub._validate import whole
from dshub.catalog import phrasebook
from dshub.catalog.features import Feature, ImageFeature, is_encoded
from dshub.catalog.manifest import Manifest
from dshub.datasets.arrow import AlignedSource, arrow_table, chosen_column
from dshub.datasets.decoding import Encoded, LazyColumn, decode_all
from dshub.datasets.folders import from_folder
from dshub.datasets.from_memory import from_arrays, from_arrow, pair_of
from dshub.datasets.hugging_face import from_hf
from dshub.datasets.mixing import Mixture
from dshub.datasets.selection import (
    Selection,
    Shuffled,
    Span,
    fingerprint,
    known_columns,
    picked,
    position_of,
    positions_of,
    rows_at,
    sliced,
    stretch_of,
)
from dshub.datasets.sources import Source, TableSource
from dshub.datasets.splitting import classes_of, dealt, kept_by, shared_out, stratified
from dshub.loading.loader import Loader
from dshub.loading.options import BatchOptions, takes
from dshub.loading.transforms.transform import Batch
from dshub.tables.columns import Values

BLOCK = 1024  # rows read at a time when a dataset is iterated or filtered
DECODED_BLOCK = 16  # where they are decoded: photographs take some MB each


@dataclass(frozen=True, eq=False)
class Dataset(plugins.FrameworkMethods):
    """Rows and columns, immutable; every method gives a new view and copies nothing.

    ::

        ds[3]            a row: {"image": uint8 (28, 28, 1), "label": int}
        ds[10:20]        columns of ten rows: {"image": uint8 (10, 28, 28, 1), …}
        ds[[1, 5]]       columns of the rows 1 and 5
        ds["label"]      a whole column: int64 (rows,), a view of the memory map where it can be

    Pictures are RGB or grey, (height, width, channels), uint8; recordings int16 (samples,) or
    (samples, channels); labels int64; text `str`; lists an array (values, …), or a list of `str`.
    Several rows are one array where all rows have one shape, and a list where they may not. What
    is kept as files is decoded when a row is read; a whole column of it is a sequence that does
    so row by row.

    Arrays that are views are read-only. It pickles to a few hundred bytes, for worker processes.

    Get one from `dshub.load`, or from your own data with the methods `from_…`.
    """

    _source: Source
    _selection: Selection
    _names: tuple[str, ...]
    _supervised: tuple[str, str] | None = None
    _decoded: bool = True
    _verb: ClassVar = "rows"

    # Making one

    @classmethod
    def from_tables(cls, folders: Sequence[Path]) -> Self:
        """The rows of prepared tables, one behind the other; columns that all of them have."""
        return cls._of(TableSource(folders))

    @classmethod
    def from_arrays(
        cls,
        columns: Mapping[str, np.ndarray | Sequence[Any]],
        *,
        features: Mapping[str, Feature] | None = None,
        supervised: tuple[str, str] | None = None,
    ) -> Self:
        """Your own arrays, (rows, …), which are not copied, or lists.

        A list holds `str`; or `bytes`, the files of pictures or recordings; or for each row an
        array or a list of as many values as it has.

        Args:
            columns: by name, all of one length.
            features: what columns hold, such as class names; guessed from dtype and shape
                where not given. Files need one.
            supervised: the columns that `(x, y)` means.

        Raises:
            SchemaError: columns differ in length, or do not fit their features.
            UnknownNameError: `supervised` names another column.
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
        """A `pyarrow.Table` of numbers, text, lists and files, which is not copied.

        Args:
            table: without missing values; also a `DataFrame` of pandas or polars, a relation of
                DuckDB, a `RecordBatchReader`: whatever has Arrow's C stream interface.
            features: what columns hold, which are made to fit where they can: text becomes
                classes or numbers. Told by the type where not given; `binary` needs one.
            supervised: the columns that `(x, y)` means.

        Raises:
            SchemaError: a column cannot hold its feature, or lacks a value.
            UnknownNameError: `supervised` names another column.
        """
        return cls._of(from_arrow(table, features), supervised)

    @classmethod
    def from_folder(cls, path: str | Path, split: str | None = None) -> Self:
        """Pictures or recordings in a folder for each class, ``cat/1.jpg``, ``dog/7.jpg``.

        Rows come in the order of classes and names, with columns `image` (or `audio`) and
        `label`; files that lie in no folder make rows without a label. Folders such as `train`,
        `val` and `test` are splits, all with the same classes. Files are read when their rows
        are. A fingerprint goes by names, sizes and times of change.

        Args:
            path: the folder.
            split: `train`, `train[:10%]`, `train+val`; the folder itself holds the classes
                where not given.

        Raises:
            ReadError: there is no such folder, or nothing in it; or, later, a file is damaged.
            UnknownNameError, SplitError: it has splits and `split` says none of them.
            SchemaError: it holds both pictures and recordings, or recordings of several kinds.
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
        """A `datasets.Dataset` of Hugging Face, over the same Arrow data.

        Class names, pictures, recordings, lists and arrays keep their meaning. A column of
        classes that are all hidden (-1) is left out.

        Args:
            dataset: one split.
            features: what columns hold that `datasets` calls `binary`.
            title: what errors call it.

        Raises:
            SchemaError: a column holds what no feature does, or lacks a value.
        """
        return cls._of(*from_hf(dataset, features, title))

    @classmethod
    def _of(
        cls,
        source: Source,
        supervised: tuple[str, str] | None = None,
        selection: Selection | None = None,
    ) -> Self:
        names = tuple(source.features)
        if supervised is not None:
            supervised = pair_of(supervised, names)
        if supervised is None and source.manifest is not None:
            supervised = source.manifest.supervised  # of a split that may hide its labels
        return cls(source, selection or Span(0, source.rows), names, supervised)

    def __getstate__(self) -> dict[str, Any]:
        """What it is, without what was worked out from that."""
        return {name: value for name, value in vars(self).items() if name.startswith("_")}

    if not TYPE_CHECKING:  # a type checker knows which attributes there are

        def __getattr__(self, name: str) -> NoReturn:
            raise phrasebook.missing(self, name, phrasebook.DATASET)

    # What it is

    @property
    def files(self) -> Sequence[Path]:
        """The Arrow files of the prepared tables that its rows lie in; none for own data."""
        return self._source.files

    @property
    def stretch(self) -> range | None:
        """Which rows of those files these are, where they lie side by side in this order."""
        return stretch_of(self._selection)

    def __len__(self) -> int:
        return self._selection.length

    @cached_property
    def features(self) -> dict[str, Feature]:
        """The columns in order, and what each holds."""
        return {name: self._source.features[name] for name in self._names}

    @property
    def manifest(self) -> Manifest | None:
        """Where the rows come from: name, version, licence, citation; None for own data."""
        return self._source.manifest

    @property
    def supervised(self) -> tuple[str, str] | None:
        """The columns that `(x, y)` means, where both are there."""
        pair = self._supervised
        return pair if pair is not None and set(pair) <= set(self._names) else None

    @property
    def pictures(self) -> list[str]:
        """The columns whose rows are pictures, rather than files of them."""
        return [
            name
            for name, kind in self.features.items()
            if isinstance(kind, ImageFeature) and (self._decoded or not is_encoded(kind))
        ]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over which rows and columns these are, to log beside a result.

        Views made in the same way have the same. Views with the same rows may have different
        ones, such as ``ds[:3]``'s rows as ``ds.take(3)`` and as ``ds.select([0, 1, 2])``.
        """
        return fingerprint(
            self._source.identity, self._selection, self._names, decoded=self._decoded
        )

    def __repr__(self) -> str:
        manifest = self.manifest
        title = manifest.identifier if manifest is not None else "own data"
        note = ", synthetic stand-in" if manifest is not None and manifest.synthetic else ""
        return f"<Dataset {title}{note}: {len(self):,} rows of {', '.join(self._names)}>"

    # Rows and columns

    @overload
    def __getitem__(self, key: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, key: str) -> np.ndarray | Sequence[Any]: ...
    @overload
    def __getitem__(self, key: slice | Sequence[int] | np.ndarray) -> Batch: ...
    def __getitem__(self, key: Any) -> Any:
        """A row, a column, or columns of some rows; see the class.

        Raises:
            IndexError: there is no such row.
            UnknownNameError: there is no such column.
        """
        if isinstance(key, str):
            return self._column(key)
        if isinstance(key, slice):
            positions = range(*key.indices(len(self)))
            return self._with(sliced(self._selection, positions))._span()
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
        """Columns of the rows at some positions, in their order; new arrays.

        Args:
            rows: int64, each from 0 to len - 1; not checked.
        """
        chosen = rows_at(self._selection, rows)
        return {
            name: self._decode(name, self._source.gather(name, chosen), chosen)
            for name in self._names
        }

    def without(self, names: Sequence[str]) -> Self:
        """The same rows without some columns."""
        return replace(self, _names=tuple(name for name in self._names if name not in names))

    def pixels(self, name: str) -> np.ndarray | None:
        """A column of raw pictures of all rows of the source as one array, where it is one."""
        feature = self.features[name]
        if not isinstance(feature, ImageFeature) or feature.encoding != "raw":
            return None
        return self._source.whole(name)

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """Where rows stand in the source, int64."""
        return rows_at(self._selection, rows)

    def lengths(self, name: str, rows: np.ndarray) -> np.ndarray:
        """How long the text (in characters) or list (in values) of some rows is, int64."""
        values = self._source.gather(name, rows_at(self._selection, rows))
        return np.fromiter(map(len, values), np.int64, len(rows))

    def _column(self, name: str) -> np.ndarray | Sequence[Any]:
        view = self.columns([name])
        return (
            LazyColumn(view, name) if name in self.encoded else cast("Values", view._span()[name])
        )

    def _span(self) -> Batch:
        """All rows, as views where they lie side by side."""
        rows = self.stretch
        if rows is not None:
            return {
                name: self._decode(name, self._source.span(name, rows.start, rows.stop), rows)
                for name in self._names
            }
        return self.gather(np.arange(len(self), dtype=np.int64))

    def _decode(self, name: str, values: Values, rows: Sequence[int] | np.ndarray) -> Values:
        """Values of some rows of the source, as they are handed out."""
        feature = self._source.features[name]
        if not (self._decoded and isinstance(feature, Encoded) and is_encoded(feature)):
            return values
        where = self._source.where
        return decode_all(list(values), feature, lambda i: f"{where(int(rows[i]))}, column {name}")

    @cached_property
    def encoded(self) -> list[str]:
        """The columns that are decoded as their rows are read."""
        return [name for name in self._names if self._decoded and is_encoded(self.features[name])]

    @property
    def _block(self) -> int:
        """Rows that are read at a time by what walks over all of them."""
        return DECODED_BLOCK if self.encoded else BLOCK

    # Other views

    def _with(self, selection: Selection) -> Self:
        return replace(self, _selection=selection)

    def columns(self, names: Sequence[str]) -> Self:
        """Only those columns, in that order.

        Raises:
            UnknownNameError: there is no such column.
            ArgumentError: one is named twice.
        """
        return replace(self, _names=known_columns(names, self._names, self.manifest))

    def decode(self, on: bool = True) -> Self:  # noqa: FBT001, FBT002  # `decode(False)` reads well
        """Pictures and recordings decoded, as they are at first; or as `bytes`, their files."""
        return replace(self, _decoded=on)

    def align_labels(self, names: Sequence[str], column: str | None = None) -> Self:
        """The same rows, with classes numbered in the order of `names`, as a model's outputs are.

        ``ds.align_labels(model_classes)["label"]``

        Args:
            names: for each class of the column its name or its code, and any others.
            column: of classes, or of lists of them; the only one, or `y`, where not given.

        Raises:
            SchemaError: lists the classes that are not among the names, or twice.
            ArgumentError: the names are no list.
            UnknownNameError: there is no such column, or several that may be meant.
        """
        chosen = chosen_column(self.features, column, self.supervised)
        return replace(self, _source=AlignedSource(self._source, chosen, names))

    def select(self, rows: Sequence[int] | np.ndarray) -> Self:
        """The rows of those numbers (or where a mask is true), in that order."""
        return self._with(picked(self._selection, positions_of(rows, len(self))))

    def take(self, count: int) -> Self:
        """The first `count` rows, or all if there are fewer."""
        rows = range(len(self))[: max(whole("count", count), 0)]
        return self._with(sliced(self._selection, rows))

    def skip(self, count: int) -> Self:
        """All but the first `count` rows."""
        rows = range(len(self))[max(whole("count", count), 0) :]
        return self._with(sliced(self._selection, rows))

    @phrasebook.foreign(phrasebook.SHUFFLE)
    def shuffle(self, seed: int = 0) -> Self:
        """The same rows in the order of a seed: on every machine, in every release, the same."""
        return self._with(Shuffled(self._selection, whole("seed", seed), 0, len(self)))

    def shard(self, index: int, count: int) -> Self:
        """Every `count`-th row from row `index`: the shards of 0 … count-1 hold each row once.

        Raises:
            ArgumentError: the index is none of 0 … count-1.
        """
        count = whole("count", count, least=1)
        index = whole("index", index, least=0, most=count - 1)
        return self._with(sliced(self._selection, range(index, len(self), count)))

    def split(
        self, *shares: float, seed: int | None = None, stratify: str | None = None
    ) -> list[Self]:
        """Parts one behind the other, one for each share and one for what is left.

        ``train, held_out = ds.split(0.9, seed=0, stratify="label")``

        Args:
            *shares: of the rows, each above 0, together at most 1.
            seed: shuffle with it first; None keeps the order.
            stratify: a column whose values each part has in the same proportion, give or take
                a row.

        Raises:
            ArgumentError: the shares are not that.
            UnknownNameError, SchemaError: there is no such column, or it holds no single values.
        """
        if stratify is not None:
            classes = classes_of(self, stratify)
            return [self.select(part) for part in stratified(classes, shares, seed)]
        whole = self if seed is None else self.shuffle(seed)
        parts = shared_out(len(self), shares)
        return [whole._with(sliced(whole._selection, part)) for part in parts]

    def folds(
        self, count: int, *, seed: int | None = None, stratify: str | None = None
    ) -> list[tuple[Self, Self]]:
        """For cross-validation: `count` pairs of the rows to train on and those held out.

        Every row is held out once. Rows keep their order.

        Args:
            count: of folds, which differ by at most a row.
            seed: of which rows are together; None holds out rows that lie together.
            stratify: a column each of whose values has as many rows in each fold, give or take
                one.

        Raises:
            ArgumentError: there are not as many rows.
            UnknownNameError, SchemaError: there is no such column, or it holds no single values.
        """
        classes = None if stratify is None else classes_of(self, stratify)
        pairs = dealt(len(self), count, seed, classes)
        return [(self.select(rest), self.select(held)) for rest, held in pairs]

    @staticmethod
    def mix(datasets: Sequence["Dataset"], weights: Sequence[float] | None = None) -> Mixture:
        """Several datasets with equal columns, for batches that hold rows of all of them.

        ``Dataset.mix([news, books], weights=[0.3, 0.7]).batches(128, seed=0)``; see `Mixture`.
        """
        return Mixture(datasets, weights)

    def filter(
        self, keep: Callable[[Batch], np.ndarray], *, columns: Sequence[str] | None = None
    ) -> Self:
        """The rows for which `keep` is true.

        ``ds.filter(lambda batch: batch["label"] < 5, columns=["label"])``

        Args:
            keep: called with columns of up to 1,024 rows (fewer where pictures are decoded);
                returns one bool for each.
            columns: the columns it needs; fewer are faster. None means all.
        """
        view = self if columns is None else self.columns(columns)
        return self.select(kept_by(view, keep, view._block))

    # Handing out

    @phrasebook.foreign(phrasebook.BATCHES)
    @takes(BatchOptions)
    def batches(self, options: BatchOptions) -> Loader:
        """Batches of `size` rows, epoch after epoch.

        Args:
            size: rows in a batch; the last one of an epoch may hold fewer.
            shuffle: `True` for a new order of all rows each epoch, a pure function of seed and
                epoch; `"blocks"` for data larger than memory, see `dshub.loading.order.Blocks`.
            seed: of the order, and of what transforms draw.
            drop_last: leave out a last batch with fewer rows.
            transform: one or several of `dshub.loading.transforms`, or callables, which are called
                with each batch (a dict of arrays that it may change), and return one; with
                `generator`, a `numpy.random.Generator`, where they have such a parameter.
            layout: `hwc`, or `chw` for images with channels first. dshub's own transforms take
                channels last, and stand before callables; those get what was asked for.
                Transforms of torchvision get tensors, channels first, and albumentations'
                arrays, channels last, in either layout: an image at a time.
            supervised: batches are `(x, y)` instead of dicts.
            weights: draw rows with replacement, each as often, on average, as its weight says.
            bucket: a column of text or lists; the rows of a batch are about as long as each
                other in it.
            rank, world: which of how many processes this is; of `torch.distributed`, or the
                environment of torchrun, MPI or Slurm, where not given.
            uneven: where `world` does not divide the rows: `pad`, `drop` or `exact`; see
                `dshub.loading.order.Share`. `loader.share.counts` are the rows of each rank.
            threads: that make batches ahead of their use; 0 makes each when it is asked for, as
                transforms of torchvision always need, which draw from torch's own generator.
            prefetch: bytes of batches that may wait.

        Raises:
            ArgumentError: an option has an invalid value.
            UnknownNameError: `bucket` is not a column.
            SettingsError: the environment names a rank outside its world.
        """
        return Loader(self, options)

    def numpy(self) -> Batch:
        """Whole columns, as `ds["label"]` is one: views of the memory map where they can be."""
        lazy = {name: self._column(name) for name in self.encoded}
        rest = self.columns([name for name in self._names if name not in lazy])._span()
        return {name: lazy[name] if name in lazy else rest[name] for name in self._names}

    def arrow(self) -> pa.Table:
        """A `pyarrow.Table`: pictures and recordings as their files, rows side by side not copied.

        Of rows that lie apart, as after `shuffle`, it holds a copy.
        """
        rows = self.stretch
        if rows is not None:
            return arrow_table(self._source, self._names, rows)
        return arrow_table(self._source, self._names, self.numbers(np.arange(len(self))))


def _plain(value: Any) -> Any:
    """A single number as Python's own; arrays and text as they are."""
    return value.item() if isinstance(value, np.generic) else value
