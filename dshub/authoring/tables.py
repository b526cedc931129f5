"""Files that are tables: delimited text, JSON, parquet, Arrow, lines of text."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dshub.authoring.dialect import Dialect, sniff
from dshub.authoring.forms import decoded
from dshub.authoring.outline import Outline, Part, SplitOutline, part
from dshub.authoring.records import Records, records
from dshub.authoring.survey import Entry
from dshub.errors import DshubError

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
        "lines": lambda _entries, _doubts: SplitOutline({"format": "lines", "blank": "drop"}, {}),
    }
    plain = SplitOutline({"format": form}, {})
    for split, entries in files.items():
        own = make[form](entries, found.doubts) if form in make else plain
        parts: dict[str, Part] = {"text" if form == "lines" else "rows": part(entries, members)}
        found.splits[split] = SplitOutline(dict(own.reader), parts)
    found.doubts = list(dict.fromkeys(found.doubts))
    return found


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
