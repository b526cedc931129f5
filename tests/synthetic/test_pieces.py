from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dshub import Hub
from dshub.cache.store import Store
from dshub.catalog.features import ImageFeature, LabelFeature, NumberFeature
from dshub.catalog.manifest import Manifest
from dshub.catalog.registry import Registry
from tests.independent import idx

ReadRaw = Callable[[Manifest, Store, str, str], bytes]
IDX = [  # tests/registry covers all other formats with independent readers
    name
    for name in Registry(()).names()
    if all(split.reader["format"] == "idx" for split in Registry(()).manifest(name).splits.values())
]


def columns_of(
    manifest: Manifest, store: Store, split: str, raw_part: ReadRaw
) -> dict[str, list[Any]]:
    """Read the columns of a split from its raw files, as the manifest describes them."""
    facts = manifest.splits[split]
    files = {part: [(part, raw_part(manifest, store, split, part))] for part in facts.files}
    columns = idx.read(files, facts.reader)
    for name, feature in manifest.features.items():
        if isinstance(feature, LabelFeature) and name in columns:
            columns[name] = [number - feature.first for number in columns[name]]
    return columns


@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize("name", IDX)
def test_loaded_rows_match_the_raw_files(
    shared: Hub, raw_part: ReadRaw, name: str, rows: int
) -> None:
    real = shared.info(name)
    for split, facts in real.splits.items():
        dataset = shared.load(name, split, synthetic=rows)
        assert dataset.manifest is not None
        assert len(dataset) == rows
        expected = columns_of(dataset.manifest, shared.store, split, raw_part)
        features = real.split_features(split)
        assert list(dataset.features) == list(features)
        for column, feature in features.items():
            values = np.asarray(dataset[column])
            assert len(expected[column]) == rows
            np.testing.assert_array_equal(values, np.reshape(expected[column], values.shape))
            match feature:
                case ImageFeature() | NumberFeature():
                    assert values.dtype == np.dtype(feature.dtype)
                    assert values.shape[1:] == feature.shape
                case LabelFeature():
                    assert values.dtype == np.int64
                    assert 0 <= values.min() <= values.max() < len(feature.names)
                    loaded = dataset.features[column]
                    assert isinstance(loaded, LabelFeature)
                    assert loaded.names == feature.names
        assert facts.files == dataset.manifest.splits[split].files
