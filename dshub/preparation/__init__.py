"""From a manifest to a table: fetch, read, conform, write; or find it done.

A table is found by its *recipe*: everything that decides its bytes (checksums of the files,
features, reader, its options and its revision), hashed into a key. Two manifests that differ in
words alone share a table; a change that could change a row cannot find an old one.

A split has an *origin*: upstream's files, or a layout in which it was imported.
"""

from dshub.preparation.making import prepare, prepare_splits, unpacked_size
from dshub.preparation.origins import Origin, find, keys, origin
from dshub.preparation.reading import Archives, rows_of
from dshub.preparation.recipes import FORMAT, Recipe, recipe

__all__ = [
    "FORMAT",
    "Archives",
    "Origin",
    "Recipe",
    "find",
    "keys",
    "origin",
    "prepare",
    "prepare_splits",
    "recipe",
    "rows_of",
    "unpacked_size",
]
