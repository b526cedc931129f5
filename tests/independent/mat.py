"""Read MATLAB files with SciPy."""

import io
from typing import Any

import numpy as np
import scipy.io

Files = dict[str, list[tuple[str, bytes]]]


def read(files: Files, options: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the variables, or fields of structs, in `options["columns"]`."""
    rows: dict[str, list[Any]] = {}
    ((_, contents),) = files.items()
    for _, data in contents:
        loaded = scipy.io.loadmat(io.BytesIO(data), uint16_codec="utf-16-le")
        for column, named in options["columns"].items():
            for path in [named] if isinstance(named, str) else named:
                name, _, field = path.partition(".")
                array = loaded[name][field] if field else loaded[name]
                values = _rows(array, options.get("row_axis", {}).get(column, 0))
                rows.setdefault(column, []).extend(values)
                if options.get("variable") and column == next(iter(options["columns"])):
                    rows.setdefault(options["variable"], []).extend([path] * len(values))
    return rows


def _rows(array: np.ndarray, axis: int) -> list[Any]:
    """Split an array into rows, flattening vectors and unwrapping cells of one value."""
    if array.ndim == 2 and 1 in array.shape:
        array = array.reshape(-1)
        return [_cell_value(value) for value in array] if array.dtype == object else array.tolist()
    return [row[..., 0] if row.shape[-1:] == (1,) else row for row in np.moveaxis(array, axis, 0)]


def _cell_value(value: Any) -> Any:
    return value.reshape(-1)[0].item() if value.size else ""
