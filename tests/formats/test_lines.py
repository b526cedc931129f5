"""Read plain text and compare the rows with those of an independent reader."""

from typing import ClassVar

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub import formats
from dshub.errors import ManifestError, ReadError, SchemaError
from dshub.testing.readers import MemoryFile, MemoryOutput, ReaderTests
from tests.independent import lines as independent

FORMAT = {"format": "lines"}


def read(*contents: bytes, **options: str) -> list[str]:
    """Read rows and check that the independent reader returns the same rows."""
    files = {"text": [MemoryFile(f"file-{i}", data) for i, data in enumerate(contents)]}
    batches = list(formats.create(FORMAT | options).read(files))
    texts = [text for batch in batches for text in batch.column("text").to_pylist()]
    contents_by_part = {"text": [("", data) for data in contents]}
    assert texts == independent.read(contents_by_part, options)["text"]
    return texts


class TestLines(ReaderTests):
    parts: ClassVar = {"text": ("",)}
    detects_damage = False

    def reader(self) -> formats.Reader:
        return formats.create(FORMAT)

    def rows(self, count: int) -> pa.RecordBatch:
        texts = [" = Überschrift \u2028 = " * (i % 3) + str(i) for i in range(count)]
        return pa.RecordBatch.from_pydict({"text": texts})


class TestSeveralFiles(TestLines):
    """A split in several archive members."""

    parts: ClassVar = {"text": ("a.txt", "b/part-[ab]-*.txt", "c.txt")}


class TestFiles(TestLines):
    """Each file is a row."""

    parts: ClassVar = {"text": ("texts/*.txt",)}

    def reader(self) -> formats.Reader:
        return formats.create(FORMAT | {"row": "file"})

    def rows(self, count: int) -> pa.RecordBatch:
        return pa.RecordBatch.from_pydict({"text": [f"{i}\r\nsecond line\n" for i in range(count)]})


def test_blank_lines_are_rows_unless_dropped() -> None:
    """The published row counts of WikiText include empty lines, but other loaders drop them."""
    data = b" \n = Robert = \n\n\t\n text @-@ one \n\n"
    assert read(data) == [" ", " = Robert = ", "", "\t", " text @-@ one ", ""]
    assert read(data, blank="drop") == [" = Robert = ", " text @-@ one "]


def test_only_line_ends_are_stripped() -> None:
    """Other Unicode line separators are part of the text."""
    data = "one \r\n\x0b two\x0c\x85\u2028\n\rthree\rfour".encode()
    assert read(data) == ["one ", "\x0b two\x0c\x85\u2028", "\rthree\rfour"]


def test_files_follow_one_another() -> None:
    """Lines of two files are never joined."""
    assert read(b"a\nb", b"", b"c\n") == ["a", "b", "c"]


def test_whole_file_is_a_row() -> None:
    assert read(b"First Citizen:\r\nBefore we proceed\n", row="file") == [
        "First Citizen:\r\nBefore we proceed\n"
    ]


def test_utf_16_round_trips_with_one_mark() -> None:
    reader = formats.create(FORMAT | {"encoding": "utf-16"})
    output = MemoryOutput()
    reader.write(pa.RecordBatch.from_pydict({"text": ["é", "Ċ", "🦉"]}), {"text": output})
    data = output.files[""]
    assert data.decode("utf-16") == "é\nĊ\n🦉\n"
    (batch,) = reader.read({"text": [MemoryFile("file", data)]})
    assert batch.column("text").to_pylist() == ["é", "Ċ", "🦉"]


def test_latin_1_is_decoded() -> None:
    assert read(b"caf\xe9\n\x85", encoding="latin-1") == ["café", "\x85"]


@pytest.mark.parametrize("row", ["line", "file"])
def test_invalid_text_is_rejected_with_its_place(row: str) -> None:
    place = "line 2: byte 3" if row == "line" else "byte 6"
    with pytest.raises(ReadError, match=f"file-0: {place}, 0xff, is not utf-8"):
        read(b"ab\nab\xff\n", row=row)


def test_endless_line_is_rejected() -> None:
    with pytest.raises(ReadError, match="file-0: line 2 is longer than 67,108,864 bytes"):
        read(b"a\n" + bytes(70 << 20))


def test_lines_are_split_into_batches() -> None:
    texts = [f"{i} " * 1000 for i in range(5000)]
    files = {"text": [MemoryFile("file", "\n".join(texts).encode())]}
    batches = list(formats.create(FORMAT).read(files))
    assert len(batches) > 1
    assert max(batch.nbytes for batch in batches) < 16 << 20
    assert pa.Table.from_batches(batches)["text"].to_pylist() == texts


def test_second_part_is_rejected() -> None:
    with pytest.raises(ReadError, match=r"de, en: .*one part"):
        list(formats.create(FORMAT).read({"de": [], "en": []}))


def test_unknown_option_is_rejected() -> None:
    with pytest.raises(ManifestError, match="blanks"):
        formats.create(FORMAT | {"blanks": "keep"})


@pytest.mark.parametrize("text", ["two\nlines", "windows\r"])
def test_text_with_line_breaks_is_not_written(text: str) -> None:
    rows = pa.RecordBatch.from_pydict({"text": [text]})
    with pytest.raises(SchemaError, match="one line"):
        formats.create(FORMAT).write(rows, {"text": MemoryOutput()})


@given(st.binary(max_size=80), st.sampled_from(["line", "file"]), st.sampled_from(["keep", "drop"]))
def test_any_bytes_are_read_or_rejected(data: bytes, row: str, blank: str) -> None:
    try:
        data.decode()
    except UnicodeDecodeError:
        with pytest.raises(ReadError, match="file-0: "):
            read(data, row=row, blank=blank)
    else:
        read(data, row=row, blank=blank)
