"""Read LIBSVM text as torchvision reads USPS: Python floats, then float32, then uint8."""

from typing import Any

import numpy as np


def read(files: dict[str, list[tuple[str, bytes]]], options: dict[str, Any]) -> dict[str, list]:
    """Return integer labels and arrays of the requested shape."""
    labels: list[int] = []
    rows: list[np.ndarray] = []
    shape = tuple(options["shape"])
    (part,) = files.values()
    for _, data in part:
        for line in data.splitlines():
            if not line:
                continue
            label, *pairs = line.decode().split()
            entries = {int(i): float(value) for i, _, value in (x.partition(":") for x in pairs)}
            values = [entries.get(i + 1, 0.0) for i in range(int(np.prod(shape)))]
            labels.append(int(label))
            rows.append(_array(values, options).reshape(shape))
    return {options.get("label", "label"): labels, options.get("values", "values"): rows}


def _array(values: list[float], options: dict[str, Any]) -> np.ndarray:
    if options.get("scale", "none") == "none":
        return np.array(values)
    pixels: np.ndarray = ((np.asarray(values, np.float32) + 1) / 2 * 255).astype(np.uint8)
    return pixels
