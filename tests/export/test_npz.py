"""NumPy archives, read by NumPy."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset, DshubError
from dshub.catalog.features import ImageFeature
from tests.exporting import CLASSES, Rows, Some, same, written


def test_npz_has_whole_columns(some: Some, rows: Rows, tmp_path: Path) -> None:
    """`numpy.load` reads all of it without pickle, with the names of classes."""
    dataset = some("pixels", "label", "text", "count", "exact", "box")
    (path,) = written(dataset, "npz", tmp_path)
    with np.load(path, allow_pickle=False) as found:
        assert set(found) == {*dataset.features, "label_names"}
        assert found["label_names"].tolist() == list(CLASSES)
        for name in dataset.features:
            assert same(found[name], [row[name] for row in rows])
        assert (found["pixels"].dtype, found["box"].dtype) == (np.uint8, np.float32)


def test_encoded_pictures_of_one_shape_are_pixels_in_npz(tmp_path: Path) -> None:
    """Files of pictures are decoded there."""
    made = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    files = []
    for picture in made:
        sink = io.BytesIO()
        Image.fromarray(picture).save(sink, "PNG")
        files.append(sink.getvalue())
    feature = ImageFeature(shape=(4, 5, 3), encoding="png")
    dataset = Dataset.from_arrays({"x": files}, features={"x": feature})
    (path,) = written(dataset, "npz", tmp_path)
    with np.load(path) as found:
        assert np.array_equal(found["x"], made)


def test_npz_is_refused_where_it_fits_no_memory(tmp_path: Path) -> None:
    """A text of a million characters would make each of a million rows as long: 4 TB are said."""
    texts = ["short"] * 1_000_000
    texts[3] = "x" * 1_000_000
    with pytest.raises(DshubError, match=r"are 4\.0 TB together"):
        written(Dataset.from_arrays({"text": texts}), "npz", tmp_path)
    assert not list(tmp_path.iterdir())
