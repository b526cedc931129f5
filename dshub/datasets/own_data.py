"""Create datasets from files of tables, and from data of other libraries."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, Self

import numpy as np

from dshub.catalog.features import Feature
from dshub.catalog.manifest import AnyPair
from dshub.datasets.column_views import ColumnViews
from dshub.datasets.from_memory import columns_of, from_arrays, from_arrow
from dshub.datasets.from_rows import from_chunks
from dshub.datasets.tabular.options import CsvOptions, TableOptions
from dshub.loading.options import takes


def _tabular(name: str) -> Any:
    """Import a module late, because it imports archives and formats, which `load` does not need."""
    return import_module(f"dshub.datasets.tabular.{name}")


class OwnData(ColumnViews):
    """Base class of `Dataset` with constructors for users' own data."""

    @classmethod
    @takes(CsvOptions)
    def from_csv(cls, options: CsvOptions) -> Self:
        r"""Create a dataset from delimited text, such as CSV or TSV, held in memory.

        ::

            ds = Dataset.from_csv("train.csv")
            ds = Dataset.from_csv(["a.csv", "b.csv"], delimiter=";", decimal=",")
            ds = Dataset.from_csv("mnist/*.csv.gz", arrays={"pixels": "1x1..28x28:28x28"})

        Delimiter, quotes, header, encoding and features are inferred from all rows, as by
        `dshub new`. Numbers are int64 or float64. Text with few distinct values, and a column named
        like `label`, are classes. A column without a name that counts rows, as pandas writes its
        index, is left out. A warning names what is uncertain, and the argument that decides it.

        Args:
            path: file, folder, pattern such as ``data/*.csv``, or several of them, with the same
                columns. Files can be compressed, such as ``a.csv.gz``. In a folder, subfolders such
                as `year=2024` are a column.
            features: features of columns; the others are inferred.
            supervised: pair of columns that become `(x, y)`; each part can be a list of columns.
            arrays: several columns of numbers that become one array, by its name: the first and
                last column, and optionally the shape of a row.
            header: whether the first line has the names of the columns; None to detect it.
            delimiter: text between fields, such as ``"\t"``, ``"::"``, ``"blanks"``, or ``", "``
                for commas with spaces after them; None to detect it.
            encoding: ``utf-8``, ``utf-16``, ``cp1252`` or ``latin-1``; None to detect it.
            decimal: ``","`` for numbers such as `1.234,5`.

        Raises:
            ReadError: a file does not exist, has no rows, or a row has another number of fields.
            SchemaError: a value does not fit its feature.
            DshubError: the files differ, or are not tables.
            ArgumentError: an argument has an invalid value.
            UnknownNameError: `supervised` names an unknown column.
        """
        return cls._of(_tabular("reading").read_files("delimited", options), options.supervised)

    @classmethod
    @takes(TableOptions)
    def from_json(cls, options: TableOptions) -> Self:
        """Create a dataset from JSON or JSON Lines, held in memory.

        ::

            ds = Dataset.from_json("chats.jsonl")

        A file has one object per line, or one document with a list of objects. Objects within rows
        are structs; `flatten` makes columns of them. Text of digits stays text. Keys whose values
        differ in type are left out with a warning.

        Args:
            path: file, folder, pattern such as ``data/*.jsonl``, or several of them; see
                `from_csv`.
            features: see `from_csv`.
            supervised: see `from_csv`.
            arrays: see `from_csv`.

        Raises:
            ReadError: a file does not exist, or is not JSON.
            SchemaError: a value does not fit its feature.
            DshubError: a file has no list of rows or several, or has columns instead, as `to_json`
                of pandas writes them by default; or the files differ in structure.
            UnknownNameError: `supervised` names an unknown column.
        """
        return cls._of(_tabular("reading").read_files("json", options), options.supervised)

    @classmethod
    @takes(TableOptions)
    def from_parquet(cls, options: TableOptions) -> Self:
        """Create a dataset from Parquet files, held in memory.

        ::

            ds = Dataset.from_parquet("data/train-*.parquet", features={"image": ImageFeature(…)})

        Columns keep their types, class names in the metadata are used, and checksums of pages are
        verified. Columns of image or audio files become images and audio, also as structs of
        `bytes` and `path`, as Hugging Face writes them. Other structs stay structs; `flatten` makes
        columns of them. Columns of unsupported types are left out with a warning.

        Args:
            path: file, folder, pattern, or several of them; see `from_csv`.
            features: see `from_csv`.
            supervised: see `from_csv`.
            arrays: see `from_csv`.

        Raises:
            ReadError: a file does not exist, or is damaged.
            SchemaError: a value does not fit its feature.
            UnknownNameError: `supervised` names an unknown column.
        """
        return cls._of(_tabular("reading").read_files("parquet", options), options.supervised)

    @classmethod
    @takes(TableOptions)
    def from_hdf5(cls, options: TableOptions) -> Self:
        """Create a dataset from HDF5 files, held in memory; needs ``pip install 'dshub[hdf5]'``.

        ::

            ds = Dataset.from_hdf5("train.h5")      # columns such as "images" and "meta/label"

        Each dataset of text or numbers is a column, and its first axis counts rows. Datasets with
        other numbers of rows and other types are left out with a warning.

        Args:
            path: file, folder, pattern, or several of them.
            features: see `from_csv`.
            supervised: see `from_csv`.
            arrays: see `from_csv`.

        Raises:
            MissingExtraError: h5py is not installed.
            ReadError: a file does not exist, is not HDF5, or has no datasets of equal length.
            SchemaError: a value does not fit its feature.
            UnknownNameError: `supervised` names an unknown column.
        """
        return cls._of(_tabular("hdf5").read_hdf5(options), options.supervised)

    @classmethod
    def from_pandas(
        cls,
        df: Any,
        *,
        features: Mapping[str, Feature] | None = None,
        supervised: AnyPair | None = None,
    ) -> Self:
        """Create a dataset from a pandas `DataFrame`; the same as `from_arrow`.

        ::

            ds = Dataset.from_pandas(df, supervised=("text", "label"))

        NaN and None are missing values, categories are classes, and the index is left out. Arrays
        in a column keep their dtype.

        Args:
            df: data frame.
            features: see `from_arrow`.
            supervised: see `from_arrow`.

        Raises:
            SchemaError: a column does not fit its feature, or has an unsupported type.
            UnknownNameError: `supervised` names an unknown column.
        """
        return cls._of(from_arrow(df, features), supervised)

    @classmethod
    def from_dict(
        cls,
        mapping: Mapping[str, np.ndarray | Sequence[Any]],
        *,
        features: Mapping[str, Feature] | None = None,
        supervised: AnyPair | None = None,
    ) -> Self:
        """Create a dataset from a dict of columns; the same as `from_arrays`.

        ::

            ds = Dataset.from_dict({"text": ["good", "bad"], "stars": [5, 1]})

        Args:
            mapping: lists or arrays of equal length, by column name.
            features: see `from_arrays`.
            supervised: see `from_arrays`.

        Raises:
            SchemaError: columns differ in length, or do not fit their features.
            UnknownNameError: `supervised` names an unknown column.
        """
        return cls._of(from_arrays(mapping, features), supervised)

    @classmethod
    def from_list(
        cls,
        mapping: Sequence[Mapping[str, Any]],
        *,
        features: Mapping[str, Feature] | None = None,
        supervised: AnyPair | None = None,
    ) -> Self:
        """Create a dataset from a list of rows; the same as `from_rows`.

        ::

            ds = Dataset.from_list([{"text": "good", "stars": 5}, {"text": "bad"}])

        Args:
            mapping: a dict of values for each row; a key that a row lacks is a missing value.
            features: see `from_arrays`.
            supervised: see `from_arrays`.

        Raises:
            SchemaError: values do not fit their features.
            ArgumentError: a row is not a dict.
            UnknownNameError: `supervised` names an unknown column.
        """
        return cls._of(from_arrays(columns_of(mapping), features), supervised)

    @classmethod
    def from_generator(
        cls,
        generator: Callable[..., Iterable[Mapping[str, Any]]] | Iterable[Mapping[str, Any]],
        *,
        features: Mapping[str, Feature] | None = None,
        gen_kwargs: Mapping[str, Any] | None = None,
        supervised: AnyPair | None = None,
    ) -> Self:
        """Create a dataset from a generator of rows, which are stored in compact columns.

        ::

            def rows():
                for path in paths:
                    yield {"name": path.name, "signal": np.load(path)}

            ds = Dataset.from_generator(rows)

        A thousand rows at a time are Python objects, so that long generators need little more
        memory than their values.

        Args:
            generator: function that returns an iterable of rows, or an iterable. Rows are dicts, as
                in `from_list`.
            features: see `from_arrays`.
            gen_kwargs: arguments of the function.
            supervised: see `from_arrays`.

        Raises:
            SchemaError: values do not fit their features, or rows differ in dtype or shape.
            ArgumentError: a row is not a dict.
            UnknownNameError: `supervised` names an unknown column.
        """
        rows = generator(**(gen_kwargs or {})) if callable(generator) else generator
        return cls._of(from_chunks(rows, features), supervised)
