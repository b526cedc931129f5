"""Read HDF5 files that h5py writes."""

from pathlib import Path

import numpy as np
import pytest

from dshub import Dataset, Feature
from dshub.catalog.features import NumberFeature, TextFeature
from dshub.errors import MissingExtraError, ReadError

h5py = pytest.importorskip("h5py")


def test_datasets_become_columns(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 4, 5), dtype=np.uint8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"] = images
        file["meta/x"] = np.arange(50, dtype=">f4")
        file["meta/half"] = np.arange(50, dtype=np.float16)
        file["flags"] = np.arange(50) % 2 == 0
        file["text"] = [f"ä {i}" for i in range(50)]
        file["fixed"] = np.array([f"{i}" for i in range(50)], "S4")
    features: dict[str, Feature] = {
        "images": NumberFeature(dtype="uint8", shape=(4, 5)),
        "fixed": TextFeature(),
    }
    ds = Dataset.from_hdf5(tmp_path / "a.h5", features=features)
    assert len(ds) == 50
    np.testing.assert_array_equal(ds["images"][:], images)
    assert ds["meta/x"].tolist() == ds["meta/half"].tolist() == list(range(50))
    assert ds["meta/x"].dtype == ds["meta/half"].dtype == np.float32
    assert ds["flags"].tolist() == [i % 2 == 0 for i in range(50)]
    assert ds[7]["text"] == "ä 7"
    assert ds[7]["fixed"] == "7"


def test_other_datasets_are_left_out_with_a_warning(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["y"] = np.zeros((9, 3)), np.arange(9) * 5
        file["mean"], file["rate"] = np.zeros(3), 100.0
        file["complex"] = np.zeros(9, np.complex64)
    with pytest.warns(UserWarning, match="dataset 'mean' is omitted") as caught:
        ds = Dataset.from_hdf5(tmp_path / "a.h5")
    assert list(ds.features) == ["x", "y"]
    assert "'rate' is omitted: it is a single value" in str(caught[0].message)
    assert "'complex' is omitted" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_several_files_are_concatenated(tmp_path: Path) -> None:
    for part in range(3):
        with h5py.File(tmp_path / f"{part}.h5", "w") as file:
            file["x"] = np.arange(4) + 10 * part
    assert Dataset.from_hdf5(tmp_path)["x"].tolist() == [
        *range(4),
        *range(10, 14),
        *range(20, 24),
    ]


def test_files_without_rows_or_of_other_formats_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(ReadError, match=r"a\.h5: h5py"):
        Dataset.from_hdf5(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["y"] = np.zeros(3), np.zeros(4)
    with pytest.raises(ReadError, match=r"no datasets .* with equal numbers of rows: x \(3,\)"):
        Dataset.from_hdf5(tmp_path / "a.h5")


def test_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    (tmp_path / "a.h5").write_bytes(b"")
    with pytest.raises(MissingExtraError, match="h5py is not installed"):
        Dataset.from_hdf5(tmp_path / "a.h5")
