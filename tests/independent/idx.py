"""Read IDX files with struct and NumPy."""

import struct
from typing import Any

import numpy as np

CODES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}


def read(
    files: dict[str, list[tuple[str, bytes]]], options: dict[str, Any]
) -> dict[str, list[Any]]:
    """Return one column per part, or several if `options["columns"]` names them."""
    columns: dict[str, list[Any]] = {}
    for part, ((_, data),) in files.items():
        code, dimensions = data[2], data[3]
        shape = struct.unpack(f">{dimensions}I", data[4 : 4 + 4 * dimensions])
        array = np.frombuffer(data[4 + 4 * dimensions :], f">{CODES[code]}").reshape(shape)
        if part in options.get("columns", {}):
            names = options["columns"][part]
            columns |= {name: array[:, i].tolist() for i, name in enumerate(names)}
        elif part in options.get("transpose", ()):
            columns[part] = list(np.moveaxis(array, 2, 1))
        else:
            columns[part] = list(array) if array.ndim > 1 else array.tolist()
    return columns
