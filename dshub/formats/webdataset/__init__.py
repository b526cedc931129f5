r"""WebDataset shards: archives in which consecutive files with one key are a sample.

::

    000001.jpg  000001.cls  000001.json
    000002.jpg  000002.cls  000002.json

The files of the part are the members of the shards, such as `shard-000:*`. A sample becomes a row.
https://github.com/webdataset/webdataset documents the format.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from dshub.errors import ReadError, SchemaError
from dshub.formats import File, Output
from dshub.formats._ragged import array_column, as_array, shaped
from dshub.formats._records import (
    BATCH_BYTES,
    Format,
    check_columns,
    check_options,
    mismatch,
    names_of,
    only_part,
)
from dshub.formats._texts import BATCH_ROWS, inferred, size_of
from dshub.formats.webdataset.samples import KEY, Sample, Type, decode, samples, type_of

_ARROW = {"bytes": pa.binary(), "text": pa.string(), "integer": pa.int64()}


class _Place(NamedTuple):
    """Place of a column in a sample.

    Attributes:
        endings: endings of the file, in order of preference.
        name: key in a JSON object; empty for the whole file.
        type: type of the file.
    """

    endings: tuple[str, ...]
    name: str
    type: Type


class Reader(Format, frozen=True):
    """Read the named columns; other files of a sample are ignored.

    A sample that lacks the file or JSON key of a column has a missing value. So does a JSON null.

    Attributes:
        columns: ending of each column, such as `jpg` or `seg.png`, or alternatives, such as
            `["jpg", "png"]`. `json:caption` is a key of the object in a `.json` file, and `__key__`
            the key of the sample.
        types: types of files whose ending is unknown or has another meaning: `bytes`, `text`
            (UTF-8), `integer`, `json` or `array` (`.npy`). By default, endings such as `cls` are
            integers, and unknown ones bytes.
        shape: shape of the arrays in a column. Arrays in other columns have any lengths.
    """

    columns: dict[str, str | tuple[str, ...]]
    types: dict[str, Type] = {}
    shape: dict[str, tuple[int, ...]] = {}

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError("`columns` is empty")
        for name, place in self._places.items():
            if not all(place.endings) or not place.endings:
                raise ValueError(f"column {name!r} has no ending, such as jpg")

    @cached_property
    def _places(self) -> dict[str, _Place]:
        return {name: _place(spec, self.types.get(name)) for name, spec in self.columns.items()}

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        check_options((*self.types, *self.shape), self.columns, files)
        _, of_part = only_part(files)
        rows: list[list[Any]] = []
        size = 0
        empty = True
        for sample in samples(of_part):
            empty = False
            row, added = self._row(sample)
            if rows and (size + added > BATCH_BYTES or len(rows) == BATCH_ROWS):
                yield self._batch(rows)
                rows, size = [], 0
            rows.append(row)
            size += added
        if rows:
            yield self._batch(rows)
        if empty and of_part:
            reason = "no file has a key and an ending, such as 000001.jpg"
            raise mismatch(names_of(files)[:200], reason)

    def _row(self, sample: Sample) -> tuple[list[Any], int]:
        """Return the value of each column, and the approximate bytes of the files."""
        decoded: dict[tuple[str, Type], Any] = {}  # a JSON file can have several columns
        values: list[Any] = []
        size = 0
        for column, place in self._places.items():
            if place.endings == (KEY,):
                values.append(sample.key)
                continue
            ending = next((one for one in place.endings if one in sample.files), None)
            if ending is None:
                values.append(None)
                continue
            if (ending, place.type) not in decoded:
                decoded[ending, place.type] = decode(sample.files[ending], place.type)
            value = decoded[ending, place.type]
            values.append(self._value(column, value, sample.files[ending]))
            size += value.nbytes if isinstance(value, np.ndarray) else size_of(value)
        return values, size + 8 * len(values)

    def _value(self, column: str, value: Any, file: File) -> Any:
        """Choose a key of a JSON object, or give an array its shape."""
        name = self._places[column].name
        if name:
            if not isinstance(value, dict):
                raise ReadError(file=file.name, reason=f"it is not an object with a key {name!r}")
            return value.get(name)
        if isinstance(value, np.ndarray) and column in self.shape:
            return shaped(value, self.shape[column], file.name, "its array")
        return value

    def _batch(self, rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
        columns = {}
        for (name, place), values in zip(
            self._places.items(), zip(*rows, strict=True), strict=True
        ):
            if place.type == "array":
                if len({value.ndim for value in values if value is not None}) > 1:
                    reason = "its arrays have different numbers of axes"
                    raise ReadError(file=f"column {name}", reason=reason)
                columns[name] = array_column(values, self.shape.get(name))
            elif place.type == "json":
                columns[name] = inferred(values, name)
            else:
                columns[name] = pa.array(values, _ARROW[place.type])
        return pa.RecordBatch.from_pydict(columns)

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        part, output = only_part(parts)
        check_columns(rows, self.columns, where=f"webdataset part {part}")
        pattern = output.members[0]
        for number, row in enumerate(rows.to_pylist()):
            key = next((row[c] for c, p in self._places.items() if p.endings == (KEY,)), None)
            prefix = f"{number:08d}" if key is None else str(key)
            for ending, data in self._files(row, rows):
                member = f"{prefix}.{ending}"
                if not fnmatchcase(member, pattern):
                    expected = f"names that match {pattern}"
                    raise SchemaError(where="a shard", expected=expected, got=member)
                with output.create(member) as sink:
                    sink.write(data)

    def _files(self, row: Mapping[str, Any], rows: pa.RecordBatch) -> Iterator[tuple[str, bytes]]:
        """Yield the ending and content of each file of a sample."""
        objects: dict[str, dict[str, Any]] = {}
        for column, place in self._places.items():
            value, ending = row[column], place.endings[0]
            if ending == KEY or value is None:
                continue
            if place.name:
                objects.setdefault(ending, {})[place.name] = value
            elif place.type == "array":
                sink = io.BytesIO()
                np.lib.format.write_array(sink, as_array(value, rows.column(column)))
                yield ending, sink.getvalue()
            elif place.type == "json":
                yield ending, json.dumps(value, ensure_ascii=False).encode()
            else:
                yield ending, value if isinstance(value, bytes) else str(value).encode()
        for ending, value in objects.items():
            yield ending, json.dumps(value, ensure_ascii=False).encode()


def _place(spec: str | tuple[str, ...], stated: Type | None) -> _Place:
    """Parse the place of a column, such as `jpg`, `json:caption` or `__key__`."""
    endings = (spec,) if isinstance(spec, str) else spec
    first, colon, name = endings[0].partition(":") if len(endings) == 1 else ("", "", "")
    if colon:
        return _Place((first.lower(),), name, "json")
    if endings == (KEY,):
        return _Place(endings, "", "text")
    return _Place(
        tuple(ending.lower().lstrip(".") for ending in endings),
        "",
        stated or type_of(endings[0].lower() if endings else ""),
    )
