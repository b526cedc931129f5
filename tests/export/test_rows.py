"""Test that columns that a format cannot store are refused, and that others keep their values."""

import base64
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from dshub import Dataset, DshubError
from dshub.catalog.features import Feature, ImageFeature, MaskFeature
from tests.exporting import Some, pixels, written
from tests.loading.decoding.test_values import CLASSES, DEPTHS, voc


@pytest.mark.parametrize(
    ("to", "column", "reason"),
    [
        ("csv", "photo", "holds images"),
        ("csv", "box", "holds arrays"),
        ("csv", "words", "holds lists"),
        ("npz", "photo", "holds images of different shapes"),
        ("npz", "sound", "holds audio of different shapes"),
        ("npz", "tokens", "holds lists of different shapes"),
        ("imagefolder", "text", "holds text"),
        ("recordio", "count", "holds numbers"),
    ],
)
def test_column_a_format_cannot_hold_is_refused(
    some: Some, tmp_path: Path, to: str, column: str, reason: str
) -> None:
    with pytest.raises(DshubError, match=f"column {column} {reason}") as caught:
        written(
            some("pixels", "label", column) if to != "csv" else some("label", column), to, tmp_path
        )
    assert "--columns" in caught.value.hint
    assert not list(tmp_path.iterdir())


@pytest.fixture
def masked() -> Dataset:
    """Return masks and images of 16 bits, as files and as arrays."""
    features: dict[str, Feature] = {
        "file": MaskFeature(encoding="png", shape=(2, 3)),
        "array": MaskFeature(shape=(2, 3)),
        "wide": MaskFeature(shape=(2, 3), dtype="int32"),
        "depth": ImageFeature(shape=(6, 8, 1), dtype="uint16"),
    }
    columns: dict[str, Any] = {
        "file": [voc(), voc()],
        "array": np.stack([CLASSES, CLASSES]),
        "wide": np.stack([CLASSES, CLASSES]).astype(np.int32) - 70_000,
        "depth": np.stack([DEPTHS, DEPTHS])[..., None],
    }
    return Dataset.from_arrays(columns, features=features)


def test_masks_and_deep_images_keep_their_values(masked: Dataset, tmp_path: Path) -> None:
    (npz,) = written(masked, "npz", tmp_path / "npz")
    with np.load(npz) as arrays:
        assert np.array_equal(arrays["file"][1], CLASSES)
        assert np.array_equal(arrays["wide"][1], CLASSES.astype(int) - 70_000)
        assert np.array_equal(arrays["depth"][1][..., 0], DEPTHS)
    files: dict[str, np.ndarray] = {"file": CLASSES, "array": CLASSES, "depth": DEPTHS}
    (jsonl,) = written(masked, "jsonl", tmp_path / "jsonl", 1 << 20)
    row = json.loads(jsonl.read_text().splitlines()[1])
    for name, values in files.items():
        assert np.array_equal(pixels(base64.b64decode(row[name])), values)
    assert row["wide"] == (CLASSES.astype(int) - 70_000).tolist()
    (tar,) = written(masked, "webdataset", tmp_path / "tar", 1 << 20)
    with tarfile.open(tar) as archive:
        for name, values in files.items():
            data: Any = archive.extractfile(f"00000001.{name}.png")
            assert np.array_equal(pixels(data.read()), values)
        assert archive.getmember("00000001.wide.npy")
    (parquet,) = written(masked, "parquet", tmp_path / "parquet", 1 << 20)
    table = pq.read_table(parquet).to_pylist()
    assert np.array_equal(pixels(table[1]["file"]["bytes"]), CLASSES)
    assert table[1]["array"] == CLASSES.tolist()
    written(masked, "tfrecord", tmp_path / "tfrecord")
