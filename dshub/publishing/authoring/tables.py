"""Outline datasets of tables (CSV, JSON, parquet, Arrow, lines of text) and arrays (IDX, npz)."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dshub import formats
from dshub.errors import DshubError
from dshub.formats._texts import Encoding
from dshub.publishing.authoring.columns import LABELS
from dshub.publishing.authoring.dialects import Dialect, shown, sniff
from dshub.publishing.authoring.json_records import read_records
from dshub.publishing.authoring.outline import Outline, SplitOutline
from dshub.publishing.authoring.survey import Entry, key, some, split_in, stem
from dshub.publishing.authoring.texts import Text, read_text
from dshub.tables.types import shaped

TITLES = {
    "delimited": "delimited text",
    "json": "JSON",
    "lines": "lines of text",
    "parquet": "parquet",
    "arrow": "Arrow",
    "idx": "IDX arrays",
    "npz": "NumPy arrays",
}
_IMAGES = {"image", "images", "img", "imgs", "x", "data", "pictures"}
_IDX_NAME = re.compile(r"[-_.]?idx\d+[-_.]?(?:u?byte)?", re.IGNORECASE)


@dataclass(frozen=True)
class TextOptions:
    """Stated facts about text files; None if they are to be detected.

    Attributes:
        header: whether delimited text has a header.
        delimiter: delimiter between fields.
        encoding: encoding of the files.
        decimal_comma: columns of numbers such as `1,5`.
    """

    header: bool | None = None
    delimiter: str | None = None
    encoding: Encoding | None = None
    decimal_comma: tuple[str, ...] = ()

    @property
    def is_table(self) -> bool:
        """Whether an option describes a table, so that text files are tables."""
        return self.header is not None or self.delimiter is not None or bool(self.decimal_comma)


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
            for entry in entries:
                _add_array(split, name, entry, result.doubts)
            continue
        split.add("text" if form == "lines" else "rows", entries)
        if form == "delimited":
            split.reader |= _delimited(entries, result.doubts, options)
        elif form == "json":
            split.reader |= _json(entries, result.doubts)
        elif form == "lines":
            split.reader["blank"] = "drop"
            split.reader |= _encoding(_texts(entries, options), result.doubts)
        else:
            split.reader |= _nested_columns(form, entries[0])
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


def _delimited(entries: Sequence[Entry], doubts: list[str], options: TextOptions) -> dict[str, Any]:
    """Return the reader options for delimited text, which must be the same for all files."""
    texts = _texts(entries, options)
    dialects: dict[Dialect, str] = {}
    for name, text in texts.items():
        dialect = sniff(
            text.head,
            name,
            header=options.header,
            delimiter=options.delimiter,
            complete=text.complete,
            late=text.late,
        )
        dialects.setdefault(dialect, name)
    if len(dialects) > 1:
        raise DshubError(
            f"{some(list(dialects.values()))} differ in columns, delimiter, quotes or header",
            hint="pass only files of one dataset, or use --split NAME=PATH for each file",
        )
    (first,) = dialects
    doubts += _doubts(first, options)
    commas = [name for name in first.columns if {name, key(name)} & set(options.decimal_comma)]
    stated = {
        "header": first.header,
        "delimiter": first.delimiter,
        "quoting": first.quoting,
        "trailing": first.trailing,
        "decimal_comma": commas,
    }
    defaults = {"header": False, "delimiter": ",", "quoting": True, "trailing": False}
    stated = {name: value for name, value in stated.items() if value != defaults.get(name, [])}
    return {"columns": list(first.columns), **stated, **_encoding(texts, doubts)}


def _doubts(dialect: Dialect, options: TextOptions) -> list[str]:
    """Return what is uncertain about delimited text, with the options that decide it."""
    doubts = []
    if dialect.others and options.delimiter is None:
        others = " and ".join(map(shown, dialect.others))
        doubts.append(
            f"fields are separated by {shown(dialect.delimiter)}, but {others} would also fit; "
            "use --delimiter to change this"
        )
    if dialect.delimiter == "blanks" and options.delimiter is None:
        doubts.append("fields are separated by blanks; use --delimiter to change this")
    if not dialect.sure and options.header is None:
        role, option = ("a header", "--no-header") if dialect.header else ("data", "--header")
        doubts.append(f"the first line is read as {role}; use {option} to change this")
    doubts += [
        f"column {name!r} looks like numbers with a decimal comma; if it is, use --decimal-comma "
        f"{key(name)}"
        for name in dialect.decimal_commas
        if not {name, key(name)} & set(options.decimal_comma)
    ]
    return doubts


def _texts(entries: Sequence[Entry], options: TextOptions) -> dict[str, Text]:
    """Return the beginning of each file by name.

    Raises:
        DshubError: a file is not text.
    """
    texts = {}
    for entry in entries:
        text = read_text(entry, options.encoding)
        if text is None:
            raise DshubError(f"{entry.name} is not text", hint="pass only text files")
        texts[entry.name] = text
    return texts


def _encoding(texts: Mapping[str, Text], doubts: list[str]) -> dict[str, Any]:
    """Return the reader option for the encoding, which must be the same for all files."""
    found = {text.encoding: name for name, text in texts.items() if not text.ascii}
    if len(found) > 1:
        names = ", ".join(f"{name} is {encoding}" for encoding, name in found.items())
        raise DshubError(
            f"the files have several encodings: {names}",
            hint="state one with --encoding, or convert the files to UTF-8",
        )
    for encoding, name in found.items():
        if not texts[name].sure:
            doubts.append(
                f"{name} is not UTF-8 and is read as {encoding}; use --encoding to change this"
            )
        return {"encoding": encoding} if encoding != "utf-8" else {}
    return {}


def _json(entries: Sequence[Entry], doubts: list[str]) -> dict[str, Any]:
    records = read_records(entries)
    options = records.reader()
    doubts += records.notes
    if not options["columns"]:
        raise DshubError(
            f"{entries[0].name} has no key with values of one type",
            hint="write a manifest; see https://dshub.github.io/dshub/manifests.html",
        )
    return options


def _nested_columns(form: str, entry: Entry) -> dict[str, Any]:
    """Return the reader option `columns` for a file with struct columns, or no options.

    For a Hugging Face image, a struct of `bytes` and `path`, only `bytes` is used.
    """
    schema = _schema(form, entry)
    paths = {} if schema is None else dict(_paths(schema))
    columns: dict[str, str] = {}
    for path, name in paths.items():
        columns[key(name, columns)] = path
    return {"columns": columns} if any("." in path for path in paths) else {}


def _paths(fields: Iterable[pa.Field]) -> Iterator[tuple[str, str]]:
    """Yield the path and the name of each column, descending into structs."""
    for field in fields:
        if not pa.types.is_struct(field.type):
            yield field.name, field.name
        elif any(inner.name == "bytes" for inner in field.type):
            yield f"{field.name}.bytes", field.name
        else:
            yield from _paths(field.flatten())


def _schema(form: str, entry: Entry) -> pa.Schema | None:
    """Return the schema of a file; None if the file has no rows."""
    batch = next(iter(formats.create({"format": form}).read({"rows": [entry.file]})), None)
    return None if batch is None else batch.schema


def _add_array(split: SplitOutline, name: str, entry: Entry, doubts: list[str]) -> None:
    """Add an array file as a column, with a name from the file name and the type of values."""
    form = split.reader["format"]
    schema = _schema(form, entry)
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
