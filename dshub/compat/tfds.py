"""The functions of TensorFlow Datasets: ``import dshub.compat.tfds as tfds``.

`load` returns `tf.data.Dataset` objects of dshub's rows. `data_source` and `builder(name).info` do
not import TensorFlow. `data_dir` is a folder of upstream files that are already on this machine:
dshub takes files from it if their checksums are right, but stores everything in its own cache.
Versions after a colon, as in `mnist:3.*.*`, are ignored, because they are versions of TFDS.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any, NamedTuple

from dshub.catalog.features import Feature, ImageFeature, LabelFeature
from dshub.catalog.manifest import Manifest
from dshub.compat.opening import open_rows
from dshub.datasets.dataset import Dataset
from dshub.datasets.split_expressions import find_parts
from dshub.errors import ArgumentError
from dshub.hub.familiar.labels import citation
from dshub.hub.functions import info as manifest_of
from dshub.hub.functions import names

AnyPath = str | PathLike[str]

_VERSION = re.compile(r":[0-9*.]+$")
_FOLDERS = ("downloads", "downloads/manual")


class Split:
    """Names of splits."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"
    ALL = "all"


@dataclass(frozen=True)
class ReadConfig:
    """Options for reading rows; only the seed has an effect, because tables are memory-mapped.

    Attributes:
        shuffle_seed: seed of `shuffle_files`.
        try_autocache: ignored.
        shuffle_reshuffle_each_iteration: ignored.
        interleave_cycle_length: ignored.
        interleave_block_length: ignored.
    """

    shuffle_seed: int | None = None
    try_autocache: bool = True
    shuffle_reshuffle_each_iteration: bool | None = None
    interleave_cycle_length: int | None = None
    interleave_block_length: int | None = None


class SplitInfo(NamedTuple):
    """A split, or a part of it.

    Attributes:
        name: split expression.
        num_examples: number of rows.
    """

    name: str
    num_examples: int


class SplitDict(Mapping[str, SplitInfo]):
    """Splits by name; also accepts expressions such as `train[:10%]`."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    def __getitem__(self, name: str) -> SplitInfo:
        splits = self._manifest.splits
        parts = find_parts(self._manifest.name, _expression(self._manifest, name), splits)
        return SplitInfo(name, sum(len(part.rows(splits[part.split].rows)) for part in parts))

    def __iter__(self) -> Iterator[str]:
        return iter(self._manifest.splits)

    def __len__(self) -> int:
        return len(self._manifest.splits)

    @property
    def total_num_examples(self) -> int:
        """Number of rows of all splits."""
        return sum(split.rows for split in self._manifest.splits.values())


class Tensor(NamedTuple):
    """Shape and dtype of an image."""

    shape: tuple[int | None, ...]
    dtype: str


class FeaturesDict(dict[str, Any]):
    """Features by column."""

    @property
    def shape(self) -> dict[str, Any]:
        """Shape of each column."""
        return {name: getattr(item, "shape", ()) for name, item in self.items()}

    @property
    def dtype(self) -> dict[str, Any]:
        """Name of the dtype of each column; labels are int64, and other columns `string`."""
        kinds = {name: getattr(item, "dtype", "string") for name, item in self.items()}
        labels = dict.fromkeys(
            (name for name, item in self.items() if isinstance(item, LabelFeature)), "int64"
        )
        return kinds | labels


class DatasetInfo:
    """Facts about a dataset, with the names of TFDS.

    Attributes:
        name: name of the dataset.
        full_name: name with dshub's version.
        version: dshub's version.
        description: one sentence.
        homepage: address, or an empty string.
        citation: BibTeX.
        supervised_keys: columns of `(x, y)`, or None.
        features: features by column. A label has `num_classes`, `names`, `int2str` and `str2int`;
            an image has `shape` and `dtype`.
        splits: splits by name, with `num_examples`.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.name, self.full_name = manifest.name, manifest.identifier
        self.version, self.description = manifest.version, manifest.summary
        self.homepage, self.citation = manifest.homepage or "", citation(manifest)
        self.supervised_keys = manifest.supervised
        self.features = FeaturesDict(
            {name: _described(item) for name, item in manifest.features.items()}
        )
        self.splits = SplitDict(manifest)

    def __repr__(self) -> str:
        return f"<DatasetInfo {self.full_name}: {self.description}>"


class Builder:
    """A dataset by name.

    Args:
        name: dataset.
        data_dir: folder of upstream files; see the module.
        download: whether missing files can be downloaded.

    Raises:
        UnknownNameError: the dataset does not exist.
    """

    def __init__(
        self, name: str, *, data_dir: AnyPath | None = None, download: bool = True
    ) -> None:
        self.name, self.data_dir = _VERSION.sub("", name), data_dir
        self._download = download
        self._manifest = manifest_of(self.name)

    @property
    def info(self) -> DatasetInfo:
        """Facts about the dataset."""
        return DatasetInfo(self._manifest)

    def download_and_prepare(
        self, *, download_dir: AnyPath | None = None, download_config: Any = None
    ) -> None:
        """Download the files and prepare all splits; arguments are ignored."""
        for split in self._manifest.splits:
            self._rows(split)

    def as_dataset(
        self,
        split: Any = None,
        *,
        batch_size: int | None = None,
        shuffle_files: bool = False,
        as_supervised: bool = False,
        decoders: Any = None,
        read_config: ReadConfig | None = None,
    ) -> Any:
        """Return a `tf.data.Dataset`; see `load`."""
        _reject_decoders(decoders)

        def opened(rows: Dataset) -> Any:
            seed = read_config.shuffle_seed if read_config else None
            shuffled = rows.shuffle(seed or 0) if shuffle_files else rows
            return _batched(shuffled, batch_size, as_supervised=as_supervised)

        return self._each(split, opened)

    def as_data_source(self, split: Any = None, *, decoders: Any = None) -> Any:
        """Return rows by number, as dicts of NumPy arrays, without TensorFlow; see `load`."""
        _reject_decoders(decoders)
        return self._each(split, lambda rows: rows)

    def _each(self, split: Any, opened: Callable[[Dataset], Any]) -> Any:
        """Open each split of a nested structure."""
        if split is None:
            split = {name: name for name in self._manifest.splits}
        if isinstance(split, Mapping):
            return {name: self._each(part, opened) for name, part in split.items()}
        if isinstance(split, list | tuple):
            return type(split)(self._each(part, opened) for part in split)
        return opened(self._rows(split))

    def _rows(self, split: str) -> Dataset:
        return open_rows(
            self.name,
            _expression(self._manifest, split),
            root=self.data_dir,
            folders=_FOLDERS,
            download=self._download,
        )


def load(
    name: str,
    *,
    split: Any = None,
    data_dir: AnyPath | None = None,
    batch_size: int | None = None,
    shuffle_files: bool = False,
    download: bool = True,
    as_supervised: bool = False,
    decoders: Any = None,
    read_config: ReadConfig | None = None,
    with_info: bool = False,
    builder_kwargs: Mapping[str, Any] | None = None,
    download_and_prepare_kwargs: Mapping[str, Any] | None = None,
    as_dataset_kwargs: Mapping[str, Any] | None = None,
    try_gcs: bool = False,
) -> Any:
    """Load splits as `tf.data.Dataset` objects.

    Args:
        name: dataset of the registry, in dshub's or TFDS's spelling.
        split: split expression, such as `train`, `train[:10%]` or `train+test`, or a list, tuple
            or dict of them. None returns a dict of all splits.
        data_dir: folder of upstream files; see the module.
        batch_size: rows per batch, with zeros after shorter rows. -1 returns one batch with all
            rows instead of a dataset.
        shuffle_files: whether to shuffle all rows, in the same order each time.
        download: whether missing files can be downloaded.
        as_supervised: whether rows are `(x, y)` instead of dicts.
        decoders: must be None.
        with_info: whether to return `(datasets, info)`.
        read_config: seed of `shuffle_files`; see `ReadConfig`.
        builder_kwargs: ignored.
        download_and_prepare_kwargs: ignored.
        as_dataset_kwargs: more arguments of `Builder.as_dataset`.
        try_gcs: ignored.

    Raises:
        UnknownNameError, SplitError: the dataset or split does not exist.
        MissingExtraError: TensorFlow is not installed.
        DshubError: one of the errors of `dshub.load`, or `download` is False and files are missing.
    """
    made = Builder(name, data_dir=data_dir, download=download)
    loaded = made.as_dataset(
        split,
        batch_size=batch_size,
        shuffle_files=shuffle_files,
        as_supervised=as_supervised,
        decoders=decoders,
        read_config=read_config,
        **as_dataset_kwargs or {},
    )
    return (loaded, made.info) if with_info else loaded


def builder(name: str, *, data_dir: AnyPath | None = None, try_gcs: bool = False) -> Builder:
    """Return a dataset by name; `try_gcs` is ignored."""
    return Builder(name, data_dir=data_dir)


def data_source(name: str, *, split: Any = None, data_dir: AnyPath | None = None) -> Any:
    """Return rows by number, as dicts of NumPy arrays, without TensorFlow; see `load`."""
    return builder(name, data_dir=data_dir).as_data_source(split)


def list_builders() -> list[str]:
    """Return the names of all datasets."""
    return names()


class NumpyRows:
    """The elements of a `tf.data.Dataset` as NumPy arrays; each iteration starts again."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def __iter__(self) -> Iterator[Any]:
        return iter(self._dataset.as_numpy_iterator())

    def __len__(self) -> int:
        return len(self._dataset)


def as_numpy(dataset: Any) -> Any:
    """Convert datasets and tensors in nested dicts, lists and tuples to NumPy."""
    if isinstance(dataset, Mapping):
        return {name: as_numpy(value) for name, value in dataset.items()}
    if isinstance(dataset, list | tuple):
        return type(dataset)(map(as_numpy, dataset))
    if hasattr(dataset, "as_numpy_iterator"):
        return NumpyRows(dataset)
    return dataset.numpy()


def disable_progress_bar() -> None:
    """Do nothing: the setting DSHUB_PROGRESS controls progress bars."""


enable_progress_bar = display_progress_bar = disable_progress_bar


def _expression(manifest: Manifest, split: object) -> str:
    """Return the split expression for a split, with all splits for `all`."""
    if not isinstance(split, str):
        expected = "text such as 'train[:10%]'"
        raise ArgumentError(name="split", value=split, expected=expected)
    name, bracket, part = split.partition("[")
    if name != Split.ALL or Split.ALL in manifest.splits:
        return split
    return "+".join(f"{name}{bracket}{part}" for name in manifest.splits)


def _described(feature: Feature) -> Any:
    if isinstance(feature, ImageFeature):
        return Tensor(feature.shape or (None, None, 3), feature.dtype)
    return feature


def _batched(rows: Dataset, size: int | None, *, as_supervised: bool) -> Any:
    tensors = rows.tf(supervised=as_supervised)
    if size is None:
        return tensors
    batches = tensors.padded_batch(len(rows) if size == -1 else size)
    return batches.get_single_element() if size == -1 else batches


def _reject_decoders(decoders: object) -> None:
    if decoders:
        expected = "None"
        hint = "use dshub.load(name, split).decode(False).tf() to get undecoded files"
        raise ArgumentError(name="decoders", value=decoders, expected=expected, hint=hint)
