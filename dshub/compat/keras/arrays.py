"""Load images and labels as arrays."""

import os
from pathlib import Path
from typing import Any

from dshub.compat.opening import open_rows
from dshub.hub.functions import load_data

Arrays = tuple[Any, Any]


def image_arrays(name: str, *, path: str = "", label: str | None = None) -> tuple[Arrays, Arrays]:
    """Return `(x_train, y_train), (x_test, y_test)`; see `dshub.load_data`.

    Args:
        name: dataset.
        path: file below `~/.keras/datasets`, or an absolute path, that can be the upstream file.
        label: column of y; by default the label of the dataset.
    """
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    place = home / "datasets" / path
    root = place.parent if path else place
    for split in ("train", "test"):  # takes files from `root`
        open_rows(name, split, root=root, folders=(name,))
    return load_data(name, supervised=None if label is None else ("image", label))
