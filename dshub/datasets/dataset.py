"""`Dataset`: an immutable view of some rows and columns of a source."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, cast

import numpy as np

from dshub._validate import choice, flag, whole
from dshub.catalog.features import Feature
from dshub.catalog.manifest import AnyPair, Manifest, Pair
from dshub.catalog.spellings import FamiliarClass, familiar, spelled
from dshub.datasets.derived import (
    StackedSource,
    WidenedSource,
)
from dshub.datasets.documents import Encoding
from dshub.datasets.from_memory import columns_of, from_arrays, from_arrow
from dshub.datasets.hugging_face import from_hf
from dshub.datasets.labels import AlignedSource, label_column
from dshub.datasets.mixing import Mixture
from dshub.datasets.own_data import OwnData
from dshub.datasets.selection import (
    Shuffled,
    positions_of,
)
from dshub.datasets.sources import TableSource
from dshub.datasets.splitting import class_numbers, cut, cut_stratified, filter_rows, fold
from dshub.datasets.values import counted, distinct, matched_rows, sorted_rows
from dshub.errors import ArgumentError
from dshub.loading.loader import Loader
from dshub.loading.options import BatchKeywords, BatchOptions, overload, takes
from dshub.loading.transforms.transform import Batch

if TYPE_CHECKING:
    from dshub.hub.familiar.datasets import DatasetNames
else:
    DatasetNames = object


class Dataset(OwnData, DatasetNames, metaclass=FamiliarClass):
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
    audio are decoded when a row is read. A whole column of encoded files is a sequence that decodes
    each row on access.

    Arrays that are views are read-only. Pickling a dataset of prepared tables stores paths and row
    numbers instead of data, so sending one to a worker process is cheap.

    Create a dataset with `dshub.load`, or from your own data with a `from_…` method.
    """

    @classmethod
    def from_tables(cls, folders: Sequence[Path], manifest: Manifest | None = None) -> Self:
        """Concatenate prepared tables, keeping the columns that all of them have.

        Args:
            folders: folders of the tables.
            manifest: manifest of the dataset; by default the one in the first table.
        """
        return cls._of(TableSource(folders, manifest))

    @classmethod
    def from_arrays(
        cls,
        columns: Mapping[str, np.ndarray | Sequence[Any]],
        *,
        features: Mapping[str, Feature] | None = None,
        supervised: AnyPair | None = None,
    ) -> Self:
        """Create a dataset from arrays or lists, without copying the arrays.

        Arrays have the shape (rows, …). A list holds numbers, `str`, `bytes`, dates, dicts, or
        arrays or lists of any length; None is a missing value.

        Args:
            columns: arrays and lists by column name, all of the same length.
            features: features of columns, such as class names; by default inferred from dtype and
                shape. Columns of `bytes` become images or audio only with a feature.
            supervised: pair of columns that become `(x, y)`; each part can be a list of columns.

        Raises:
            SchemaError: columns differ in length, or do not fit their features.
            UnknownNameError: `supervised` names an unknown column.
        """
        return cls._of(from_arrays(columns, features), supervised)

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[Mapping[str, Any]],
        *,
        features: Mapping[str, Feature] | None = None,
        supervised: AnyPair | None = None,
    ) -> Self:
        """Create an in-memory dataset from dicts, such as a list or a generator of rows.

        Args:
            rows: a dict of values for each row; a key that a row lacks is a missing value.
            features: see `from_arrays`.
            supervised: see `from_arrays`.

        Raises:
            SchemaError: values do not fit their features.
            ArgumentError: a row is not a dict.
            UnknownNameError: `supervised` names an unknown column.
        """
        return cls.from_arrays(columns_of(rows), features=features, supervised=supervised)

    @classmethod
    def from_arrow(
        cls,
        table: Any,
        *,
        features: Mapping[str, Feature] | None = None,
        supervised: AnyPair | None = None,
    ) -> Self:
        """Create a dataset from a `pyarrow.Table`, without copying it.

        Nulls are missing values, and dictionaries of text are classes.

        Args:
            table: table, or any object with Arrow's C stream interface, such as a pandas or polars
                `DataFrame`, a DuckDB relation or a `RecordBatchReader`.
            features: features of columns, which are converted to match; for example, text can
                become classes or numbers. By default inferred from Arrow types. `binary` columns
                become images or audio only with a feature.
            supervised: pair of columns that become `(x, y)`; each part can be a list of columns.

        Raises:
            SchemaError: a column does not fit its feature, or has an unsupported type.
            UnknownNameError: `supervised` names an unknown column.
        """
        return cls._of(from_arrow(table, features), supervised)

    @classmethod
    def from_folder(
        cls,
        path: str | Path,
        split: str | None = None,
        *,
        dtype: str | None = None,
        encoding: Encoding | None = None,
    ) -> Self:
        """Create a dataset from image, audio or text files, with classes and data beside them.

        - ``cat/1.jpg``, ``dog/7.jpg``: folders are the classes in the column `label`.
        - A table in CSV, TSV or JSON Lines with a column of file names, such as ``metadata.csv``
          or ``train.csv``: its other columns become columns. The names can lack folder and
          extension. A column named like `label`, or the only one, has classes if its values
          repeat. A file with several rows is repeated. A file ``.txt`` with a header and fields
          separated by tabs or commas is a table, too.
        - ``1.jpg``, ``1.txt``: captions in the column `text`.
        - ``images/1.jpg``, ``masks/1.png`` or ``1_mask.png``: columns `image` and `mask`. Masks
          are class numbers (height, width), or images if they have colors.

        - Annotations in the formats COCO (JSON), Pascal VOC (XML) and YOLO (text): column
          `objects` with arrays of boxes and labels, and others. See the guide about detection.
        - ``pos/0_9.txt``, ``neg/1_3.txt`` or ``a.md``, without other media: a row for each text
          file in the column `text`, with classes if there are several folders.

        - ``year=2024/1.jpg``: columns named by the key, as in Hive.
        - ``train.tsv``, ``test.tsv`` or lists of names such as ``train.txt``, if the files are not
          in folders of splits: they state the splits.

        Rows are sorted by class and file name. Folders such as `train`, `val` and `test`, or
        ``split=train``, are splits that share the same classes. A folder that is the only one at
        its level has no meaning. Hidden files and those of systems, such as `__MACOSX`, are
        skipped; links are followed. Skipped broken links and files with unknown endings, and
        classes without files, are logged as warnings. Files are read when their rows are read.
        The fingerprint covers file names, sizes and modification times.

        Args:
            path: folder of the files.
            split: split expression such as `train`, `train[:10%]` or `train+val`; None for a folder
                without splits.
            dtype: dtype of the pixels of images: `uint8`, `uint16`, `int32` or `float32`; None for
                the one of the files. Images of other dtypes than `uint8` have 1 channel if the file
                is gray.
            encoding: encoding of text files; None for UTF-8, or UTF-16 with a byte order mark.

        Raises:
            ReadError: the folder is missing, or has no image, audio or text file; a file has no
                row in the table or no caption; a row of the table or list has no file; or a file is
                a pointer of Git LFS, git-annex or DVC. Reading a damaged file raises it, too.
            ArgumentError: the folder has splits, and `split` is None; or `dtype` is invalid.
            UnknownNameError: the folder does not have the split.
            SplitError: `split` has invalid syntax.
            SchemaError: the folder mixes images and audio; several tables describe the files; the
                tables of splits differ in their columns; an image has no mask, but most have; only
                some images have 8 bits; or folders of splits are inside those of classes.
        """
        if dtype is not None:
            choice("dtype", dtype, ("uint8", "uint16", "int32", "float32"))
        # imported late, because it imports archives and formats, which `load` does not need
        kinds: Any = import_module("dshub.datasets.folder_kinds")
        return cls._of(*kinds.read_folder(Path(path)).open(split, dtype, encoding))

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
            dataset: dataset of a single split.
            features: features of columns with the type `binary`.
            title: name of the dataset in error messages.

        Raises:
            SchemaError: a column has an unsupported type.
        """
        source, selection = from_hf(dataset, features, title)
        return cls._of(source, selection=selection)

    @classmethod
    def concat(cls, datasets: Sequence["Dataset"]) -> Self:
        """Concatenate datasets with equal columns; `a + b` does the same.

        Raises:
            SchemaError: a column is missing from a dataset, or its feature differs.
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

    if not TYPE_CHECKING:  # otherwise, type checkers would accept any attribute

        def __getattr__(self, name: str) -> Any:
            return familiar(self, name, "datasets.DatasetNames")

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
            UnknownNameError: the column does not exist or has no labels, or `column` is None and
                the column is ambiguous.
        """
        column, label = label_column(self.features, column, self.supervised)
        return replace(self, _source=AlignedSource(self._source, column, label, names))

    @spelled("select")
    def select(self, rows: Sequence[int] | np.ndarray) -> Self:
        """Select rows by a list of numbers, in that order, or by a boolean mask."""
        return replace(self, _selection=self.numbers(positions_of(rows, len(self))))

    @spelled("take")
    def take(self, count: int) -> Self:
        """Return the first `count` rows, or all rows if there are fewer."""
        return self._slice(slice(0, max(whole("count", count), 0)))

    @spelled("skip")
    def skip(self, count: int) -> Self:
        """Return all rows after the first `count`."""
        return self._slice(slice(max(whole("count", count), 0), None))

    @spelled("sort")
    def sort(self, column: str, *, reverse: bool = False) -> Self:
        """Sort rows by a column of numbers, labels (by class number) or text; ties keep order.

        Raises:
            UnknownNameError: the column does not exist.
            SchemaError: the rows of the column are not single values.
        """
        return self.select(sorted_rows(self, column, reverse=flag("reverse", reverse)))

    @spelled("sample")
    def sample(self, count: int, *, seed: int = 0) -> Self:
        """Choose `count` random rows without replacement, or all rows if there are fewer."""
        return self.shuffle(seed).take(count)

    def unique(self, column: str) -> list[Any]:
        """Return the sorted distinct values of a column, with labels as class numbers.

        Raises:
            UnknownNameError: the column does not exist.
            SchemaError: the rows of the column are not single values.
        """
        return distinct(self, column)

    def counts(self, column: str) -> dict[Any, int]:
        """Count the rows of each class, by class name, or of each distinct number or text.

        Raises:
            UnknownNameError: the column does not exist.
            SchemaError: the rows of the column are not single values.
        """
        return counted(self, column)

    def join(self, other: "Dataset", on: str) -> Self:
        """Add the columns of another dataset, matching rows by the value of a column.

        Rows without a match are dropped. The other rows keep their order.

        Args:
            other: dataset to add, with each value of the column `on` at most once.
            on: name of a column in both datasets.

        Raises:
            UnknownNameError: a dataset does not have the column `on`.
            SchemaError: the rows of the column are not single values, values of the two datasets
                cannot be compared, or `other` has a value twice.
            ArgumentError: the datasets have another column in common.
        """
        rows, matches = matched_rows(self, other, on)
        added = other.without([on]).select(matches)
        for name in added.features:
            if name in self.features:
                expected = f"a dataset without column {name!r}, which both datasets have"
                hint = f'rename the column with other.rename({{{name!r}: "…"}})'
                raise ArgumentError(name="other", value=other, expected=expected, hint=hint)
        base = self.select(rows)._base()
        return self._derived(WidenedSource(base, added._base()))

    @spelled("shuffle")
    def shuffle(self, seed: int = 0) -> Self:
        """Shuffle rows with a seed; the order is the same on every machine and in every release."""
        selection = Shuffled(self._selection, whole("seed", seed), range(len(self)))
        return replace(self, _selection=selection)

    @spelled("shard")
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

    @spelled("filter")
    def filter(self, keep: Callable[[Any], Any], *, columns: Sequence[str] | None = None) -> Self:
        """Keep the rows for which a function is true.

        ::

            ds.filter(lambda row: row["text"].startswith("A"))
            ds.filter(lambda batch: batch["label"] < 5, columns=["label"])   # faster

        Args:
            keep: function that takes columns of up to 1,024 rows (fewer if images are decoded),
                and returns a bool for each row. If that fails, it takes a single row instead,
                and returns one bool.
            columns: columns to pass to `keep`; fewer are faster. None passes all columns.

        Raises:
            ArgumentError: `keep` does not return bools.
            FunctionError: `keep` fails. The error names the row and its values.
        """
        view = self if columns is None else self.columns(columns)
        return self.select(filter_rows(view, keep, view._block))

    def pair(self, supervised: bool | AnyPair) -> Pair | None:  # noqa: FBT001  # as in `batches`
        """Return the columns of `(x, y)` for a `supervised` argument, or None if it is False.

        Raises:
            ArgumentError, UnknownNameError: `supervised` does not name a pair of columns.
        """
        options = BatchOptions(1, supervised=supervised)
        options.check_columns(self)
        return options.pair(self)

    @overload
    def batches(
        self, size: int, *, supervised: Literal[False] = ..., **options: Unpack[BatchKeywords]
    ) -> Loader[Batch]: ...
    @overload
    def batches(
        self,
        size: int,
        *,
        supervised: Literal[True] | AnyPair,
        **options: Unpack[BatchKeywords],
    ) -> Loader[tuple[Any, Any]]: ...
    @overload
    def batches(
        self, size: int, *, supervised: bool | AnyPair, **options: Unpack[BatchKeywords]
    ) -> Loader: ...
    @spelled("batches")  # type: ignore[misc]  # mypy cannot compare the types
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
            supervised: whether batches are `(x, y)` instead of dicts. True uses the pair of the
                dataset; ``("image", "label")`` names another pair. A part can be a list of
                columns, which become one array if they hold single numbers, and a dict otherwise.
            weights: weight of each row, to draw rows with replacement.
            bucket: column of text or lists; each batch contains rows of similar length.
            pad: fill value by column, as in ``pad={"input_ids": 0}``. The lists of these columns
                are padded at the end to the longest row of the batch. Columns that transforms
                add can be padded, too.
            rank, world: rank of this process and number of processes; by default from
                `torch.distributed`, or from the environment of torchrun, MPI or Slurm.
            uneven: how to share rows if `world` does not divide them: `pad`, `drop` or `exact`; see
                `dshub.loading.order.Share`. `loader.share.counts` has the rows of each rank.
            threads: number of threads; `auto` is one, or one for each available core if images are
                decoded. These threads share the images of a batch. Other threads prepare whole
                batches in advance. 0 prepares each batch on demand. Batches with torchvision
                transforms are always prepared on demand, because the transforms use torch's
                global generator.
            where: `thread`, or `process` to prepare batches in a child process, so that a training
                loop that runs Python code keeps its core. The rows and transforms must be
                picklable. Transforms that need the training thread stay there.
            prefetch: maximum size of batches prepared in advance, in bytes.
            decoder: library that decodes images; see `decode`. `auto` uses that of the dataset.
            on_error: what to do with a row that cannot be decoded: `raise` the error, `skip` the
                row, so that its batch is smaller, or `substitute` the next row of the dataset that
                can be decoded. `loader.errors` counts and names these rows.

        Raises:
            ArgumentError: an option has an invalid value.
            UnknownNameError: the column `bucket` does not exist.
            SettingsError: the rank in the environment is not below the world size.
            DshubError: a transform needs images, but no column has images.
            FunctionError: a transform fails. Iterating raises this error.
            ReadError, SchemaError: a row cannot be decoded. Iterating raises these errors.
        """
        return Loader(self, options)
