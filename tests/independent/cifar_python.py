"""Read CIFAR's Python files by unpickling."""

import pickle
from typing import Any

import numpy as np

Files = dict[str, list[tuple[str, bytes]]]


def read(files: Files, options: dict[str, Any]) -> dict[str, list[Any]]:
    """Return `image` and the lists in `options["columns"]`."""
    columns = options.get("columns", {"label": "labels"})
    rows: dict[str, list[Any]] = {"image": [], **{name: [] for name in columns}}
    ((_, contents),) = files.items()
    for _, data in contents:
        values = pickle.loads(data, encoding="bytes")
        for row in values[b"data"]:
            rows["image"].append(
                np.dstack([row[:1024], row[1024:2048], row[2048:]]).reshape(32, 32, 3)
            )
        for name, key in columns.items():
            items = values[key.encode()]
            rows[name] += [item.decode() if isinstance(item, bytes) else item for item in items]
    return rows
