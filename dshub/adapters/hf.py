"""Hugging Face: a `datasets.Dataset` over the same Arrow files, which are not copied.

Classes become `ClassLabel`, pictures and recordings that are kept as files `Image` and `Audio`,
lists `List`; arrays and raw pictures nested `List`s of fixed lengths, which
``with_format("numpy")`` gives as arrays. After ``ds.decode(False)`` files are `Value("binary")`.

Prepared tables are mapped, so that what comes out pickles to a few kilobytes; rows that lie apart
are an index over them, as `datasets` itself keeps it. Own data are kept in memory.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from dshub.catalog.features import AudioFeature, Feature, ImageFeature
from dshub.datasets.dataset import Dataset
from dshub.errors import MissingExtraError
from dshub.tables.types import arrow_schema

try:
    import datasets
    from datasets.table import InMemoryTable, MemoryMappedTable, concat_tables
except ImportError as error:
    raise MissingExtraError(package="datasets", extra="hf") from error


def rows(dataset: Dataset) -> Any:
    """The rows as one split, in the dataset's order, with its fingerprint."""
    features = _features(dataset)
    if not dataset.files:
        return _made(dataset, InMemoryTable(_cast(dataset, features)), features)
    names = list(dataset.features)
    mapped = [MemoryMappedTable.from_file(str(file)).select(names) for file in dataset.files]
    whole = _made(dataset, concat_tables(mapped).cast(features.arrow_schema), features)
    stretch = dataset.stretch
    if stretch is None:
        return whole.select(dataset.numbers(np.arange(len(dataset))), keep_in_memory=True)
    return whole if len(stretch) == len(whole) else whole.select(stretch)


def _cast(dataset: Dataset, features: Any) -> pa.Table:
    """The rows in the types that `datasets` gives them."""
    schema = features.arrow_schema
    if not len(dataset):  # to cast a column of no pieces, as theirs are then, fails in pyarrow
        return schema.empty_table()
    return InMemoryTable(dataset.arrow()).cast(schema).table


def _made(dataset: Dataset, table: Any, features: Any) -> Any:
    info = datasets.DatasetInfo(features=features)
    manifest = dataset.manifest
    if manifest is not None:
        info.dataset_name, info.description = manifest.identifier, manifest.summary
        info.homepage = manifest.homepage or ""
    return datasets.Dataset(table, info, fingerprint=dataset.fingerprint)


def _features(dataset: Dataset) -> Any:
    """What `datasets` calls the columns: as the schema tells it, and files by what they hold."""
    schema: pa.Schema = arrow_schema(dataset.features)
    found = datasets.Features.from_arrow_schema(schema)
    for name in dataset.encoded:
        found[name] = _decoder(dataset.features[name])
    return found


def _decoder(feature: Feature) -> Any:
    if isinstance(feature, AudioFeature):
        return datasets.Audio(sampling_rate=feature.rate)
    grey = isinstance(feature, ImageFeature) and feature.shape[2:] == (1,)
    return datasets.Image(mode="L" if grey else "RGB")
