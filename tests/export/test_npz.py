"""Export NumPy archives and read them with NumPy."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset, DshubError
from dshub.catalog.features import ImageFeature
from dshub.export import export
from tests.exporting import CLASSES, Rows, Some, same, written


def test_numpy_loads_whole_columns(some: Some, rows: Rows, tmp_path: Path) -> None:
    dataset = some("pixels", "label", "text", "count", "exact", "box")
    (path,) = written(dataset, "npz", tmp_path)
    with np.load(path, allow_pickle=False) as arrays:
        assert set(arrays) == {*dataset.features, "label_names"}
        assert arrays["label_names"].tolist() == list(CLASSES)
        for name in dataset.features:
            assert same(arrays[name], [row[name] for row in rows])
        assert (arrays["pixels"].dtype, arrays["box"].dtype) == (np.uint8, np.float32)


def test_encoded_images_of_one_shape_become_pixels(tmp_path: Path) -> None:
    images = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    files = []
    for image in images:
        sink = io.BytesIO()
        Image.fromarray(image).save(sink, "PNG")
        files.append(sink.getvalue())
    feature = ImageFeature(shape=(4, 5, 3), encoding="png")
    dataset = Dataset.from_arrays({"x": files}, features={"x": feature})
    (path,) = written(dataset, "npz", tmp_path)
    with np.load(path) as arrays:
        assert np.array_equal(arrays["x"], images)


def test_npz_larger_than_memory_is_refused(tmp_path: Path) -> None:
    """NumPy pads text to the longest value, so a million rows of a million characters take 4 TB."""
    texts = ["short"] * 1_000_000
    texts[3] = "x" * 1_000_000
    with pytest.raises(DshubError, match=r"needs 4\.0 TB of memory"):
        written(Dataset.from_arrays({"text": texts}), "npz", tmp_path)
    assert not list(tmp_path.iterdir())


def test_column_that_may_miss_values_is_refused(tmp_path: Path) -> None:
    dataset = Dataset.from_arrays({"n": [1, None], "f": [1.5, None]})
    with pytest.raises(DshubError, match="column n can have missing values"):
        export({"train": dataset}, "npz", tmp_path)
    export({"train": dataset.columns(["f"])}, "npz", tmp_path)
    (path,) = tmp_path.glob("*.npz")
    assert np.isnan(np.load(path)["f"][1])
