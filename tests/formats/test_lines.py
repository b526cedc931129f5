"""Plain text, against an independent reading of the same bytes."""

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
    """The rows of some files, which an independent reading gives too."""
    files = {"text": [MemoryFile(f"file-{i}", data) for i, data in enumerate(contents)]}
    batches = list(formats.create(FORMAT | options).read(files))
    found = [text for batch in batches for text in batch.column("text").to_pylist()]
    whole = {"text": [("", data) for data in contents]}
    assert found == independent.read(whole, options)["text"]
    return found


class TestLines(ReaderTests):
    """A row a line."""

    parts: ClassVar = {"text": ("",)}
    tells_damage = False

    def reader(self) -> formats.Reader:
        return formats.create(FORMAT)

    def rows(self, count: int) -> pa.RecordBatch:
        texts = [" = Überschrift \u2028 = " * (i % 3) + str(i) for i in range(count)]
        return pa.RecordBatch.from_pydict({"text": texts})


class TestSeveralFiles(TestLines):
    """Rows of one split in several members."""

    parts: ClassVar = {"text": ("a.txt", "b/part-[ab]-*.txt", "c.txt")}


class TestFiles(TestLines):
    """A row a file."""

    parts: ClassVar = {"text": ("texts/*.txt",)}

    def reader(self) -> formats.Reader:
        return formats.create(FORMAT | {"row": "file"})

    def rows(self, count: int) -> pa.RecordBatch:
        return pa.RecordBatch.from_pydict({"text": [f"{i}\r\nsecond line\n" for i in range(count)]})


def test_blank_lines_are_rows_unless_dropped() -> None:
    """WikiText counts its empty lines; other loaders leave them out."""
    data = b" \n = Robert = \n\n\t\n text @-@ one \n\n"
    assert read(data) == [" ", " = Robert = ", "", "\t", " text @-@ one ", ""]
    assert read(data, blank="drop") == [" = Robert = ", " text @-@ one "]


def test_only_the_end_of_a_line_is_taken_from_it() -> None:
    """Windows ends, and a last line without one; what only Unicode takes for line ends stays."""
    data = "one \r\n\x0b two\x0c\x85\u2028\n\rthree\rfour".encode()
    assert read(data) == ["one ", "\x0b two\x0c\x85\u2028", "\rthree\rfour"]


def test_files_follow_one_another() -> None:
    """Their lines never run together, and an empty file has none."""
    assert read(b"a\nb", b"", b"c\n") == ["a", "b", "c"]


def test_a_whole_file_is_a_row() -> None:
    """Every line end is kept as it is."""
    assert read(b"First Citizen:\r\nBefore we proceed\n", row="file") == [
        "First Citizen:\r\nBefore we proceed\n"
    ]


def test_text_of_other_encodings() -> None:
    """Latin-1 gives a character a byte."""
    assert read(b"caf\xe9\n\x85", encoding="latin-1") == ["café", "\x85"]


@pytest.mark.parametrize("row", ["line", "file"])
def test_what_is_no_text_is_an_error_with_its_place(row: str) -> None:
    """The file, the line and the byte are told."""
    place = "line 2: byte 3" if row == "line" else "byte 6"
    with pytest.raises(ReadError, match=f"file-0: {place}, 0xff, is not utf-8"):
        read(b"ab\nab\xff\n", row=row)


def test_one_endless_line_costs_no_memory() -> None:
    """A file of zeros is refused long before it is a row."""
    with pytest.raises(ReadError, match="file-0: line 2 is longer than 67,108,864 bytes"):
        read(b"a\n" + bytes(70 << 20))


def test_many_lines_come_in_batches() -> None:
    """Each holds some 8 MiB, and together they are the file."""
    texts = [f"{i} " * 1000 for i in range(5000)]
    files = {"text": [MemoryFile("file", "\n".join(texts).encode())]}
    batches = list(formats.create(FORMAT).read(files))
    assert len(batches) > 1
    assert max(batch.nbytes for batch in batches) < 16 << 20
    assert pa.Table.from_batches(batches)["text"].to_pylist() == texts


def test_two_parts_are_refused() -> None:
    """One column of text is read, not two of different length."""
    with pytest.raises(ReadError, match=r"de, en: .*one part"):
        list(formats.create(FORMAT).read({"de": [], "en": []}))


def test_options_that_do_not_exist() -> None:
    """A slip in an option is told."""
    with pytest.raises(ManifestError, match="blanks"):
        formats.create(FORMAT | {"blanks": "keep"})


@pytest.mark.parametrize("text", ["two\nlines", "windows\r"])
def test_text_that_is_no_line_is_not_written(text: str) -> None:
    """It would come back as other rows."""
    rows = pa.RecordBatch.from_pydict({"text": [text]})
    with pytest.raises(SchemaError, match="one line"):
        formats.create(FORMAT).write(rows, {"text": MemoryOutput()})


@given(st.binary(max_size=80), st.sampled_from(["line", "file"]), st.sampled_from(["keep", "drop"]))
def test_any_bytes_give_their_rows_or_an_error(data: bytes, row: str, blank: str) -> None:
    """Bytes are text, read as the independent reading does, or refused with the file's name."""
    try:
        data.decode()
    except UnicodeDecodeError:
        with pytest.raises(ReadError, match="file-0: "):
            read(data, row=row, blank=blank)
    else:
        read(data, row=row, blank=blank)
