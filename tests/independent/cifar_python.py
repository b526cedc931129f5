"""CIFAR's Python files, as everybody else reads them: by running the pickle."""

import pickle
from typing import Any

import numpy as np

Files = dict[str, list[tuple[str, bytes]]]


def read(files: Files, options: dict[str, Any]) -> dict[str, list[Any]]:
    """`image` and the lists that are named."""
    columns = options.get("columns", {"label": "labels"})
    rows: dict[str, list[Any]] = {"image": [], **{name: [] for name in columns}}
    ((_, found),) = files.items()
    for _, data in found:
        values = pickle.loads(data, encoding="bytes")
        for row in values[b"data"]:
            rows["image"].append(
                np.dstack([row[:1024], row[1024:2048], row[2048:]]).reshape(32, 32, 3)
            )
        for name, key in columns.items():
            given = values[key.encode()]
            rows[name] += [item.decode() if isinstance(item, bytes) else item for item in given]
    return rows
