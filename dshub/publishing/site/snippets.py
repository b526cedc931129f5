"""Generate code that loads a dataset, for each framework."""

import keyword
import re
from typing import NamedTuple

from dshub.catalog.features import ImageFeature
from dshub.catalog.manifest import Manifest
from dshub.publishing.site.pages import TEMPLATES

_TITLES = {
    "numpy": "NumPy",
    "torch": "PyTorch",
    "tf": "TensorFlow",
    "keras": "Keras",
    "shell": "Command line",
}
_USED = {"load", "prepare", "batch", "batches", "all", "row", "column", "values"}


class Snippet(NamedTuple):
    """Code snippet for a framework, such as `torch` (key) with the title `PyTorch`."""

    key: str
    title: str
    code: str


def snippets(manifest: Manifest) -> list[Snippet]:
    """Return snippets for NumPy, PyTorch, TensorFlow, Keras and the shell.

    Keras is omitted for a dataset without `supervised` columns.
    """
    split = "train" if "train" in manifest.splits else next(iter(manifest.splits))
    columns, pair = list(manifest.split_features(split)), manifest.supervised
    images = [item for item in manifest.features.values() if isinstance(item, ImageFeature)]
    macros = TEMPLATES.get_template("snippets.txt").make_module(
        {
            "manifest": manifest,
            "split": split,
            "column": columns[0],
            "columns": pair if pair and set(pair) <= set(columns) else columns[:2],
            "images": bool(images),
            # images in a batch must have the same size
            "resize": any(not image.shape for image in images),
        }
    )
    keys = [key for key in _TITLES if key != "keras" or pair]
    return [Snippet(key, _TITLES[key], getattr(macros, key)().strip()) for key in keys]


def variable(name: str) -> str:
    """Convert the name of a split or column to a valid variable name."""
    plain = re.sub(r"\W", "_", name)
    if plain in _USED or keyword.iskeyword(plain) or not plain.isidentifier():
        return f"{plain}_" if f"{plain}_".isidentifier() else f"_{plain}"
    return plain


TEMPLATES.filters["variable"] = variable
