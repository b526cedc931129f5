"""Build a dataset with a column of every kind, and its rows as plain values."""

import io
import wave
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset, Feature
from dshub.catalog.features import (
    AudioFeature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)

CLASSES = ("cat", "T-shirt/top", "owl")
ROWS = 23

FEATURES: dict[str, Feature] = {
    "pixels": ImageFeature(shape=(3, 4, 1)),
    "photo": ImageFeature(encoding="any"),
    "sound": AudioFeature(rate=8000),
    "label": LabelFeature(names=CLASSES),
    "text": TextFeature(),
    "count": NumberFeature(dtype="int64"),
    "ratio": NumberFeature(dtype="float32"),
    "exact": NumberFeature(dtype="float64"),
    "box": NumberFeature(dtype="float32", shape=(2, 2)),
    "tokens": ListFeature(of=NumberFeature(dtype="int64")),
    "words": ListFeature(of=TextFeature()),
    "tags": ListFeature(of=LabelFeature(names=CLASSES)),
}


def image_file(n: int) -> bytes:
    """Return a PNG or JPEG file."""
    sink = io.BytesIO()
    pixels = Image.fromarray(np.full((2 + n % 3, 5, 3), n, np.uint8))
    pixels.save(sink, "PNG" if n % 2 else "JPEG")
    return sink.getvalue()


def wav_file(n: int) -> bytes:
    """Return a WAV file."""
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        file.writeframes(np.arange(n, n + 5, dtype="<i2").tobytes())
    return sink.getvalue()


def text_of(n: int) -> str:
    """Return text with separators, line breaks, quotes or other alphabets."""
    return ["", "plain", 'a "quote", a comma', "two\nlines\r\nand more", "pâté 読む 🦉"][n % 5]


def example_rows() -> list[dict[str, Any]]:
    """Return rows with a value of every kind."""
    return [
        {
            "pixels": np.full((3, 4, 1), n, np.uint8),
            "photo": image_file(n),
            "sound": wav_file(n),
            "label": n % 3,
            "text": text_of(n),
            "count": -(2**60) + n if n % 2 else n,
            "ratio": np.float32(n / 7),
            "exact": n / 7,
            "box": np.array([[n, 0.1], [-n, 1e30]], np.float32),
            "tokens": np.arange(n % 4) - 1,
            "words": [text_of(i) for i in range(n % 3)],
            "tags": np.arange(n % 4) % 3,
        }
        for n in range(ROWS)
    ]


Some = Callable[..., Dataset]


@pytest.fixture(scope="session")
def rows() -> list[dict[str, Any]]:
    return example_rows()


@pytest.fixture(scope="session")
def some(rows: list[dict[str, Any]]) -> Some:
    """Return a function that builds a dataset of the named columns, or of all columns."""

    def dataset(*names: str) -> Dataset:
        columns: dict[str, Any] = {}
        for name in names or FEATURES:
            values = [row[name] for row in rows]
            listed = isinstance(FEATURES[name], ListFeature) or isinstance(values[0], bytes | str)
            columns[name] = values if listed else np.array(values)
        pair = ("photo", "label") if {"photo", "label"} <= set(columns) else None
        features = {name: FEATURES[name] for name in columns}
        return Dataset.from_arrays(columns, features=features, supervised=pair)

    return dataset
