"""JSON (RFC 8259), with one document per line ("JSON lines") or per file.

Documents nest data that tables repeat: an article contains paragraphs, which contain questions.
A row is an item of one list. A column is a path to a value in the row or in any of its parents, as
in `dshub.formats.json.paths`. Rows are in document order.
"""

import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import permutations
from typing import Any, ClassVar

import msgspec
import pyarrow as pa

from dshub.errors import ReadError
from dshub.formats import File, Output
from dshub.formats._records import Format, only_part, spread
from dshub.formats._texts import LARGEST_DOCUMENT, gathered, numbered_lines, read_all
from dshub.formats.json.paths import Misfit, Node, Place, Trail, put, segments, trails
from dshub.formats.json.values import KINDS, Type, checked, converted, cut, located, numbered

_SMALL = 1 << 20  # bytes in a document that needs no memory check
_ITEM = 32  # average bytes per item of a list or an object in Python


class Reader(Format, frozen=True):
    """Read the named columns; other keys are ignored.

    If the path of a column passes through a list below the row, the column is a list. Missing
    keys, nulls and values of the wrong type are errors, except in columns of type `any`. These hold
    values of one type, lists or objects; missing keys and nulls are missing values.

    The last value of a repeated key is used, as in most libraries. A byte order mark is ignored.
    NaN and Infinity are numbers.

    Attributes:
        columns: path of each column from the document root. If `rows` is
            `data[].paragraphs[].qas[]`, `data[].title` is the same for all rows of an article.
        rows: path of the rows; empty if each document is a row.
        lines: whether each line is a document; otherwise a file is a document with lists of rows.
        types: JSON Schema types of the columns that are not `string`; `base64` for bytes, such as
            images, which can be null; or `any`.
        spans: text path of each column of spans. A span is an object with the offsets `start` and
            `end` (inclusive) of characters in that text, and is read as those characters.
        distinct: columns of lists that are reduced to distinct values, sorted by code point.
    """

    text_labels: ClassVar[bool] = True

    columns: dict[str, str]
    rows: str = ""
    lines: bool = True
    types: dict[str, Type] = {}
    spans: dict[str, str] = {}
    distinct: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError("`columns` is empty")
        if self.rows and not self.rows.endswith("[]"):
            raise ValueError("`rows` must end with a list, such as `data[]`")
        levels = [place.level for place in self._places.values()]
        if not self.lines and 0 in levels:
            raise ValueError(
                "without `lines`, every column must be inside the first list of `rows`"
            )
        self._check_names()
        for name, kind in self.types.items():
            if kind == "any" and self._places[name].is_list:
                raise ValueError(f"{name!r} of type any needs the path of the list, without []")
        for path, other in permutations(self.columns.values(), 2):
            if not path or path == other or other.startswith((f"{path}.", f"{path}[")):
                raise ValueError("two columns have the same path, or one path contains the other")

    def _check_names(self) -> None:
        for name in (*self.types, *self.spans, *self.distinct):
            if name not in self.columns:
                raise ValueError(f"{name!r} is not in `columns`")
        for name in (*self.distinct, *self.spans):
            if not self._places[name].is_list:
                raise ValueError(f"{name!r} is not a column of lists")
        for name, path in self.spans.items():
            text = next((other for other, own in self.columns.items() if own == path), "")
            is_text = self._types.get(text) == "string" and not self._places[text].is_list
            if name in self.types or not is_text:
                raise ValueError(f"spans {name!r} need the path of a text column, and no type")

    @cached_property
    def _places(self) -> dict[str, Place]:
        rows = segments(self.rows)
        return {name: Place.of(path, rows) for name, path in self.columns.items()}

    @cached_property
    def _types(self) -> dict[str, Type]:
        return {name: self.types.get(name, "string") for name in self.columns}

    @cached_property
    def _checks(self) -> dict[str, Callable[[Any], Any]]:
        return {name: partial(checked, kind=kind) for name, kind in self._types.items()}

    @cached_property
    def _texts(self) -> dict[str, str]:
        """Text column of each column of spans."""
        names = {path: name for name, path in self.columns.items()}
        return {name: names[path] for name, path in self.spans.items()}

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        rows = (row for file in only_part(files)[1] for row in self._rows(file))
        yield from gathered(rows, pa.schema([(n, self._arrow_type(n)) for n in self.columns]))

    def _arrow_type(self, name: str) -> pa.DataType:
        kind = KINDS[self._types[name]].arrow
        if pa.types.is_null(kind):
            return kind
        return pa.list_(kind) if self._places[name].is_list else kind

    def _rows(self, file: File) -> Iterator[list[Any]]:
        lists = segments(self.rows)[:-1]
        for place, data in self._documents(file):
            if len(data) > _SMALL:
                file.check_size(_decoded_size(data))
            try:
                document = Node(_decoded(data))
                for trail in trails((document,), lists):
                    yield [self._value(name, trail) for name in self.columns]
            except (Misfit, ValueError, RecursionError) as error:
                raise ReadError(file=file.name, reason=f"{place}{error}") from None

    def _documents(self, file: File) -> Iterator[tuple[str, bytes]]:
        """Yield the position of each document, for errors, and the bytes of the document."""
        if not self.lines:
            yield "", read_all(file, LARGEST_DOCUMENT).removeprefix(BOM_UTF8)
            return
        for number, line in numbered_lines(file):
            document = line.removeprefix(BOM_UTF8) if number == 1 else line
            if document.strip(b" \t\r"):
                yield f"line {number:,}: ", document

    def _value(self, name: str, trail: Trail) -> Any:
        check = self._checks[name]
        if name in self.spans:
            check = partial(cut, text=self._value(self._texts[name], trail))
        if self._types[name] == "any":
            return self._places[name].read_any(trail)
        value = self._places[name].read(trail, check)
        return sorted(set(value)) if name in self.distinct else value

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Fill missing columns with row numbers, and append missing spans to their text."""
        for name in self.columns:
            if name not in rows.schema.names:
                values = [numbered(self._types[name], first + i) for i in range(rows.num_rows)]
                column = [[value] for value in values] if self._places[name].is_list else values
                rows = rows.append_column(name, pa.array(column, self._arrow_type(name)))
        for name, text in self._texts.items():
            pairs = zip(rows.column(text).to_pylist(), rows.column(name).to_pylist(), strict=True)
            longer = [_with_spans(passage, pieces) for passage, pieces in pairs]
            index = rows.schema.names.index(text)
            rows = rows.set_column(index, text, pa.array(longer, pa.string()))
        return rows

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        """Write rows with all their parents, so parents of several rows are repeated."""
        for sink, some in spread(rows, only_part(parts)[1]):
            columns = [self._written(name, some) for name in self.columns]
            if self.lines:
                for row in zip(*columns, strict=True):
                    sink.write(msgspec.json.encode(self._document(row)) + b"\n")
            else:
                sink.write(msgspec.json.encode(self._document(columns)))

    def _written(self, name: str, rows: pa.RecordBatch) -> list[Any]:
        """Return a column's value for each document or, without `lines`, each list item."""
        place, kind = self._places[name], self._types[name]
        values = rows.column(name).to_pylist()
        if name in self.spans:
            texts = rows.column(self._texts[name]).to_pylist()
            values = list(map(located, texts, values))
        elif place.is_list:
            values = [[converted(value, kind, name) for value in own] for own in values]
        else:
            values = [converted(value, kind, name) for value in values]
        for _ in range(place.level - (not self.lines)):
            values = [[value] for value in values]
        return values

    def _document(self, values: Sequence[Any]) -> Any:
        """Build a document from one value per column."""
        document: Any = None
        for name, value in zip(self.columns, values, strict=True):
            document = put(document, self._places[name].segments, value, name)
        return document


def _decoded(data: bytes) -> Any:
    """Decode a document, also with NaN and Infinity, as Python's `json` writes them."""
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        if b"NaN" not in data and b"Infinity" not in data:
            raise
    document = json.loads(data)
    msgspec.json.encode(document)  # raises ValueError for text that is not Unicode
    return document


def _decoded_size(data: bytes) -> int:
    """Estimate the size of a decoded document from its punctuation."""
    return len(data) + _ITEM * sum(map(data.count, (b",", b"[", b"{", b":")))


def _with_spans(text: str, pieces: Sequence[str]) -> str:
    return " ".join([text, *(piece for piece in pieces if piece not in text)])
