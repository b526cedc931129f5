"""Arrays: npz, HDF5, pixels and tags in columns.

48. npz of time series
49. npz of Keras: x_train, y_train, x_test, y_test
50. npz with names of rows and a number beside the arrays
51. HDF5 of images and labels
52. MNIST as CSV: a label and 784 columns of pixels
53. tags as columns of 0 and 1
54. tags separated by `|`
"""

import io
from typing import Any

import numpy as np
import pytest

from tests.end_to_end.practitioners.case import Case, from_
from tests.end_to_end.practitioners.files import Make, text, tree

SERIES = np.arange(24, dtype=np.float32).reshape(3, 4, 2) / 8
IMAGES = np.arange(4 * 2 * 3, dtype=np.uint8).reshape(4, 2, 3) * 10
LINES = ["label," + ",".join(f"pixel{i}" for i in range(784))]
LINES += [",".join(map(str, [digit, *range(digit, digit + 392), *[0] * 392])) for digit in (7, 2)]
PIXELS: Any = [[*range(digit, digit + 392), *[0] * 392] for digit in (7, 2)]


def npz(name: str, **arrays: Any) -> Make:
    """Return a function that writes an npz file."""

    def content() -> bytes:
        sink = io.BytesIO()
        np.savez(sink, **arrays)
        return sink.getvalue()

    return tree({name: content})


def hdf5(folder: Any) -> None:
    """Write an HDF5 file with h5py."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "digits.h5", "w") as file:
        file["images"] = IMAGES
        file["labels"] = np.array([1, 0, 1, 2])


CASES = [
    Case(
        "npz of time series",
        npz("series.npz", x=SERIES, y=np.array([0, 1, 1])),
        {"train": {"x": SERIES.tolist(), "label": ["0", "1", "1"]}},
        ("{}/series.npz",),
        asks="numbers are read as classes",
    ),
    Case(
        "npz of Keras: x_train, y_train, x_test, y_test",
        npz(
            "mnist.npz",
            x_train=IMAGES[:3],
            y_train=np.array([1, 0, 1]),
            x_test=IMAGES[3:],
            y_test=np.array([0]),
        ),
        {
            "train": {"image": IMAGES[:3].tolist(), "label": ["1", "0", "1"]},
            "test": {"image": IMAGES[3:].tolist(), "label": ["0"]},
        },
        ("{}/mnist.npz",),
        asks="numbers are read as classes",
        classes={"label": ("0", "1")},
    ),
    Case(
        "npz with names of rows and a number beside the arrays",
        npz("runs.npz", x=SERIES, names=np.array(["a", "b", "ö"]), rate=np.float64(100)),
        {"train": {"x": SERIES.tolist(), "names": ["a", "b", "ö"]}},
        ("{}/runs.npz",),
        asks="rate",
    ),
    Case(
        "HDF5 of images and labels",
        hdf5,
        {"train": {"images": IMAGES.tolist(), "labels": ["1", "0", "1", "2"]}},
        ("{}/digits.h5",),
        lambda folder: from_.from_hdf5(folder / "digits.h5"),
        refused="Dataset.from_hdf5",
    ),
    Case(
        "MNIST as CSV: a label and 784 columns of pixels",
        text("mnist_train.csv", *LINES),
        {"train": {"label": ["7", "2"], "pixels": np.reshape(PIXELS, (2, 28, 28)).tolist()}},
        (
            "{}/mnist_train.csv",
            "--label",
            "label",
            "--array",
            "pixels=pixel0..pixel783:28x28",
        ),
        lambda folder: from_.from_csv(
            folder / "mnist_train.csv", arrays={"pixels": "pixel0..pixel783:28x28"}
        ),
        elsewhere={"train": {"label": [7, 2], "pixels": np.reshape(PIXELS, (2, 28, 28)).tolist()}},
    ),
    Case(
        "tags as columns of 0 and 1",
        text("toxic.csv", "comment,toxic,insult", "hi,0,0", "bah,1,0", "boo,1,1"),
        {"train": {"comment": ["hi", "bah", "boo"], "toxic": [0, 1, 1], "insult": [0, 0, 1]}},
        ("{}/toxic.csv",),
        lambda folder: from_.from_csv(folder / "toxic.csv"),
    ),
    Case(
        "tags separated by |",
        text("movies.csv", "title,genres", "Heat,Action|Crime", "Up,Animation"),
        {"train": {"title": ["Heat", "Up"], "genres": ["Action|Crime", "Animation"]}},
        ("{}/movies.csv",),
        lambda folder: from_.from_csv(folder / "movies.csv"),
    ),
]
