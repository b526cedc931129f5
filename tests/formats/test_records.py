"""Test the helpers for parts, outputs, records and Arrow tables that readers share."""

import io
from itertools import chain

import numpy as np
import pyarrow as pa
import pytest

from dshub.errors import ReadError, SchemaError, UnsafeArchiveError
from dshub.formats._records import (
    BATCH_BYTES,
    as_stored,
    check_options,
    flat,
    matching_name,
    only_file,
    only_part,
    path_of,
    plain_pieces,
    records,
    spread,
    translated,
)
from dshub.testing.readers import MemoryFile, MemoryOutput

FILE = MemoryFile("file", b"x" * (1 << 20))


def test_several_parts_are_rejected() -> None:
    assert only_part({"rows": [1]}) == ("rows", [1])
    with pytest.raises(ReadError, match="a, b: this format reads exactly one part, not 2") as error:
        only_part({"a": [], "b": []})
    assert "manifest" in error.value.hint


def test_several_files_are_rejected() -> None:
    assert only_file("rows", [FILE]) is FILE
    with pytest.raises(ReadError, match=r"file, file: .* exactly one file for part 'rows', not 2"):
        only_file("rows", [FILE, FILE])
    with pytest.raises(ReadError, match=r"^rows: "):
        only_file("rows", [])


def test_option_for_an_unknown_column_is_rejected() -> None:
    check_options(["a"], {"a": 1}, {"p": [FILE]})
    with pytest.raises(ReadError, match="file: a reader option names 'b', but there is only a"):
        check_options(["b"], {"a": 1}, {"p": [FILE]})


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("", ""),
        ("a.txt", "a.txt"),
        ("part-*.txt", "part-7.txt"),
        ("?[ab]*", "0a7"),
        ("[!a]", "[!a]"),
    ],
)
def test_name_matches_its_pattern(pattern: str, name: str) -> None:
    assert matching_name(pattern, 7) == name


@pytest.mark.parametrize("rows", [0, 1, 3, 10])
def test_rows_are_spread_over_the_files(rows: int) -> None:
    output = MemoryOutput("a", "b", "c")
    batch = pa.record_batch({"n": pa.array(range(rows), pa.int64())})
    shares = [some["n"].to_pylist() for _, some in spread(batch, output)]
    assert list(chain.from_iterable(shares)) == list(range(rows))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert list(output.files) == ["a", "b", "c"]


def test_records_are_read_in_steps() -> None:
    """The last batch can be smaller, but an incomplete record is an error."""
    batches = list(records(FILE, io.BytesIO(b"abcdefghij"), 2, step=2))
    assert [batch.tobytes() for batch in batches] == [b"abcd", b"efgh", b"ij"]
    with pytest.raises(ReadError, match="the record at byte 4 has 1 of 2 bytes"):
        list(records(FILE, io.BytesIO(b"abcde"), 2, step=2))


@pytest.mark.parametrize("error", [ValueError("why"), KeyError("why"), pa.ArrowInvalid("why")])
def test_errors_of_libraries_are_translated(error: Exception) -> None:
    with pytest.raises(ReadError, match=r"file: it cannot be read: .*why"), translated("file"):
        raise error
    with pytest.raises(SchemaError), translated("file"):
        raise SchemaError(where="here", expected="this", got="that")


def test_column_that_cannot_be_written_is_rejected() -> None:
    rows = pa.record_batch({"text": ["a"], "number": [1]})
    assert flat(rows, "number", where="here").tolist() == [1]
    with pytest.raises(SchemaError, match="got string, expected numbers"):
        flat(rows, "text", where="here")
    with pytest.raises(SchemaError, match="got only text, number, expected a column 'x'"):
        flat(rows, "x", where="here")


def test_path_leads_to_a_nested_field() -> None:
    """A column with a dot in its name takes precedence over a field."""
    inner = pa.struct({"b": pa.struct({"c": pa.int64()})})
    schema = pa.schema({"a": inner, "a.b": pa.int64()})
    assert path_of(schema, "a.b.c", "file") == ["a", "b", "c"]
    assert path_of(schema, "a.b", "file") == ["a.b"]
    with pytest.raises(ReadError, match=r"file: column 'a\.b' has no field 'd'; it has: c"):
        path_of(schema, "a.b.d", "file")


def test_small_batches_are_merged_and_large_ones_split() -> None:
    """Batches have about 8 MiB after merging and splitting."""
    small = pa.record_batch({"n": np.arange(1000)})
    (merged,) = plain_pieces([small] * 10, {}, FILE)
    assert merged["n"].to_pylist() == list(range(1000)) * 10
    large = pa.record_batch({"n": np.arange(3 << 20)})
    pieces = list(plain_pieces([large], {}, FILE))
    assert len(pieces) > 1
    assert max(piece.nbytes for piece in pieces) <= BATCH_BYTES
    assert pa.Table.from_batches(pieces) == pa.Table.from_batches([large])


def test_expanded_size_is_checked_before_values_are_resolved() -> None:
    """A dictionary with a repeated long text is rejected before the text is copied."""
    text = pa.DictionaryArray.from_arrays(np.zeros(10_000, np.int32), pa.array(["x" * 100_000]))
    with pytest.raises(UnsafeArchiveError, match="file: "):
        list(plain_pieces([pa.record_batch({"text": text})], {}, MemoryFile("file", b"x")))


def test_stored_columns_are_selected_again() -> None:
    rows = pa.record_batch({"image": [b"1", b"2"], "path": ["a", "b"], "label": [0, 1]})
    columns = {"image": "image.file.bytes", "path": "image.path", "label": "label"}
    (batch,) = as_stored(rows, columns).to_batches()
    (plain,) = plain_pieces([batch], columns, FILE)
    assert plain == rows
