"""Compare every registry dataset with an independent reader of its raw files."""

import io
import math
import wave
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset, Hub, Registry, Settings
from dshub.catalog.features import AudioFeature, Feature, ImageFeature, is_encoded
from dshub.catalog.manifest import Manifest
from dshub.progress import Silent
from dshub.synthetic.synthesize import synthesize
from tests.independent.rows import split_rows

NAMES = Registry(()).names()
ROWS = 12


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """Return a hub that the tests of this module share."""
    settings = Settings.read(cache=tmp_path_factory.mktemp("shared") / "cache")
    return Hub(settings=settings, registry=Registry(()), progress=Silent())


def raw_files(manifest: Manifest, hub: Hub) -> dict[str, bytes]:
    """Return the bytes of every cached resource."""
    files = {}
    for name, resource in manifest.split_resources().items():
        path = hub.store.blob(resource.digest)
        assert path is not None
        files[name] = path.read_bytes()
    return files


@pytest.mark.parametrize("name", NAMES)
def test_rows_equal_those_of_an_independent_reader(name: str, shared: Hub) -> None:
    manifest = synthesize(shared.info(name), shared.store, rows=ROWS)
    raw = raw_files(manifest, shared)
    for split, facts in manifest.splits.items():
        expected = split_rows(manifest, split, raw)
        dataset = shared.load(name, split, synthetic=ROWS)
        assert len(dataset) == len(expected) == facts.rows > 0
        assert list(dataset.features) == list(manifest.split_features(split))
        for column, feature in dataset.features.items():
            compare(dataset, column, feature, [row[column] for row in expected])


def compare(dataset: Dataset, column: str, feature: Feature, expected: list[Any]) -> None:
    """Compare every value of a column, stored and decoded."""
    if is_encoded(feature):
        assert list(dataset.decode(False)[column]) == expected
        for row in (0, len(dataset) - 1):
            np.testing.assert_array_equal(dataset[row][column], decoded(expected[row], feature))
        return
    for row, value in enumerate(expected):
        actual = dataset[row][column]
        if isinstance(value, float):
            dtype = getattr(feature, "dtype", "float64")
            same = math.isnan(value) and math.isnan(actual)
            assert same or np.dtype(dtype).type(value) == np.dtype(dtype).type(actual)
        elif isinstance(value, str | int):
            assert actual == value
        else:
            shape = feature.shape if isinstance(feature, ImageFeature) else np.shape(value)
            np.testing.assert_array_equal(np.asarray(actual), np.reshape(value, shape))


def decoded(data: bytes, feature: Feature) -> np.ndarray:
    """Decode an image with Pillow, or audio with the standard library."""
    if isinstance(feature, ImageFeature):
        grey = feature.shape and feature.shape[2] == 1
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("L" if grey else "RGB"))
        return pixels[:, :, None] if grey else pixels
    assert isinstance(feature, AudioFeature)
    with wave.open(io.BytesIO(data)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return samples.reshape(-1, feature.channels) if feature.channels > 1 else samples
