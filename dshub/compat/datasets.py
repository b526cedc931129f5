"""The function `load_dataset` of Hugging Face: ``from dshub.compat.datasets import load_dataset``.

Results are objects of the package `datasets`, so `map`, `set_format`, `train_test_split` and
everything else work as before. They share the memory map of dshub's tables. Only raw images are
copied to memory, because `datasets` reads images from files. Every other name of this module is a
name of the package, as in ``from dshub.compat.datasets import ClassLabel``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dshub.catalog.features import Feature, LabelFeature, NumberFeature
from dshub.catalog.manifest import Manifest
from dshub.datasets.dataset import Dataset
from dshub.datasets.hugging_face import library
from dshub.hub.hub import Hub

_DEFAULTS = {
    "cropped_digits",
    "default",
    "plain_text",
}  # configurations of datasets that have only one
_HIDDEN = -1  # label of rows with hidden labels
_BLOCK = 10_000  # images in a chunk of at most 2 GB


def _joined_texts(table: pa.Table) -> dict[str, pa.Array]:
    """Return title and description as one text."""
    return {"text": pc.binary_join_element_wise(table["title"], table["description"], " ")}


def _answers(table: pa.Table) -> dict[str, pa.Array]:
    """Return texts and positions of answers as one struct."""
    texts, starts = (table[name].combine_chunks() for name in ("answers", "answer_start"))
    starts = starts.cast(pa.list_(pa.int32()))
    return {"answers": pa.StructArray.from_arrays([texts, starts], ["text", "answer_start"])}


def _truth(table: pa.Table) -> dict[str, pa.Array]:
    """Return classes of answers as true and false."""
    return {"answer": table["answer"].cast(pa.bool_())}


@dataclass(frozen=True)
class _Columns:
    """Differences between the columns of a dataset of the Hub and those of the registry.

    Attributes:
        renamed: new names by column.
        left_out: columns that the Hub does not have.
        added: function that computes new columns, which come first, or replaces columns.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    added: Callable[[pa.Table], dict[str, pa.Array]] = lambda _: {}


_DIFFERENT = {
    "ag-news": _Columns(left_out=["title", "description"], added=_joined_texts),
    "boolq": _Columns(left_out=["title"], added=_truth),
    "cifar-10": _Columns(renamed={"image": "img"}),
    "cifar-100": _Columns(renamed={"image": "img"}),
    "imdb": _Columns(left_out=["stars"]),
    "squad": _Columns(left_out=["answer_start"], added=_answers),
    "squad-v2": _Columns(left_out=["answer_start", "is_impossible"], added=_answers),
}


def load_dataset(
    path: str,
    name: str | None = None,
    data_dir: str | None = None,
    data_files: Any = None,
    split: Any = None,
    cache_dir: str | None = None,
    streaming: bool = False,
    **options: Any,
) -> Any:
    """Load a dataset of the registry, or call `datasets.load_dataset` for any other.

    Columns and splits are those of the Hub. A column of hidden labels contains -1.

    Args:
        path: dataset of the registry, in dshub's spelling or that of the Hub.
        name: member of a family, such as `sst2` of `glue`.
        data_dir: passed to `datasets`, which reads local files.
        data_files: passed to `datasets`, which reads local files.
        split: split expression, such as `train` or `train[:10%]`, or a list of them. None returns a
            `datasets.DatasetDict`.
        cache_dir: ignored for datasets of the registry, which are in dshub's cache.
        streaming: whether to return a `datasets.IterableDataset`.
        **options: ignored for datasets of the registry.

    Raises:
        UnknownNameError, SplitError: the split does not exist.
        MissingExtraError: `datasets` is not installed.
        DshubError: one of the errors of `dshub.load`.
    """
    is_local = data_dir is not None or data_files is not None or Path(path).exists()
    found = None if is_local else _find(path, name)
    if found is None:
        return library().load_dataset(
            path,
            name,
            data_dir=data_dir,
            data_files=data_files,
            split=split,
            cache_dir=cache_dir,
            streaming=streaming,
            **options,
        )
    if isinstance(split, list | tuple):
        return [_open(found, str(part), streaming=streaming) for part in split]
    if split is not None:
        return _open(found, str(split), streaming=streaming)
    opened = {part: _open(found, part, streaming=streaming) for part in found.splits}
    kind = "IterableDatasetDict" if streaming else "DatasetDict"
    return getattr(library(), kind)(opened)


def __getattr__(name: str) -> Any:
    """Return a name of the package `datasets`."""
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(library(), name)


def _find(path: str, name: str | None) -> Manifest | None:
    """Return the manifest of a dataset, or None if the registry does not have it."""
    hub = Hub()
    names = [path] if name is None else [f"{path}/{name}"]
    if name in _DEFAULTS or name == path.rpartition("/")[2]:
        names.append(path)
    return next((hub.info(full) for full in names if hub.registry.has(full)), None)


def _open(manifest: Manifest, split: str, *, streaming: bool) -> Any:
    """Return rows with the columns of the Hub."""
    expression = "+".join(manifest.splits) if split == "all" else split
    rows: Dataset = Hub().load(manifest.identifier.partition("+")[0], split=expression)
    different = _DIFFERENT.get(manifest.name, _Columns())
    raw = [name for name in rows.features if rows.pixels(name) is not None]
    added = {**_image_files(rows, raw), **different.added(rows.arrow())}
    hidden = [name for name in manifest.features if name not in rows.features]
    hf = rows.without([*different.left_out, *added]).to("hf")
    for name, values in added.items():
        image = library().Image() if name in raw else None
        hf = hf.add_column(name, values, feature=image)
    for name in hidden:
        hf = _with_hidden(hf, name, manifest.features[name])
    hf = hf.rename_columns(dict(different.renamed))
    order = [different.renamed.get(name, name) for name in manifest.features]
    new = [name for name in added if name not in manifest.features]
    hf = hf.select_columns([name for name in [*new, *order] if name in hf.column_names])
    return hf.to_iterable_dataset() if streaming else hf


def _with_hidden(hf: Any, name: str, feature: Feature) -> Any:
    """Add a column of hidden labels, which are classes or numbers."""
    values = np.full(len(hf), _HIDDEN, np.int64)
    if isinstance(feature, LabelFeature):
        label = library().ClassLabel(names=list(feature.names))
        return hf.add_column(name, values, feature=label)
    if isinstance(feature, NumberFeature) and not feature.shape:
        return hf.add_column(name, values.astype(feature.dtype))
    return hf


def _image_files(rows: Dataset, names: Sequence[str]) -> dict[str, pa.ChunkedArray]:
    """Return columns of raw images as files, which `datasets` decodes to PIL images.

    The files are in the PNM format: a header and the pixels, without compression.
    """
    return {
        name: pa.chunked_array(
            [
                _pnm(rows[start : start + _BLOCK][name])
                for start in range(0, max(len(rows), 1), _BLOCK)
            ]
        )
        for name in names
    }


def _pnm(images: np.ndarray) -> pa.StructArray:
    count, height, width, channels = images.shape
    header = f"P{5 if channels == 1 else 6} {width} {height} 255\n".encode()
    size = len(header) + height * width * channels
    files = np.empty((count, size), np.uint8)
    files[:, : len(header)] = np.frombuffer(header, np.uint8)
    files[:, len(header) :] = images.reshape(count, -1)
    offsets = pa.array(np.arange(count + 1) * size, pa.int32())
    content = pa.BinaryArray.from_buffers(
        pa.binary(), count, [None, offsets.buffers()[1], pa.py_buffer(files)]
    )
    return pa.StructArray.from_arrays([content, pa.nulls(count, pa.string())], ["bytes", "path"])
