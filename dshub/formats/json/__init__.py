"""JSON: a document on each line ("JSON lines"), or one document a file (RFC 8259).

Documents nest what tables repeat: an article holds paragraphs, and those hold questions. Here a
row is an item of one list, and a column is a path that leads to a value of the row itself or of
anything that it lies in; see `dshub.formats.json.paths`. Rows come in the order of the document.
"""

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import pyarrow as pa

from dshub.errors import ReadError, SchemaError
from dshub.formats._texts import gathered, numbered_lines, only_part, spread, whole
from dshub.formats.json.paths import Misfit, Place, Steps, Trail, placed, steps, trails
from dshub.formats.json.values import TYPES, Type, checked, converted, cut, located, made_up

if TYPE_CHECKING:
    from dshub.formats import File, Output

_SMALL = 1 << 20  # bytes of a document; whatever it holds takes little memory
_ITEM = 32  # bytes that an item of a list or an object takes in Python, on average
LARGEST_DOCUMENT = 1 << 30  # bytes; a document is read as a whole, which lines need not be


class Reader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Reads the columns that it names; other keys are passed over.

    A column whose path goes through a list below the row is a list. A key that is not there, null,
    and a value of another type are errors.

    Of a key that an object repeats, the last value counts, as in most libraries. A byte order mark
    is passed over.

    Attributes:
        columns: the path of each column, always from the document: `data[].title` is the same for
            all rows of an article where `rows` is `data[].paragraphs[].qas[]`.
        rows: the path of the rows; empty where each document is one.
        lines: whether each line holds a document. Otherwise a file is one, whose rows are in lists.
        types: what the columns hold, in the words of JSON Schema, where that is not `string`.
        spans: columns that lead to objects with `start` and `end`, and the path of the text that
            these count the characters of, from 0; the end is a part of the span. Their values are
            the pieces of text.
        distinct: columns of lists whose values are given once each, sorted by code point.
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
            raise ValueError("`columns` names none")
        if self.rows and not self.rows.endswith("[]"):
            raise ValueError("`rows` must end with the list of them: `data[]`")
        if not self.lines and any(place.level == 0 for place in self._places.values()):
            raise ValueError("with `lines = false`, `rows` and columns must lead through one list")
        self._check_names()
        self._check_paths()

    def _check_names(self) -> None:
        for name in (*self.types, *self.spans, *self.distinct):
            if name not in self.columns:
                raise ValueError(f"{name!r} is not among the columns")
        for name in (*self.distinct, *self.spans):
            if not self._places[name].many:
                raise ValueError(f"{name!r} is no column of lists")
        for name, text in self.spans.items():
            if text not in self.columns.values() or name in self.types:
                raise ValueError(f"{name!r} must be spans of the text of a column")

    def _check_paths(self) -> None:
        """No path may lead through another's value, or writing would lose one of them."""
        paths = [place.path for place in self._places.values()]
        for i, path in enumerate(paths):
            for other in paths[:i] + paths[i + 1 :]:
                if other[: len(path)] == path:
                    raise ValueError("two columns have one path, or one leads through the other")

    @cached_property
    def _steps(self) -> Steps:
        return steps(self.rows)

    @cached_property
    def _places(self) -> dict[str, Place]:
        return {name: Place.of(path, self._steps) for name, path in self.columns.items()}

    @cached_property
    def _types(self) -> dict[str, Type]:
        return {name: self.types.get(name, "string") for name in self.columns}

    @cached_property
    def _texts(self) -> dict[str, Place]:
        """The text of each column of spans."""
        return {name: Place.of(path, self._steps) for name, path in self.spans.items()}

    def read(self, files: Mapping[str, Sequence["File"]]) -> Iterator[pa.RecordBatch]:
        _, found = only_part(files, reader="json")
        rows = (row for file in found for row in self._rows(file))
        kinds = {name: self._arrow_type(name) for name in self.columns}
        yield from gathered(rows, pa.schema(list(kinds.items())))

    def _arrow_type(self, name: str) -> pa.DataType:
        kind = TYPES[self._types[name]]
        return pa.list_(kind) if self._places[name].many else kind

    def _rows(self, file: "File") -> Iterator[list[Any]]:
        for place, data in self._documents(file):
            if len(data) > _SMALL:
                file.check_size(_decoded_size(data))
            try:
                document = msgspec.json.decode(data)
                for trail in trails(Trail((document,)), self._steps):
                    yield [self._value(name, trail) for name in self.columns]
            except (Misfit, msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise ReadError(file=file.name, reason=f"{place}{error}") from None
            except RecursionError:
                reason = f"{place}it is nested too deep to be read"
                raise ReadError(file=file.name, reason=reason) from None

    def _documents(self, file: "File") -> Iterator[tuple[str, bytes]]:
        """Where each document stands, for errors, and its bytes."""
        if not self.lines:
            yield "", whole(file, LARGEST_DOCUMENT).removeprefix(BOM_UTF8)
            return
        for number, line in numbered_lines(file):
            if number == 1:
                line = line.removeprefix(BOM_UTF8)  # noqa: PLW2901
            if line.strip(b" \t\r"):
                yield f"line {number}: ", line

    def _value(self, name: str, trail: Trail) -> Any:
        place, kind = self._places[name], self._types[name]
        found = place.value(trail)
        if name in self.spans:
            text = checked(self._texts[name].value(trail), "string", self._texts[name], trail)
            found = [cut(text, span, place, trail) for span in found]
        elif place.many:
            found = [checked(value, kind, place, trail) for value in found]
        else:
            return checked(found, kind, place, trail)
        return sorted(set(found)) if name in self.distinct else found

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Further columns hold a row's number; a text is made longer by spans that it lacks."""
        numbers = range(first, first + rows.num_rows)
        for name in self.columns:
            if name not in rows.schema.names:
                values = made_up(self._types[name], numbers)
                made = [[value] for value in values] if self._places[name].many else values
                rows = rows.append_column(name, pa.array(made, self._arrow_type(name)))
        for name in self.spans:
            text = self._column_of_text(name)
            pairs = zip(rows.column(text).to_pylist(), rows.column(name).to_pylist(), strict=True)
            longer = [_with_spans(found, pieces) for found, pieces in pairs]
            i = rows.schema.get_field_index(text)
            rows = rows.set_column(i, text, pa.array(longer, pa.string()))
        return rows

    def _column_of_text(self, name: str) -> str:
        """The column that holds the text of a column of spans."""
        return next(text for text, path in self.columns.items() if path == self.spans[name])

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, "Output"]) -> None:
        """Every row gets parents of its own, so a paragraph is written for each of its rows."""
        _, output = only_part(parts, reader="json")
        for sink, some in spread(rows, output):
            columns = {name: self._written(name, some) for name in self.columns}
            if not self.lines:
                sink.write(msgspec.json.encode(self._document(columns)))
                continue
            for i in range(some.num_rows):
                row = {name: values[i] for name, values in columns.items()}
                sink.write(msgspec.json.encode(self._line(row)) + b"\n")

    def _written(self, name: str, rows: pa.RecordBatch) -> list[Any]:
        """A column as the document is to hold it."""
        values = rows.column(name).to_pylist()
        if name in self.spans:
            texts = rows.column(self._column_of_text(name)).to_pylist()
            return [located(text, own) for text, own in zip(texts, values, strict=True)]
        kind = self._types[name]
        if self._places[name].many:
            return [[converted(value, kind, name) for value in own] for own in values]
        return [converted(value, kind, name) for value in values]

    def _line(self, row: Mapping[str, Any]) -> Any:
        node: Any = None
        for name, value in row.items():
            wrapped = _wrapped(value, self._places[name].level)
            node = _placed(node, self._places[name], wrapped, name)
        return node

    def _document(self, columns: Mapping[str, Sequence[Any]]) -> Any:
        """All rows in one document: each is an item of its outermost list."""
        node: Any = None
        for name, values in columns.items():
            place = self._places[name]
            node = _placed(node, place, [_wrapped(v, place.level - 1) for v in values], name)
        return node


def _decoded_size(data: bytes) -> int:
    """Bytes that a document takes in memory, told by its signs."""
    return len(data) + _ITEM * sum(map(data.count, (b",", b"[", b"{", b":")))


def _wrapped(value: Any, level: int) -> Any:
    """The value as the one item of a list, in the one item of a list and so on."""
    for _ in range(level):
        value = [value]
    return value


def _placed(node: Any, place: Place, value: Any, name: str) -> Any:
    try:
        return placed(node, place.path, value)
    except Misfit as error:
        wanted = "lists as long as those beside them"
        raise SchemaError(where=f"column {name}", expected=wanted, got=str(error)) from None


def _with_spans(text: str, pieces: Sequence[str]) -> str:
    return " ".join([text, *(piece for piece in pieces if piece not in text)])
