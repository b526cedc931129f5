"""Familiar names of `Dataset`, such as `num_rows` and `train_test_split`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from dshub.cache.paths import DATASET_FILE
from dshub.catalog.features import Feature, LabelFeature
from dshub.datasets.dataset import Dataset
from dshub.datasets.labels import label_column
from dshub.datasets.splits import Splits
from dshub.errors import ArgumentError
from dshub.hub.familiar.files import write_file
from dshub.hub.familiar.labels import citation

if TYPE_CHECKING:
    from dshub.catalog.manifest import Manifest
    from dshub.loading.loader import Loader

_MAP = "ds.map(f, batched=True) returns a new dataset"


class Count(int):
    """Number of rows, with the `numpy` method of a tensor."""

    def numpy(self) -> int:
        """Return the number."""
        return int(self)


class DatasetNames:
    """Familiar names of `Dataset`."""

    _lessons: ClassVar[Mapping[str, str]] = {
        "push_to_hub": "`dshub mirror` publishes datasets",
        "set_format": 'datasets are immutable; ds.with_format("torch") returns a new one',
        "reset_format": "datasets are immutable; use the dataset before ds.with_format(…)",
        "set_transform": f"datasets are immutable; {_MAP}",
        "to_sql": "ds.to_pandas().to_sql(…) writes a table",
        "zip": "ds.with_column(name, values) and ds.join(other, on) add columns",
        "window": "ds.pack(column, length) cuts lists into windows",
        "padded_batch": "ds.batches(32, pad={column: 0}) pads lists",
        "map_batches": _MAP,
        "groupby": "ds.counts(column) counts rows, and ds.to_pandas().groupby(…) groups them",
        "value_counts": "ds.counts(column) counts the rows of each value",
    }

    def __init__(self, own: Dataset) -> None:
        self._own = own

    # Metadata

    @property
    def column_names(self) -> list[str]:
        """Same as `list(ds.features)`."""
        return list(self._own.features)

    @property
    def num_rows(self) -> int:
        """Same as `len(ds)`."""
        return len(self._own)

    @property
    def num_columns(self) -> int:
        """Same as `len(ds.features)`."""
        return len(self._own.features)

    @property
    def shape(self) -> tuple[int, int]:
        """Same as `(len(ds), len(ds.features))`."""
        return len(self._own), len(self._own.features)

    def cardinality(self) -> Count:
        """Same as `len(ds)`."""
        return Count(len(self._own))

    @property
    def element_spec(self) -> dict[str, Feature]:
        """Same as `ds.features`."""
        return self._own.features

    @property
    def cache_files(self) -> Sequence[Path]:
        """Same as `ds.files`."""
        return self._own.files

    @property
    def info(self) -> "Manifest | None":
        """Same as `ds.manifest`."""
        return self._own.manifest

    @property
    def description(self) -> str:
        """Same as `ds.manifest.summary`."""
        return self._own.manifest.summary if self._own.manifest else ""

    @property
    def citation(self) -> str:
        """Same as `bibtex(citation)` of each citation in `ds.manifest.citations`."""
        return citation(self._own.manifest)

    @property
    def homepage(self) -> str:
        """Same as `ds.manifest.homepage`."""
        return self._own.manifest.homepage if self._own.manifest else ""

    @property
    def license(self) -> str:
        """Same as `ds.manifest.license.spdx`."""
        return (self._own.manifest and self._own.manifest.license.spdx) or ""

    @property
    def version(self) -> str:
        """Same as `ds.manifest.version`."""
        return self._own.manifest.version if self._own.manifest else ""

    # Classes and values

    @property
    def classes(self) -> list[str]:
        """Same as `ds.features["label"].names`."""
        return list(self._label[1].names)

    @property
    def class_names(self) -> list[str]:
        """Same as `ds.features["label"].names`."""
        return self.classes

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Same as `{name: number}` for `ds.features["label"].names`."""
        return {name: number for number, name in enumerate(self.classes)}

    @property
    def _label(self) -> tuple[str, LabelFeature]:
        return label_column(self._own.features, None, self._own.supervised)

    @property
    def targets(self) -> Any:
        """Same as `ds["label"]`."""
        return self._part(1)

    @property
    def labels(self) -> Any:
        """Same as `ds["label"]`."""
        return self._part(1)

    @property
    def data(self) -> Any:
        """Same as `ds["image"]`."""
        return self._part(0)

    def _part(self, place: int) -> Any:
        pair = self._own.pair(supervised=True)
        part = pair[place] if pair else ""
        return self._own[part] if isinstance(part, str) else self._own.columns(part).numpy()

    # Columns

    def rename_column(self, original_column_name: str, new_column_name: str) -> Dataset:
        """Same as `ds.rename({"old": "new"})`."""
        return self._own.rename({original_column_name: new_column_name})

    def rename_columns(self, column_mapping: Mapping[str, str]) -> Dataset:
        """Same as `ds.rename({"old": "new"})`."""
        return self._own.rename(column_mapping)

    def remove_columns(self, column_names: str | Sequence[str]) -> Dataset:
        """Same as `ds.without(["text"])`."""
        names = listed(column_names)
        self._own.columns(names)  # raises an error for unknown names
        return self._own.without(names)

    def select_columns(self, column_names: str | Sequence[str]) -> Dataset:
        """Same as `ds.columns(["text"])`."""
        return self._own.columns(listed(column_names))

    def add_column(self, name: str, column: Any, feature: Feature | None = None) -> Dataset:
        """Same as `ds.with_column(name, values)`."""
        return self._own.with_column(name, column, feature)

    def add_item(self, item: Mapping[str, Any]) -> Dataset:
        """Same as `ds + Dataset.from_rows([row])`."""
        features = self._own.features
        return self._own + Dataset.from_rows([item], features=features)

    def cast_column(self, column: str, feature: Feature) -> Dataset:
        """Same as `ds.cast({column: feature})`."""
        return self._own.cast({column: feature})

    def class_encode_column(self, column: str) -> Dataset:
        """Same as `ds.with_column(column, numbers, LabelFeature(names=…))`."""
        if isinstance(self._own.features.get(column), LabelFeature):
            return self._own
        values = self._own.unique(column)
        numbers = np.searchsorted(np.asarray(values), np.asarray(self._own[column]))
        label = LabelFeature(names=tuple(map(str, values)))
        return self._own.with_column(column, numbers.astype(np.int64), label)

    def flatten_indices(self) -> Dataset:
        """Same as `ds`."""
        return self._own

    # Rows

    def head(self, n: int = 5) -> Dataset:
        """Same as `ds.take(5)`."""
        return self._own.take(n)

    def tail(self, n: int = 5) -> Dataset:
        """Same as `ds.skip(len(ds) - 5)`."""
        return self._own.skip(len(self._own) - n)

    def concatenate(self, dataset: Dataset) -> Dataset:
        """Same as `ds + other`."""
        return self._own + dataset

    def repeat(self, count: int | None = None, num_times: int | None = None) -> Dataset:
        """Same as `Dataset.concat([ds] * count)`."""
        times = count if num_times is None else num_times
        if times is None or times < 0:
            raise ArgumentError(
                name="count",
                value=times,
                expected="a number of repetitions",
                hint="use ds.batches(32).repeat() to repeat batches without end",
            )
        return self._own.select(np.tile(np.arange(len(self._own)), times))

    def train_test_split(
        self,
        test_size: float | None = None,
        train_size: float | None = None,
        *,
        shuffle: bool = True,
        seed: int | None = None,
        stratify_by_column: str | None = None,
    ) -> Splits:
        """Same as `train, test = ds.split(0.9, seed=0, stratify="label")`."""
        total = len(self._own)
        rows = {"train": _rows_of(train_size, total), "test": _rows_of(test_size, total)}
        if rows["train"] is None and rows["test"] is None:
            rows["test"] = round(total / 4)
        test = total - (rows["train"] or 0) if rows["test"] is None else rows["test"]
        train = total - test if rows["train"] is None else rows["train"]
        if not (0 < train < total and 0 < test <= total - train):
            value = {"train_size": train_size, "test_size": test_size}
            expected = f"fractions or numbers of the {total:,} rows that leave rows in both parts"
            raise ArgumentError(name="test_size", value=value, expected=expected)
        parts = self._own.split(
            train / total, seed=(seed or 0) if shuffle else None, stratify=stratify_by_column
        )
        opened = {"train": parts[0], "test": parts[1].take(test)}
        counts = {name: len(part) for name, part in opened.items()}
        return Splits("train_test_split", counts, opened.__getitem__, self._own.manifest)

    # Batches and conversions

    def batch(
        self, batch_size: int, drop_last_batch: bool = False, *, drop_remainder: bool = False
    ) -> "Loader":
        """Same as `ds.batches(32)`."""
        return self._own.batches(batch_size, drop_last=drop_last_batch or drop_remainder)

    def iter(self, batch_size: int, drop_last_batch: bool = False) -> Iterator[Any]:
        """Same as `iter(ds.batches(32))`."""
        return iter(self._own.batches(batch_size, drop_last=drop_last_batch))

    def as_numpy_iterator(self) -> Iterator[dict[str, Any]]:
        """Same as `iter(ds)`."""
        return iter(self._own)

    def enumerate(self, start: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
        """Same as `enumerate(ds)`."""
        return enumerate(self._own, start)

    def unbatch(self) -> Dataset:
        """Same as `ds`."""
        return self._own

    def prefetch(self, buffer_size: Any = None) -> Dataset:
        """Same as `ds`, because `ds.batches(32)` prefetches by default."""
        return self._own

    def with_format(self, type: str | None = None, columns: Sequence[str] | None = None) -> Any:
        """Same as `ds.to("torch")`."""
        rows = self._own if columns is None else self._own.columns(columns)
        if type is None or type in {"numpy", "np", "python"}:
            return rows
        return rows.to(type)

    def with_transform(self, transform: Callable[[Any], Mapping[str, Any]]) -> Dataset:
        """Same as `ds.map(f, batched=True)`."""
        options: dict[str, Any] = {"remove_columns": list(self._own.features)}
        return self._own.map(transform, batched=True, **options)

    def to_iterable_dataset(self, num_shards: int = 1) -> Dataset:
        """Same as `ds`."""
        return self._own

    def to_tf_dataset(
        self,
        batch_size: int = 32,
        columns: str | Sequence[str] | None = None,
        shuffle: bool = False,
        *,
        label_cols: str | Sequence[str] | None = None,
        drop_remainder: bool = False,
    ) -> Any:
        """Same as `ds.batches(32, supervised=("text", "label")).tf()`."""
        rows, pair = self._own, None
        if columns is not None and label_cols is not None:
            pair = tuple(_single(listed(part)) for part in (columns, label_cols))
        elif columns is not None:
            rows = rows.columns(listed(columns))
        supervised: Any = pair or False
        return rows.batches(
            batch_size, shuffle=shuffle, drop_last=drop_remainder, supervised=supervised
        ).tf()

    def to_pandas(self) -> Any:
        """Same as `ds.to("pandas")`."""
        return self._own.to("pandas")

    def to_polars(self) -> Any:
        """Same as `ds.to("polars")`."""
        return self._own.to("polars")

    def to_dict(self) -> dict[str, list[Any]]:
        """Same as `{name: list(ds[name]) for name in ds.features}`."""
        return {name: [_python(value) for value in self._own[name]] for name in self._own.features}

    def to_list(self) -> list[dict[str, Any]]:
        """Same as `list(ds)`."""
        return [{name: _python(value) for name, value in row.items()} for row in self._own]

    # Files

    def to_csv(self, path: str | Path) -> None:
        """Same as `dshub export NAME --to csv FOLDER`."""
        write_file(self._own, "csv", path)

    def to_json(self, path: str | Path) -> None:
        """Same as `dshub export NAME --to jsonl FOLDER`."""
        write_file(self._own, "jsonl", path)

    def to_parquet(self, path: str | Path) -> None:
        """Same as `dshub export NAME --to parquet FOLDER`."""
        write_file(self._own, "parquet", path)

    def save_to_disk(self, dataset_path: str | Path, num_proc: int = 1) -> None:
        """Same as `ds.save(folder)`."""
        self._own.save(dataset_path, workers=num_proc)

    # Constructors

    @staticmethod
    def from_polars(df: Any, features: Any = None) -> Dataset:
        """Same as `Dataset.from_arrow(frame)`."""
        return Dataset.from_arrow(df, features=features)

    @staticmethod
    def load_from_disk(dataset_path: str | Path) -> "Dataset | Splits":
        """Same as `Dataset.open(folder)`."""
        folder = Path(dataset_path)
        names = sorted(path.parent.name for path in folder.glob(f"*/{DATASET_FILE}"))
        if (folder / DATASET_FILE).exists() or not names:
            return Dataset.open(folder)
        opened = {name: Dataset.open(folder / name) for name in names}
        counts = {name: len(split) for name, split in opened.items()}
        return Splits(folder.name, counts, opened.__getitem__)


def listed(names: str | Sequence[str]) -> list[str]:
    """Return one name or several as a list."""
    return [names] if isinstance(names, str) else list(names)


def _single(names: list[str]) -> str | list[str]:
    return names[0] if len(names) == 1 else names


def _rows_of(size: float | None, total: int) -> int | None:
    """Convert a fraction or a number of rows to a number of rows; return None for None."""
    return round(size * total) if isinstance(size, float) else size


def _python(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
