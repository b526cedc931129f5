"""Outline tables: delimited text, JSON, parquet, Arrow, lines of text."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from dshub import formats
from dshub.errors import DshubError
from dshub.publishing.authoring.dialect import Dialect, sniff
from dshub.publishing.authoring.forms import decoded
from dshub.publishing.authoring.outline import Outline, SplitOutline
from dshub.publishing.authoring.records import read_records
from dshub.publishing.authoring.survey import Entry, key

TITLES = {
    "delimited": "delimited text",
    "json": "JSON",
    "lines": "lines of text",
    "parquet": "parquet",
    "arrow": "Arrow",
}


def outline(form: str, files: Mapping[str, Sequence[Entry]], *, header: bool | None) -> Outline:
    """Outline a dataset of tables.

    Args:
        form: the reader of all files.
        files: of each split, in order.
        header: whether delimited text has a header; None to guess.

    Raises:
        DshubError: files of a split differ in their columns.
    """
    result = Outline(kind=TITLES[form])
    for name, entries in files.items():
        reader: dict[str, Any] = {"format": form}
        if form == "delimited":
            reader = _delimited(entries, result.doubts, header=header)
        elif form == "json":
            records = read_records(entries)
            reader = records.reader()
            result.doubts += records.notes
            if not reader["columns"]:
                raise DshubError(
                    f"{entries[0].name} has no key that every row has",
                    hint="see registry/README.md",
                )
        elif form == "lines":
            reader["blank"] = "drop"
        else:
            reader |= _nested_columns(form, entries[0])
        split = result.splits[name] = SplitOutline(reader)
        split.add("text" if form == "lines" else "rows", entries)
    _agree_on_quotes([split.reader for split in result.splits.values()])
    result.doubts = list(dict.fromkeys(result.doubts))
    return result


def _agree_on_quotes(readers: Sequence[dict[str, Any]]) -> None:
    """Apply to all splits what one of them proves; others can be without quotes.

    Between tabs only the quotes of CSV can be proved, between commas only plain ones.
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


def _delimited(
    entries: Sequence[Entry], doubts: list[str], *, header: bool | None
) -> dict[str, Any]:
    """The reader of delimited text; all files must be alike."""
    dialects = [sniff(decoded(item.head()) or "", item.name, header=header) for item in entries]
    first = dialects[0]
    for entry, other in zip(entries, dialects, strict=True):
        if other != first:
            raise DshubError(
                f"{entries[0].name} has {_columns(first)}, and {entry.name} has {_columns(other)}",
                hint="give files that belong together, or --split NAME=PATH for each",
            )
    if not first.sure and header is None:
        taken, option = ("a header", "--no-header") if first.header else ("data", "--header")
        doubts.append(f"the first line is taken for {taken}, unless you give {option}")
    options = {"header": first.header, "delimiter": first.delimiter, "quoting": first.quoting}
    defaults = {"header": False, "delimiter": ",", "quoting": True}
    stated = {name: value for name, value in options.items() if value != defaults[name]}
    return {"format": "delimited", "columns": list(first.columns), **stated}


def _columns(dialect: Dialect) -> str:
    return f"{len(dialect.columns)} columns {', '.join(dialect.columns[:8])}"


def _nested_columns(form: str, entry: Entry) -> dict[str, Any]:
    """The option `columns` for a file with columns in structures; else no option.

    Hugging Face stores an image as a structure of bytes and path: the bytes are the column.
    """
    batch = next(iter(formats.create({"format": form}).read({"rows": [entry.file]})), None)
    paths = {} if batch is None else dict(_paths(batch.schema))
    columns: dict[str, str] = {}
    for path, name in paths.items():
        columns[key(name, columns)] = path
    return {"columns": columns} if any("." in path for path in paths) else {}


def _paths(fields: Iterable[pa.Field], parent: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path of each column, and its name."""
    for field in fields:
        path = f"{parent}{field.name}"
        inner = [one.name for one in field.type] if pa.types.is_struct(field.type) else []
        if "bytes" in inner:
            yield f"{path}.bytes", path
        elif inner:
            yield from _paths(field.type, f"{path}.")
        else:
            yield path, path
