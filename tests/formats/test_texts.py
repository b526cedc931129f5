"""Test splitting text into lines and batches."""

import pyarrow as pa
import pytest

from dshub.errors import ReadError
from dshub.formats import _texts
from dshub.formats._texts import decoded, gathered, line_texts, numbered_lines, read_all
from dshub.testing.readers import MemoryFile


def test_lines_are_numbered_from_one() -> None:
    file = MemoryFile("file", b"a\n\nb\rc\r\n\x0bd")
    assert list(numbered_lines(file)) == [(1, b"a"), (2, b""), (3, b"b\rc\r"), (4, b"\x0bd")]
    assert list(line_texts(file)) == [(1, "a"), (2, ""), (3, "b\rc"), (4, "\x0bd")]
    assert list(numbered_lines(MemoryFile("file", b""))) == []


def test_long_lines_span_buffers() -> None:
    lines = [b"x" * size for size in (1 << 20, (1 << 20) - 1, 3 << 20, 0, 5)]
    file = MemoryFile("file", b"\n".join(lines))
    assert [line for _, line in numbered_lines(file)] == lines


def test_too_long_line_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_texts, "LARGEST_LINE", 3)
    assert list(numbered_lines(MemoryFile("file", b"abc\nabc"))) == [(1, b"abc"), (2, b"abc")]
    with pytest.raises(ReadError, match="file: line 2 is longer than 3 bytes"):
        list(numbered_lines(MemoryFile("file", b"abc\nabcd")))


def test_file_over_the_limit_is_rejected() -> None:
    file = MemoryFile("file", b"x" * (3 << 20))
    assert read_all(file, 3 << 20) == file.data
    with pytest.raises(ReadError, match="file: it is larger than 3,145,727 bytes"):
        read_all(file, (3 << 20) - 1)


def test_undecodable_bytes_are_rejected_with_their_place() -> None:
    """The error names the byte and, for lines, the line."""
    file = MemoryFile("file", b"")
    assert decoded(b"\xff", file, encoding="latin-1") == "ÿ"
    with pytest.raises(ReadError, match="file: byte 2, 0xff, is not utf-8"):
        decoded(b"a\xff", file)
    with pytest.raises(ReadError, match="file: line 1,234: byte 1, 0xff, is not utf-8"):
        decoded(b"\xff", file, line=1234)


def test_rows_are_gathered_into_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size of a batch includes strings in lists."""
    schema = pa.schema({"a": pa.string(), "b": pa.list_(pa.string())})
    rows = [[str(i), ["x" * 10] * i] for i in range(10)]
    (batch,) = gathered(rows, schema)
    assert [list(row.values()) for row in batch.to_pylist()] == rows
    monkeypatch.setattr(_texts, "BATCH_ROWS", 4)
    assert [batch.num_rows for batch in gathered(rows, schema)] == [4, 4, 2]
    monkeypatch.setattr(_texts, "BATCH_BYTES", 40)
    assert max(batch.num_rows for batch in gathered(rows, schema)) < 4
    assert list(gathered([], schema)) == []
