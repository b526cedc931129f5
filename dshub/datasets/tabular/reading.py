"""Read the tables of users into columns in memory, as `dshub new` infers them."""

import warnings
from codecs import lookup
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import get_args

import pyarrow as pa

from dshub import formats
from dshub.catalog.features import Feature
from dshub.datasets.from_memory import check_names, column_of_chunks
from dshub.datasets.sources import ColumnSource
from dshub.datasets.tabular.arrays import ArrayRange
from dshub.datasets.tabular.files import find_files
from dshub.datasets.tabular.guessing import BECOMES_NAN, NO_VALUE, NUMBERED
from dshub.datasets.tabular.inferring import Inference
from dshub.datasets.tabular.options import CsvOptions, TableOptions
from dshub.datasets.tabular.partitions import folder_columns, read_each
from dshub.datasets.tabular.readers import (
    TextOptions,
    choose_reader,
    name_of_unnamed,
    unchanged,
    untyped,
)
from dshub.errors import ArgumentError, ReadError, SchemaError
from dshub.formats import File
from dshub.formats._texts import Delimiter, Encoding
from dshub.tables.conforming import conform
from dshub.tables.steps import renamed, stacked

SUFFIXES = {
    "delimited": (".csv", ".tsv", ".tab", ".txt"),
    "json": (".json", ".jsonl", ".ndjson"),
    "parquet": (".parquet", ".pq"),
}
_ENCODINGS: dict[str, Encoding] = {
    "utf-8": "utf-8",
    "utf-8-sig": "utf-8",
    "ascii": "utf-8",
    "iso8859-1": "latin-1",
    "cp1252": "cp1252",
    "utf-16": "utf-16",
}
_HINT = "correct the values, or pass another feature of the column in `features`"


def _text_options(options: TableOptions) -> TextOptions:
    """Return the stated facts about text files."""
    if not isinstance(options, CsvOptions):
        return TextOptions(python=True)
    if options.delimiter is not None and options.delimiter not in get_args(Delimiter):
        expected = f"None or one of {', '.join(map(repr, get_args(Delimiter)))}"
        raise ArgumentError(name="delimiter", value=options.delimiter, expected=expected)
    commas = () if options.decimal == "." else None
    encoding = _encoding(options.encoding)
    return TextOptions(options.header, options.delimiter, encoding, commas, python=True)


def _encoding(name: str | None) -> Encoding | None:
    """Return an encoding by any of its names."""
    try:
        return None if name is None else _ENCODINGS[lookup(name).name]
    except (LookupError, TypeError):
        expected = "None, 'utf-8', 'utf-16', 'cp1252' or 'latin-1'"
        raise ArgumentError(name="encoding", value=name, expected=expected) from None


def read_files(form: str, options: TableOptions) -> ColumnSource:
    """Read files of one format into columns.

    Args:
        form: name of the reader.
        options: files, and how to read them.

    Raises:
        ReadError: a file does not exist or does not match its format, or has no rows.
        SchemaError: a value does not fit its feature.
        DshubError: the files differ in structure.
    """
    files = find_files(options.path, SUFFIXES[form])
    chosen, notes = choose_reader(form, files, _text_options(options))
    reader = formats.create(chosen)
    folders = folder_columns(files, notes)
    batches = (
        read_each(files, lambda file: reader.read({"rows": [file]}))
        if folders
        else reader.read({"rows": files})
    )
    texts = untyped(chosen, chosen.get("columns", ())) | {*folders}
    return read_batches(batches, options, files=files, notes=notes, untyped=texts)


def read_batches(
    batches: Iterable[pa.RecordBatch],
    options: TableOptions,
    *,
    files: Sequence[File],
    notes: Sequence[str] = (),
    untyped: Collection[str] = (),
) -> ColumnSource:
    """Infer the features of batches from files, and convert them to columns.

    What is uncertain, or left out, is a warning.

    Args:
        batches: rows of the files.
        options: arguments of the caller.
        files: files, for messages.
        notes: notes about the files.
        untyped: columns in which text can be numbers.
    """
    arrays = {name: ArrayRange.parse(name, text) for name, text in (options.arrays or {}).items()}
    found, read = Inference(), list[pa.RecordBatch]()
    for batch in batches:
        rename = _names_of_unnamed(batch.schema.names)
        texts = {rename.get(name, name) for name in untyped}
        read.append(renamed(batch, rename) if rename else batch)
        found.add("rows", read[-1], rename, untyped=texts)
    if not read:
        names = ", ".join(file.name for file in files[:3])
        raise ReadError(file=names, reason="it has no rows", hint="pass files with rows")
    declared = options.features or {}
    check_names(declared, found.columns, f"{files[0].name}, ")
    found.infer({}, arrays, unchanged, declared=declared)
    warn([*notes, *filter(None, map(_in_python, found.notes))])
    features = found.features
    where = files[0].name + (f" and {len(files) - 1:,} more" if len(files) > 1 else "")
    return _source(list(_conformed(read, found, features, where)), features)


def _names_of_unnamed(columns: Sequence[str]) -> dict[str, str]:
    """Return the new name of a column without one."""
    if "" not in columns:
        return {}
    return {"": unchanged(name_of_unnamed(columns.index("") + 1), columns)}


def _conformed(
    read: list[pa.RecordBatch], found: Inference, features: Mapping[str, Feature], where: str
) -> Iterator[pa.RecordBatch]:
    """Convert batches to their features, and remove each from the list, to free its memory."""
    row = 0
    read.reverse()
    while read:
        batch = read.pop()
        for step in found.stacks:
            batch = stacked(batch, step, first_row=row)
        try:
            yield conform(batch, features, where=where, first_row=row)
        except SchemaError as error:
            if error.hint == SchemaError.hint:  # it speaks of a manifest
                raise SchemaError(
                    where=error.where, expected=error.expected, got=error.got, hint=_HINT
                ) from error
            raise
        row += batch.num_rows


def _source(batches: Sequence[pa.RecordBatch], features: Mapping[str, Feature]) -> ColumnSource:
    chunks = {name: [batch.column(name) for batch in batches] for name in features}
    columns = {name: column_of_chunks(chunks[name], features[name]) for name in features}
    rows = sum(batch.num_rows for batch in batches)
    return ColumnSource(columns, features, rows, arrow=chunks)


def _in_python(note: str) -> str:
    """Replace the option of a command in a note; empty for a fact that the features show."""
    if NUMBERED in note or note.endswith((NO_VALUE, BECOMES_NAN)):
        return ""
    text, option, _ = note.partition("; use --")
    return f"{text}; pass its feature in `features` to change this" if option else text


def warn(notes: Sequence[str]) -> None:
    """Warn about what is uncertain, at the line of the caller's program."""
    if notes:
        warnings.warn("; ".join(dict.fromkeys(notes)), UserWarning, stacklevel=6)
