"""Read columns of tokens and compare the rows with those of an independent reader."""

import re
from typing import Any, ClassVar

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub import formats
from dshub.errors import ManifestError, ReadError, SchemaError
from dshub.testing.readers import MemoryFile, MemoryOutput, ReaderTests
from tests.independent import conll as independent

NAMES = ["tokens", "ner_tags"]
FORMAT = {"format": "conll", "columns": NAMES, "document": "-DOCSTART-"}


def read(*contents: bytes, **options: Any) -> list[dict[str, list[str]]]:
    """Read rows and check that the independent reader returns the same rows."""
    reader_options = FORMAT | options
    files = {"text": [MemoryFile(f"file-{i}", data) for i, data in enumerate(contents)]}
    batches = list(formats.create(reader_options).read(files))
    rows = [row for batch in batches for row in batch.to_pylist()]
    contents_by_part = {"text": [("", data) for data in contents]}
    columns = independent.read(contents_by_part, reader_options)
    assert rows == [dict(zip(columns, row, strict=True)) for row in zip(*columns.values())]  # noqa: B905
    return rows


class TestConll(ReaderTests):
    parts: ClassVar = {"text": ("",)}
    detects_damage = False
    options: ClassVar[dict[str, Any]] = {}

    def reader(self) -> formats.Reader:
        return formats.create(FORMAT | self.options)

    def rows(self, count: int) -> pa.RecordBatch:
        tokens = [[f"{self.word}{i}-{j}" for j in range(1 + i % 4)] for i in range(count)]
        tags = [["O" if j else "B-PER" for j in range(len(row))] for row in tokens]
        return pa.RecordBatch.from_pydict({"tokens": tokens, "ner_tags": tags})

    word = "Köln"


class TestTabs(TestConll):
    """Tokens can contain spaces if tabs separate the columns."""

    options: ClassVar = {"separator": "\t", "document": ""}
    word = "New York "


class TestMoreColumns(TestConll):
    """Missing columns are filled with a value for every token."""

    options: ClassVar = {"columns": ["tokens", "pos", "ner_tags"]}


def test_document_lines_end_sentences() -> None:
    data = b"""-DOCSTART- -X- O O

EU B-ORG
rejects O


-DOCSTART- -X-
Peter B-PER
Blackburn I-PER
-DOCSTART-

"""
    assert read(data) == [
        {"tokens": ["EU", "rejects"], "ner_tags": ["B-ORG", "O"]},
        {"tokens": ["Peter", "Blackburn"], "ner_tags": ["B-PER", "I-PER"]},
    ]


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n", b"\n\n\n", b"\n \n", b"\n-DOCSTART-\n"])
def test_end_of_file_makes_no_empty_row(end: bytes) -> None:
    rows = read(b"a O\n\nb O" + end)
    assert [row["tokens"] for row in rows] == [["a"], ["b"]]


def test_end_of_file_ends_a_sentence() -> None:
    assert len(read(b"a O", b"b O\n", b"", b"\n\n")) == 2


def test_windows_line_ends_are_stripped() -> None:
    assert read(b"a O\r\nb B-LOC\r\n\r\nc O\r\n")[0]["ner_tags"] == ["O", "B-LOC"]


def test_without_documents_the_marker_is_a_token() -> None:
    rows = read(b"-DOCSTART- O\n", document="")
    assert rows[0]["tokens"] == ["-DOCSTART-"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"token", "line 3: got 1 fields, expected 2"),
        (b"token O O", "line 3: got 3 fields, expected 2"),
        (b"token\tO", "line 3: got 1 fields, expected 2"),
        (b"token  O", "line 3 has more than one ' '"),
        (b"token O ", "line 3 has more than one ' '"),
        (b"t\xff O", "line 3: byte 2, 0xff, is not utf-8"),
    ],
)
def test_malformed_line_is_rejected_with_its_number(line: bytes, message: str) -> None:
    with pytest.raises(ReadError, match=f"file-0: {re.escape(message)}"):
        read(b"a O\n\n" + line + b"\nb O\n")


def test_endless_sentence_is_rejected() -> None:
    data = (b"x" * (1 << 20) + b" O\n") * 65
    with pytest.raises(ReadError, match=r"file-0: line 1: a sentence is longer"):
        read(data)


@pytest.mark.parametrize("columns", [[], ["tokens", "tokens"]])
def test_empty_or_repeated_columns_are_rejected(columns: list[str]) -> None:
    with pytest.raises(ManifestError, match="`columns` is empty or repeats a name"):
        formats.create(FORMAT | {"columns": columns})


@pytest.mark.parametrize(
    "row", [(["a b"], ["O"]), ([""], ["O"]), (["a"], ["O", "O"]), ([], []), (["\t"], ["O"])]
)
def test_unreadable_sentence_is_not_written(row: tuple[list[str], list[str]]) -> None:
    rows = pa.RecordBatch.from_pydict(
        {name: pa.array([value], pa.list_(pa.string())) for name, value in zip(NAMES, row)}  # noqa: B905
    )
    with pytest.raises(SchemaError):
        formats.create(FORMAT).write(rows, {"text": MemoryOutput()})


pieces = st.sampled_from([b"a O", b"b B-PER", b"\n", b"\n", b"\r\n", b" ", b"\t", b"-DOCSTART-"])


@given(st.one_of(st.lists(pieces, max_size=12).map(b"".join), st.binary(max_size=40)))
def test_any_bytes_are_read_or_rejected(data: bytes) -> None:
    try:
        read(data)
    except ReadError as error:
        assert str(error).startswith("file-0: ")  # noqa: PT017
