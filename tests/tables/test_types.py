import importlib
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dshub.tables.types import arrow_schema, row_dtype, row_shape
from tests.tables.fitting import FEATURES, fit, good


def test_row_shape_and_dtype_match_the_data() -> None:
    batch = fit(good())
    for name, feature in FEATURES.items():
        dtype = row_dtype(feature)
        if dtype is None:
            assert pa.types.is_string(batch.column(name).type)
            continue
        rows = np.array(batch.column(name).to_pylist(), dtype)
        assert rows.shape[1:] == row_shape(feature)
        values = batch.column(name)
        while pa.types.is_fixed_size_list(values.type):
            values = values.flatten()
        assert values.to_numpy().dtype == dtype


def test_hugging_face_reads_the_schema() -> None:
    pytest.importorskip("datasets.table")  # `datasets` alone would match tests/datasets
    datasets: Any = importlib.import_module("datasets")
    schema = arrow_schema(FEATURES)
    result = datasets.Features.from_arrow_schema(schema)
    assert result["label"] == datasets.ClassLabel(names=["a", "b", "c"])
    assert result["text"] == datasets.Value("string")
    assert result.arrow_schema.types == schema.types
    assert set(json.loads(schema.metadata[b"huggingface"])["info"]["features"]) == set(FEATURES)
