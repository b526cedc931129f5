"""Hugging Face: a `datasets.Dataset` over the same Arrow files, without a copy.

Labels become `ClassLabel`, encoded images, masks and audio become `Image` and `Audio`, and lists
become `List`. Arrays and raw images become nested `List`s of fixed lengths, which
``with_format("numpy")`` returns as arrays. After ``ds.decode(False)``, files are `Value("binary")`.

Prepared tables are memory-mapped, so the result pickles to a few kilobytes. Rows that are not
consecutive are selected by an index, as in `datasets` itself. Your own data is kept in memory.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from dshub.catalog.features import AudioFeature, Feature, ImageFeature
from dshub.datasets.dataset import Dataset
from dshub.errors import needs
from dshub.tables.types import arrow_schema

with needs("datasets", extra="hf"):
    import datasets
    from datasets.table import InMemoryTable, MemoryMappedTable, concat_tables


def rows(dataset: Dataset) -> Any:
    """Return the rows as one split, in dataset order and with the same fingerprint."""
    features = _features(dataset)
    if not dataset.files:
        return _dataset(dataset, InMemoryTable(_cast(dataset, features)), features)
    names = list(dataset.features)
    mapped = [MemoryMappedTable.from_file(str(file)).select(names) for file in dataset.files]
    split = _dataset(dataset, concat_tables(mapped).cast(features.arrow_schema), features)
    rows = dataset.row_range
    if rows is None:
        return split.select(dataset.numbers(np.arange(len(dataset))), keep_in_memory=True)
    return split if len(rows) == len(split) else split.select(rows)


def _cast(dataset: Dataset, features: Any) -> pa.Table:
    """Convert the rows to an Arrow table with the types of `datasets`."""
    schema = features.arrow_schema
    if not len(dataset):  # pyarrow cannot cast a column without chunks
        return schema.empty_table()
    return InMemoryTable(dataset.arrow()).cast(schema).table


def _dataset(dataset: Dataset, table: Any, features: Any) -> Any:
    info = datasets.DatasetInfo(features=features)
    manifest = dataset.manifest
    if manifest is not None:
        info.dataset_name, info.description = manifest.identifier, manifest.summary
        info.homepage = manifest.homepage or ""
    return datasets.Dataset(table, info, fingerprint=dataset.fingerprint)


def _features(dataset: Dataset) -> Any:
    """Return the `datasets` features of the columns."""
    schema: pa.Schema = arrow_schema(dataset.features)
    features = datasets.Features.from_arrow_schema(schema)
    for name in dataset.encoded:
        features[name] = _decoder(dataset.features[name])
    return features


def _decoder(feature: Feature) -> Any:
    if isinstance(feature, AudioFeature):
        return datasets.Audio(sampling_rate=feature.rate or None)
    if not isinstance(feature, ImageFeature) or feature.dtype != "uint8":
        return datasets.Image()  # keeps palette indices and deep values
    return datasets.Image(mode="L" if feature.shape[2:] == (1,) else "RGB")
