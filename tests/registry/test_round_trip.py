"""Every manifest of the registry: from raw files in upstream's layout to rows."""

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
    """A hub with a cache that the tests of this file share."""
    settings = Settings.read(cache=tmp_path_factory.mktemp("shared") / "cache")
    return Hub(settings=settings, registry=Registry(()), progress=Silent())


def raw_files(manifest: Manifest, hub: Hub) -> dict[str, bytes]:
    """The bytes of every resource in the cache."""
    found = {}
    for name, resource in manifest.split_resources().items():
        path = hub.store.blob(resource.digest)
        assert path is not None
        found[name] = path.read_bytes()
    return found


@pytest.mark.parametrize("name", NAMES)
def test_rows_equal_those_of_an_independent_reader(name: str, shared: Hub) -> None:
    manifest = synthesize(shared.info(name), shared.store, rows=ROWS)
    raw = raw_files(manifest, shared)
    for split, facts in manifest.splits.items():
        wanted = split_rows(manifest, split, raw)
        found = shared.load(name, split, synthetic=ROWS)
        assert len(found) == len(wanted) == facts.rows > 0
        assert list(found.features) == list(manifest.split_features(split))
        for column, feature in found.features.items():
            compare(found, column, feature, [row[column] for row in wanted])


def compare(found: Dataset, column: str, feature: Feature, wanted: list[Any]) -> None:
    """Compare every value of a column, stored and decoded."""
    if is_encoded(feature):
        assert list(found.decode(False)[column]) == wanted
        for row in (0, len(found) - 1):
            np.testing.assert_array_equal(found[row][column], decoded(wanted[row], feature))
        return
    for row, value in enumerate(wanted):
        got = found[row][column]
        if isinstance(value, float):
            dtype = getattr(feature, "dtype", "float64")
            same = math.isnan(value) and math.isnan(got)
            assert same or np.dtype(dtype).type(value) == np.dtype(dtype).type(got)
        elif isinstance(value, str | int):
            assert got == value
        else:
            shape = feature.shape if isinstance(feature, ImageFeature) else np.shape(value)
            np.testing.assert_array_equal(np.asarray(got), np.reshape(value, shape))


def decoded(data: bytes, feature: Feature) -> np.ndarray:
    """An image decoded by Pillow, or audio by the standard library."""
    if isinstance(feature, ImageFeature):
        grey = feature.shape and feature.shape[2] == 1
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("L" if grey else "RGB"))
        return pixels[:, :, None] if grey else pixels
    assert isinstance(feature, AudioFeature)
    with wave.open(io.BytesIO(data)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return samples.reshape(-1, feature.channels) if feature.channels > 1 else samples
