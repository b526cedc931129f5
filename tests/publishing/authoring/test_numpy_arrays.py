from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub.errors import DshubError, ReadError
from tests.publishing.authoring.conftest import New

X = np.arange(40, dtype=np.float32).reshape(10, 4)
Y = np.arange(10) % 3


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (np.array(100.0), "it is a single value"),
        (np.array("a name"), "it is a single value"),
        (np.array([{}, []], object), "it has Python objects"),
        (np.zeros(10, np.complex64), "its dtype is complex64"),
        (np.zeros(10, [("a", "i4"), ("b", "f4")]), "its dtype is"),
        (np.zeros(4), "it has 4 rows, but others have 10"),
        (np.zeros((3, 10)), "it has 3 rows, but others have 10"),
        (np.zeros(0), "it has 0 rows, but others have 10"),
    ],
)
def test_array_that_is_not_a_column_is_left_out(
    new: New, data: Path, extra: np.ndarray, reason: str
) -> None:
    np.savez(data / "train.npz", X=X, y=Y, more=extra)
    result = new(data / "train.npz")
    (doubt,) = result.doubts("is omitted")
    assert doubt.startswith("array more.npy is omitted: ")
    assert reason in doubt
    assert sorted(result["train"].features) == ["label", "x"]
    np.testing.assert_array_equal(result["train"]["x"][:], X)
    np.testing.assert_array_equal(result["train"]["label"][:], Y)


def test_class_names_of_another_length_are_left_out(new: New, data: Path) -> None:
    np.savez(data / "train.npz", X=X, y=Y, y_names=np.array(["a", "b", "c"]))
    result = new(data / "train.npz")
    assert result.doubts("array y_names.npy is omitted")
    assert len(result["train"]) == 10


@pytest.mark.parametrize("arrays", [{"x": X, "y": Y[:9]}, {"x": X, "y": Y[:9], "z": np.zeros(8)}])
def test_arrays_of_different_lengths_are_rejected(
    new: New, data: Path, arrays: dict[str, Any]
) -> None:
    """Which one is wrong cannot be known."""
    np.savez(data / "train.npz", **arrays)
    with pytest.raises(ReadError, match="differ in length"):
        new(data / "train.npz")


def test_file_without_a_column_is_rejected(new: New, data: Path) -> None:
    np.savez(data / "train.npz", rate=np.array(1), names=np.array(["a"], object))
    with pytest.raises(DshubError, match="no array can be used") as caught:
        new(data / "train.npz")
    assert "array rate.npy is omitted: it is a single value" in caught.value.hint


def test_damaged_array_is_rejected(new: New, data: Path) -> None:
    np.save(data / "x_train.npy", X)
    np.save(data / "y_train.npy", Y)
    path = data / "y_train.npy"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ReadError, match=r"y_train\.npy: its header promises"):
        new(data)
