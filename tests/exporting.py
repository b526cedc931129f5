"""Export datasets and compare values."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dshub import Dataset
from dshub.export._running import export

Some = Callable[..., Dataset]
Rows = list[dict[str, Any]]
CLASSES = ("cat", "T-shirt/top", "owl")
SHARD = 1500  # bytes; small enough for several shards


def written(dataset: Dataset, to: str, folder: Path, size: int = SHARD) -> list[Path]:
    """Export a dataset and return the files."""
    split = export({"train": dataset}, to, folder, shard_size=size)["train"]
    assert split.rows == len(dataset)
    return list(split.files)


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def same(actual: Any, expected: Any) -> bool:
    """Return True if values are equal, regardless of the types of lists and arrays."""
    if isinstance(expected, np.ndarray | list):
        return len(actual) == len(expected) and all(map(same, actual, expected))
    return bool(actual == expected)
