"""Files that are tables: delimited text, JSON, parquet, Arrow, lines of text."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from dshub import formats
from dshub.errors import DshubError
from dshub.publishing.authoring.dialect import Dialect, sniff
from dshub.publishing.authoring.forms import decoded
from dshub.publishing.authoring.outline import Outline, SplitOutline, part
from dshub.publishing.authoring.records import Records, records
from dshub.publishing.authoring.survey import Entry, key

WORDS = {
    "delimited": "delimited text",
    "json": "JSON",
    "lines": "lines of text",
    "parquet": "parquet",
    "arrow": "Arrow",
}
Files = Mapping[str, Sequence[Entry]]
"""The files of each split."""


def outline(
    form: str, files: Files, members: Mapping[Path, list[str]], *, header: bool | None
) -> Outline:
    """The dataset that some tables make.

    Args:
        form: the reader of them all.
        files: those of each split, in order.
        members: of the archives among them.
        header: whether the first line of delimited text names the columns, where a person says so.

    Raises:
        DshubError: files of one split differ in their columns.
    """
    found = Outline(kind=WORDS[form], splits={})
    make: dict[str, Callable[[Sequence[Entry], list[str]], SplitOutline]] = {
        "delimited": lambda entries, doubts: _delimited(entries, doubts, header),
        "json": _json,
        "parquet": lambda entries, _doubts: _arrow("parquet", entries),
        "arrow": lambda entries, _doubts: _arrow("arrow", entries),
        "lines": lambda _entries, _doubts: SplitOutline({"format": "lines", "blank": "drop"}, {}),
    }
    for split, entries in files.items():
        found.splits[split] = own = make[form](entries, found.doubts)
        own.parts = {"text" if form == "lines" else "rows": part(entries, members)}
    _agree_on_quotes(list(found.splits.values()))
    found.doubts = list(dict.fromkeys(found.doubts))
    return found


def _agree_on_quotes(splits: Sequence[SplitOutline]) -> None:
    """What one split proves of quotes holds for all: in the others they may just not occur."""
    for delimiter in ("\t", ",", ";"):
        own = [s.reader for s in splits if s.reader.get("delimiter", ",") == delimiter]
        if len({"quoting" in reader for reader in own}) < 2:
            continue
        # between tabs only quotes of CSV can be proved, between others only plain ones
        proved = {} if delimiter == "\t" else {"quoting": False}
        for reader in own:
            reader.pop("quoting", None)
            reader.update(proved)


def _delimited(
    entries: Sequence[Entry],
    doubts: list[str],
    header: bool | None,  # noqa: FBT001  # see above
) -> SplitOutline:
    dialects = [_dialect(entry, header) for entry in entries]
    first = dialects[0]
    for entry, other in zip(entries, dialects, strict=True):
        if other != first:
            raise DshubError(
                f"{entries[0].name} and {entry.name} differ: {_told(first)}, and {_told(other)}",
                hint="name files that belong together, or --split NAME=PATH for each",
            )
    if not first.sure and header is None:
        told = "a header" if first.header else "a row"
        other_way = "--no-header" if first.header else "--header"
        doubts.append(f"the first line is taken for {told}; {other_way} says otherwise")
    reader: dict[str, Any] = {"format": "delimited", "columns": list(first.columns)}
    if first.header:
        reader["header"] = True
    if first.delimiter != ",":
        reader["delimiter"] = first.delimiter
    if not first.quoting:
        reader["quoting"] = False
    return SplitOutline(reader, {})


def _dialect(entry: Entry, header: bool | None) -> Dialect:  # noqa: FBT001  # see above
    return sniff(decoded(entry.head()) or "", entry.name, header=header)


def _told(dialect: Dialect) -> str:
    return f"{len(dialect.columns)} columns {', '.join(dialect.columns[:8])}"


def _arrow(form: str, entries: Sequence[Entry]) -> SplitOutline:
    """Columns as they are; those within structures under names of their own.

    Hugging Face keeps a picture as a structure of its bytes and its path: the bytes are the column.
    """
    found = formats.create({"format": form}).read({"rows": [entries[0].file]})
    batch = next(iter(found), None)
    paths = {} if batch is None else dict(_paths(batch.schema))
    reader: dict[str, Any] = {"format": form}
    if any("." in path for path in paths):
        columns: dict[str, str] = {}
        for path, name in paths.items():
            columns[key(name, columns)] = path
        reader["columns"] = columns
    return SplitOutline(reader, {})


def _paths(fields: Iterable[pa.Field], before: str = "") -> Iterator[tuple[str, str]]:
    """The path of each column, and what it is to be called."""
    for field in fields:
        path = f"{before}{field.name}"
        inner = [one.name for one in field.type] if pa.types.is_struct(field.type) else []
        if "bytes" in inner:
            yield f"{path}.bytes", path
        elif inner:
            yield from _paths(field.type, f"{path}.")
        else:
            yield path, path


def _json(entries: Sequence[Entry], doubts: list[str]) -> SplitOutline:
    whole: Records | None = None
    for entry in entries:
        found = records(entry)
        if whole is not None and (whole.rows, whole.lines) != (found.rows, found.lines):
            raise DshubError(
                f"{entries[0].name} and {entry.name} are JSON of different structure",
                hint="name files that belong together",
            )
        whole = found if whole is None else _added(whole, found)
    if whole is None or not whole.count:
        raise DshubError(f"{entries[0].name} holds no rows", hint="an empty file is no split")
    paths, types, notes = whole.columns()
    doubts += notes
    if not paths:
        raise DshubError(
            f"{entries[0].name}: there is no key that every row has", hint="see registry/README.md"
        )
    reader: dict[str, Any] = {"format": "json", "columns": paths}
    if types:
        reader["types"] = types
    if not whole.lines:
        reader |= {"rows": whole.rows, "lines": False}
    return SplitOutline(reader, {})


def _added(whole: Records, other: Records) -> Records:
    for path, (count, kinds) in other.seen.items():
        before, known = whole.seen.get(path, (0, set()))
        whole.seen[path] = (before + count, known | kinds)
    whole.count += other.count
    return whole
