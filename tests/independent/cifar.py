"""Read CIFAR's binary files record by record."""

from typing import Any

import numpy as np

Files = dict[str, list[tuple[str, bytes]]]


def read(files: Files, options: dict[str, Any]) -> dict[str, list[Any]]:
    """Return `image` and one column per label byte."""
    names = options.get("labels", ["label"])
    size = len(names) + 3072
    rows: dict[str, list[Any]] = {"image": [], **{name: [] for name in names}}
    ((_, contents),) = files.items()
    for _, data in contents:
        assert len(data) % size == 0
        for start in range(0, len(data), size):
            record = data[start : start + size]
            for i, name in enumerate(names):
                rows[name].append(record[i])
            red, green, blue = (record[len(names) + 1024 * i :][:1024] for i in range(3))
            pixels = [list(pixel) for pixel in zip(red, green, blue, strict=True)]
            rows["image"].append(np.array(pixels, np.uint8).reshape(32, 32, 3))
    return rows
