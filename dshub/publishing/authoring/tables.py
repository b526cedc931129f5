"""Outline datasets of tables (CSV, JSON, parquet, Arrow, lines of text) and arrays (IDX, npz)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from dshub.datasets.tabular.columns import LABELS
from dshub.datasets.tabular.readers import TextOptions, choose_reader, schema_of
from dshub.errors import DshubError
from dshub.publishing.authoring.numpy_arrays import usable_arrays
from dshub.publishing.authoring.outline import Outline, SplitOutline
from dshub.publishing.authoring.survey import Entry, key, split_in, stem
from dshub.tables.types import shaped

TITLES = {
    "delimited": "delimited text",
    "json": "JSON",
    "lines": "lines of text",
    "parquet": "parquet",
    "arrow": "Arrow",
    "idx": "IDX arrays",
    "libsvm": "LIBSVM",
    "npz": "NumPy arrays",
}
_IMAGES = {"image", "images", "img", "imgs", "x", "data", "pictures"}
_IDX_NAME = re.compile(r"[-_.]?idx\d+[-_.]?(?:u?byte)?", re.IGNORECASE)


def outline(form: str, files: Mapping[str, Sequence[Entry]], options: TextOptions) -> Outline:
    """Outline a dataset of tables or arrays.

    Args:
        form: name of the reader for all files.
        files: files of each split, in order.
        options: stated facts about text files.

    Raises:
        DshubError: files of a split have different structures.
        ReadError: a file does not match its format.
    """
    result = Outline(kind=TITLES[form])
    for name, entries in files.items():
        split = result.splits[name] = SplitOutline({"format": form})
        if form in {"idx", "npz"}:
            usable, notes = usable_arrays(entries) if form == "npz" else (entries, [])
            result.doubts += notes
            for entry in usable:
                _add_array(split, name, entry, result.doubts)
            continue
        split.add("text" if form == "lines" else "rows", entries)
        files_of_split = [entry.file for entry in entries]
        split.reader, notes = choose_reader(form, files_of_split, options)
        result.doubts += notes
    if form == "libsvm":
        shape = max(split.reader["shape"] for split in result.splits.values())
        for split in result.splits.values():
            split.reader["shape"] = shape
    _agree_on_quotes([split.reader for split in result.splits.values()])
    result.doubts = list(dict.fromkeys(result.doubts))
    return result


def _agree_on_quotes(readers: Sequence[dict[str, Any]]) -> None:
    """Use the same quoting for all splits with the same delimiter.

    A split without quotes shows no preference. With tabs, only CSV quoting can be detected for
    certain; with other delimiters, only plain quotes.
    """
    for delimiter in {reader.get("delimiter", ",") for reader in readers}:
        group = [reader for reader in readers if reader.get("delimiter", ",") == delimiter]
        if len({"quoting" in reader for reader in group}) < 2:
            continue
        for reader in group:
            if delimiter == "\t":
                reader.pop("quoting", None)
            else:
                reader["quoting"] = False


def _add_array(split: SplitOutline, name: str, entry: Entry, doubts: list[str]) -> None:
    """Add an array file as a column, with a name from the file name and the type of values."""
    form = split.reader["format"]
    schema = schema_of(form, entry.file)
    if schema is None:
        raise DshubError(f"{entry.name} has no rows", hint="pass only files with rows")
    kind, shape = shaped(schema.types[0])
    _, base = split_in(stem(entry.base))
    column = key(_IDX_NAME.sub("", base).strip("-_. "), default="data")
    if column in _IMAGES and len(shape) >= 2 and kind == pa.uint8():
        column = "image"
    elif column in LABELS and not shape and pa.types.is_integer(kind):
        column = "label"
    if column in split.parts:
        raise DshubError(
            f"{split.parts[column][0].name} and {entry.name} would both be column {column!r} "
            f"of split {name}",
            hint="rename one of the files, or pass only one of them",
        )
    split.add(column, [entry])
    has_channels_first = len(shape) == 3 and shape[0] in {1, 3} and shape[2] not in {1, 3, 4}
    if form == "npz" and column == "image" and has_channels_first:
        split.reader["axes"] = {column: [1, 2, 0]}
        doubts.append(
            f"column {column!r} is channels-first; the channels are moved to the last axis"
        )
