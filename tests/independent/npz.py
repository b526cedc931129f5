"""Read NumPy files with NumPy."""

import io
from typing import Any

import numpy as np

Files = dict[str, list[tuple[str, bytes]]]


def read(files: Files, options: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the arrays of npz files by column name, or the array of each npy part."""
    columns = options.get("columns", {})
    chunks: dict[str, list[np.ndarray]] = {}
    for part, contents in files.items():
        for _, data in contents:
            loaded = np.load(io.BytesIO(data), allow_pickle=False)
            for name, inside in (columns or {part: ""}).items():
                chunks.setdefault(name, []).append(loaded[inside] if inside else loaded)
    rows: dict[str, list[Any]] = {}
    for name, arrays in chunks.items():
        array = np.concatenate(arrays, axis=options.get("row_axis", {}).get(name, 0))
        array = np.moveaxis(array, options.get("row_axis", {}).get(name, 0), 0)
        if name in options.get("shape", {}):
            array = array.reshape(len(array), *options["shape"][name])
        if name in options.get("axes", {}):
            array = np.stack([row.transpose(options["axes"][name]) for row in array])
        rows[name] = list(array)
    return rows
