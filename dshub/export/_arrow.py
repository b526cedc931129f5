"""Blocks of rows as Arrow, with the description that Hugging Face `datasets` reads.

Pictures and recordings that are kept as files become structs of `bytes` and `path`, which is how
`datasets` keeps its features Image and Audio; everything else is as in a prepared table.
"""

import json
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pyarrow as pa

from dshub.loader import Batch
from dshub.manifest import AudioFeature, Feature, LabelFeature, ListFeature, is_encoded
from dshub.schema import arrow_schema, row_dtype

_FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def schema_of(features: Mapping[str, Feature]) -> pa.Schema:
    """The Arrow schema of some columns."""
    schema = arrow_schema(features)
    info = json.loads(schema.metadata[b"huggingface"])
    fields = []
    for field in schema:
        feature = features[field.name]
        if is_encoded(feature):
            field = pa.field(field.name, _FILE)  # noqa: PLW2901  # the same one, of another type
            info["info"]["features"][field.name] = _described(feature)
        fields.append(field)
    return pa.schema(fields, metadata={"huggingface": json.dumps(info, sort_keys=True)})


def _described(feature: Feature) -> dict[str, Any]:
    """A column of files in the words of `datasets.Features.to_dict`."""
    if isinstance(feature, AudioFeature):
        return {"sampling_rate": feature.rate, "_type": "Audio"}
    return {"_type": "Image"}


def record_batch(features: Mapping[str, Feature], batch: Batch) -> pa.RecordBatch:
    """A block of rows."""
    arrays = [_array(feature, batch[name]) for name, feature in features.items()]
    return pa.RecordBatch.from_arrays(arrays, schema=schema_of(features))


def _array(feature: Feature, values: Any) -> pa.Array:
    """A column of a block, of the type that `schema_of` says."""
    if is_encoded(feature):
        files = pa.array(values, pa.binary())
        return pa.StructArray.from_arrays(
            [files, pa.nulls(len(files), pa.string())], fields=[*_FILE]
        )
    if isinstance(feature, ListFeature):
        ends = np.cumsum([0, *map(len, values)]).astype(np.int32)
        return pa.ListArray.from_arrays(
            pa.array(ends), _array(feature.of, _joined(feature, values))
        )
    if isinstance(values, list):
        return pa.array(values, pa.string())
    numbers = cast("np.ndarray", values)
    array = pa.array(np.ascontiguousarray(numbers).reshape(-1))
    for length in () if isinstance(feature, LabelFeature) else reversed(numbers.shape[1:]):
        array = pa.FixedSizeListArray.from_arrays(array, length)
    return array


def _joined(feature: ListFeature, values: list[Any]) -> Any:
    """The values of all lists, one behind the other."""
    dtype = row_dtype(feature.of)
    if dtype is None:
        return [value for row in values for value in row]
    if values:
        return np.concatenate(values)
    return np.empty((0, *getattr(feature.of, "shape", ())), dtype)
