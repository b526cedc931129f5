"""Other libraries' functions and classes, such as `dshub.load_dataset`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from pyarrow import csv, json, parquet

from dshub.catalog.features import LabelFeature
from dshub.catalog.spellings import spelled
from dshub.datasets.dataset import Dataset
from dshub.datasets.splits import Splits
from dshub.errors import ArgumentError
from dshub.hub.familiar.datasets import DatasetNames
from dshub.hub.familiar.files import read_table
from dshub.hub.functions import fetch, info, load, names

if TYPE_CHECKING:
    from dshub.catalog.manifest import Manifest

__all__ = [
    "ClassLabel",
    "ConcatDataset",
    "DataLoader",
    "DatasetDict",
    "ImageFolder",
    "Subset",
    "as_dataframe",
    "as_numpy",
    "builder",
    "concatenate_datasets",
    "data_source",
    "get_dataset_config_names",
    "get_dataset_split_names",
    "interleave_datasets",
    "list_builders",
    "list_datasets",
    "load_dataset",
    "load_dataset_builder",
    "load_from_disk",
    "random_split",
]

_READERS: dict[str, Callable[[Any], pa.Table]] = {
    "csv": csv.read_csv,
    "json": json.read_json,
    "parquet": parquet.read_table,
}


@spelled("load_dataset")
def load_dataset(
    path: str,
    name: str | None = None,
    split: str | list[str] | None = None,
    *,
    data_files: Any = None,
    cache_dir: str | Path | None = None,
    revision: str | None = None,
) -> Any:
    """Same as `load(name, split)`."""
    if path in _READERS and data_files is not None:
        return _load_files(path, data_files, split)
    full = path if name is None else f"{path}/{name}"
    options: dict[str, Any] = {"cache_dir": cache_dir, "revision": revision}
    passed = {option: value for option, value in options.items() if value is not None}
    return load(full, split, **passed)


def _load_files(kind: str, files: Any, split: str | list[str] | None) -> Any:
    """Read files as splits of a dataset; without split names, the split is `train`."""
    parts = files if isinstance(files, Mapping) else {"train": files}
    tables = {name: read_table(_READERS[kind], part) for name, part in parts.items()}
    opened = {name: Dataset.from_arrow(table) for name, table in tables.items()}
    counts = {name: len(part) for name, part in opened.items()}
    splits = Splits(kind, counts, opened.__getitem__)
    if split is None:
        return splits
    return splits[split] if isinstance(split, str) else [splits[part] for part in split]


def data_source(name: str, split: str | None = None) -> Any:
    """Same as `load(name, split)`."""
    return load(name) if split is None else load(name, split)


def load_from_disk(dataset_path: str | Path) -> Dataset | Splits:
    """Same as `Dataset.open(folder)`."""
    return DatasetNames.load_from_disk(dataset_path)


def list_datasets() -> list[str]:
    """Same as `names()`."""
    return names()


def list_builders() -> list[str]:
    """Same as `names()`."""
    return names()


def get_dataset_split_names(path: str, config_name: str | None = None) -> list[str]:
    """Same as `list(info(name).splits)`."""
    return list(info(path if config_name is None else f"{path}/{config_name}").splits)


def get_dataset_config_names(path: str) -> list[str]:
    """Same as `[name for name in names() if name.startswith("glue/")]`."""
    prefix = f"{path}/"
    members = [name.removeprefix(prefix) for name in names() if name.startswith(prefix)]
    return members or [info(path).name]


class Builder:
    """Named dataset with the methods of `tfds.builder`."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def info(self) -> "Manifest":
        """Same as `info(name)`."""
        return info(self.name)

    def download_and_prepare(self) -> None:
        """Same as `fetch(name)`."""
        fetch(self.name)

    def as_dataset(self, split: Any = None, *, as_supervised: bool = False) -> Any:
        """Same as `load(name, split)`."""
        options: dict[str, Any] = {"as_supervised": as_supervised}
        return load(self.name, split, **options)

    def as_data_source(self, split: Any = None) -> Any:
        """Same as `load(name, split)`."""
        return load(self.name, split)


def builder(name: str) -> Builder:
    """Same as `info(name)`, `fetch(name)` and `load(name, split)`."""
    return Builder(name)


def load_dataset_builder(path: str, name: str | None = None) -> Builder:
    """Same as `info(name)`, `fetch(name)` and `load(name, split)`."""
    return Builder(path if name is None else f"{path}/{name}")


def concatenate_datasets(dsets: Sequence[Dataset]) -> Dataset:
    """Same as `Dataset.concat([a, b])`."""
    return Dataset.concat(dsets)


def ConcatDataset(datasets: Iterable[Dataset]) -> Dataset:
    """Same as `Dataset.concat([a, b])`."""
    return Dataset.concat(list(datasets))


def Subset(dataset: Any, indices: Sequence[int]) -> Any:
    """Same as `ds.select([3, 1, 4])`."""
    return dataset.select(list(indices))


def random_split(dataset: Any, lengths: Sequence[float], generator: Any = None) -> list[Any]:
    """Same as `ds.split(0.9, seed=0)`."""
    seed = 0 if generator is None else int(generator.initial_seed())
    total = len(dataset)
    shares = sum(lengths) <= 1 and total != 1
    counts = [int(total * length) if shares else int(length) for length in lengths]
    if shares:  # as in torch, the remaining rows go to the first parts in turn
        for place in range(total - sum(counts) if abs(sum(lengths) - 1) < 1e-6 else 0):
            counts[place % len(counts)] += 1
    if sum(counts) != total:
        expected = f"fractions that add up to 1, or numbers that add up to {total:,} rows"
        raise ArgumentError(name="lengths", value=lengths, expected=expected)
    rows = dataset.shuffle(seed)
    return [
        rows.skip(stop - count).take(count)
        for count, stop in zip(counts, accumulate(counts), strict=True)
    ]


def interleave_datasets(
    datasets: Sequence[Dataset],
    probabilities: Sequence[float] | None = None,
    seed: int | None = None,
    *,
    stopping_strategy: Literal["first_exhausted", "all_exhausted"] = "first_exhausted",
) -> Dataset:
    """Same as `Dataset.mix([a, b], weights=[0.3, 0.7])`, which mixes rows in each batch."""
    lengths = np.array([len(dataset) for dataset in datasets])
    generator = np.random.default_rng(seed)
    taken, order = np.zeros(len(lengths), np.int64), []
    starts = np.cumsum([0, *lengths])
    stop = any if stopping_strategy == "first_exhausted" else all
    while not stop(taken >= lengths):
        if probabilities is None:
            turn = [*range(len(lengths))]
        else:
            turn = [int(generator.choice(len(lengths), p=probabilities))]
        for part in turn:
            order.append(starts[part] + taken[part] % lengths[part])
            taken[part] += 1
    return Dataset.concat(datasets).select(np.array(order, np.int64))


@spelled("data_loader")
def DataLoader(
    dataset: Any,
    batch_size: int = 1,
    shuffle: bool = False,
    *,
    num_workers: int = 1,
    drop_last: bool = False,
) -> Any:
    """Same as `ds.batches(64, shuffle=True).torch()`."""
    return dataset.batches(
        batch_size, shuffle=shuffle, threads=num_workers, drop_last=drop_last
    ).torch()


def ImageFolder(root: str | Path) -> Dataset:
    """Same as `Dataset.from_folder(path)`."""
    return Dataset.from_folder(root)


def DatasetDict(splits: Mapping[str, Dataset]) -> Splits:
    """Same as `Splits`, which `load(name)` returns."""
    counts = {name: len(split) for name, split in splits.items()}
    return Splits("own data", counts, dict(splits).__getitem__)


def ClassLabel(num_classes: int | None = None, names: Sequence[str] | None = None) -> LabelFeature:
    """Same as `LabelFeature(names=("cat", "dog"))`, from `dshub.catalog.features`."""
    return LabelFeature(names=tuple(names or map(str, range(num_classes or 0))))


def as_numpy(dataset: Any) -> Any:
    """Same as `ds`, whose rows are NumPy arrays and numbers."""
    return dataset


def as_dataframe(ds: Dataset, ds_info: Any = None) -> Any:
    """Same as `ds.to("pandas")`."""
    return ds.to("pandas")
