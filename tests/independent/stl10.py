"""Read STL-10's binary files by computing offsets."""

from typing import Any

import numpy as np

Files = dict[str, list[tuple[str, bytes]]]
SIDE = 96


def read(files: Files, options: dict[str, Any]) -> dict[str, list[Any]]:
    """Return `image`, and `label` if there is a label file."""
    assert not options or set(options) == {"format"}
    ((_, pixels),) = files["image"]
    rows: dict[str, list[Any]] = {"image": []}
    y, x, channel = np.mgrid[:SIDE, :SIDE, :3]
    offsets = channel * SIDE * SIDE + x * SIDE + y  # each plane is stored column by column
    for start in range(0, len(pixels), 3 * SIDE * SIDE):
        row = np.frombuffer(pixels, np.uint8, 3 * SIDE * SIDE, start)
        rows["image"].append(row[offsets])
    if "label" in files:
        ((_, labels),) = files["label"]
        rows["label"] = list(labels)
    return rows
