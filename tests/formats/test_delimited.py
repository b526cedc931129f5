"""Delimited text, against an independent reading of the same bytes."""

import tracemalloc
from collections.abc import Sequence
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub import formats
from dshub.errors import ManifestError, ReadError, SchemaError
from dshub.testing.readers import MemoryFile, MemoryOutput, ReaderTests
from tests.independent import delimited

CSV = {"format": "delimited", "columns": ["a", "b"]}
TSV = CSV | {"delimiter": "\t", "quoting": False}
WORDS = ["plain", "", 'lone " quote', "a, b; c\td e", "line\nand\r\nline", " blank ", "ü\x85"]
PIECES = [b"a", b'"', b",", b"\t", b"\n", b"\r", b"\0", b" ", b"\xff", b"\xc3"]


def read(options: dict[str, Any], *files: bytes) -> list[tuple[str, ...]]:
    """All rows of some files."""
    found = [MemoryFile(f"file-{i}", data) for i, data in enumerate(files)]
    batches = formats.create(options).read({"rows": found})
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]


def refused(options: dict[str, Any], data: bytes) -> str:
    """What is said of bytes that are no such file."""
    with pytest.raises(ReadError) as caught:
        read(options, data)
    assert str(caught.value).startswith("file-0: ")
    return str(caught.value)


class TestQuoted(ReaderTests):
    """CSV, in which a field may hold anything."""

    parts: ClassVar = {"rows": ("",)}
    tells_damage = False
    options: ClassVar[dict[str, Any]] = {}
    words: ClassVar[Sequence[str]] = WORDS

    def reader(self) -> formats.Reader:
        return formats.create({"format": "delimited", "columns": ["id", "text"]} | self.options)

    def rows(self, count: int) -> pa.RecordBatch:
        columns = {
            "id": [f"row {i}" for i in range(count)],
            "text": [self.words[i % len(self.words)] for i in range(count)],
        }
        return pa.RecordBatch.from_pydict(columns)


class TestRest(TestQuoted):
    options: ClassVar = {"delimiter": " ", "quoting": False, "long": "last"}
    words: ClassVar = ["plain", "", " two  words ", 'lone " quote', "ü\x85"]

    def rows(self, count: int) -> pa.RecordBatch:
        rows = super().rows(count)
        ids = pa.array([f"row-{i}" for i in range(count)])
        return pa.RecordBatch.from_pydict({"id": ids, "text": rows.column("text")})


class TestHeader(TestQuoted):
    options: ClassVar = {"header": True, "skip": 2, "delimiter": ";"}


class TestBlanks(TestQuoted):
    options: ClassVar = {"delimiter": ", "}


class TestLatin(TestQuoted):
    options: ClassVar = {"encoding": "latin-1"}


class TestUnquoted(TestQuoted):
    options: ClassVar = {"delimiter": "\t", "quoting": False, "header": True}
    words: ClassVar = ["plain", "", 'lone " quote', '"quoted"', "a\u2028b\x0cc\x85d", " blank "]


class TestSpace(TestQuoted):
    options: ClassVar = {"delimiter": " "}


class TestSeveralFiles(TestQuoted):
    """Files of one part follow one another, each with its header."""

    parts: ClassVar = {"rows": ("one.csv", "two.csv", "three.csv")}
    options: ClassVar = {"header": True}


QUOTED = {
    "quotes that are doubled": (b'"a ""b"" c",d\n', [('a "b" c', "d")]),
    "delimiters in quotes": (b'"a,b",","\n', [("a,b", ",")]),
    "a line break in quotes": (b'"a\nb","c\r\nd"\ne,f\n', [("a\nb", "c\r\nd"), ("e", "f")]),
    "a backslash": (b'"a\\nb\\","\\""c\\"""\n', [("a\\nb\\", '\\"c\\"')]),
    "a quote within a field": (b"5'11\",b\n", [("5'11\"", "b")]),
    "blanks around": (b' a , "b\n', [(" a ", ' "b')]),
    "CRLF": (b'a,b\r\n"c","d"\r\n', [("a", "b"), ("c", "d")]),
    "no line break at the end": (b"a,b\nc,d", [("a", "b"), ("c", "d")]),
    "empty lines": (b"\na,b\n\n\r\nc,d\n\n", [("a", "b"), ("c", "d")]),
    "empty fields": (b',\n"",""\n', [("", ""), ("", "")]),
    "a byte order mark": (b'\xef\xbb\xbf"a",b\n', [("a", "b")]),
    "other line breaks": ("a\u2028b,c\x0cd\x85e\n".encode(), [("a\u2028b", "c\x0cd\x85e")]),
    "a NUL": (b"a\0b,c\n", [("a\0b", "c")]),
    "no rows": (b"", []),
}


@pytest.mark.parametrize("kind", QUOTED)
def test_csv_as_its_specification_says(kind: str) -> None:
    """Fields are what RFC 4180 makes of the bytes, by hand and by an independent reading."""
    data, rows = QUOTED[kind]
    assert read(CSV, data) == rows
    columns = delimited.read({"rows": [("", data)]}, CSV)
    assert list(zip(*columns.values(), strict=True)) == rows


UNQUOTED = {
    "lone quotes": (b'"a\t"b\nc"\td""\n', [('"a', '"b'), ('c"', 'd""')]),
    "quotes around": (b'"a"\t"b"\n', [('"a"', '"b"')]),
    "CRLF": (b"a\tb\r\nc\td\r\n", [("a", "b"), ("c", "d")]),
    "a mark, and no line break at the end": (b"\xef\xbb\xbfa\tb", [("a", "b")]),
    "blanks are text": (b" a \t b \n", [(" a ", " b ")]),
    "commas are text": (b"a,b\tc,\n", [("a,b", "c,")]),
    "empty fields and lines": (b"\t\n\n\r\na\t\n", [("", ""), ("a", "")]),
    "other line breaks": ("a\u2028b\tc\x0cd\x85e\n".encode(), [("a\u2028b", "c\x0cd\x85e")]),
}


@pytest.mark.parametrize("kind", UNQUOTED)
def test_without_quotes_a_quote_is_a_character(kind: str) -> None:
    """No quote joins two fields or two lines, and every one is still there."""
    data, rows = UNQUOTED[kind]
    assert read(TSV, data) == rows
    columns = delimited.read({"rows": [("", data)]}, TSV)
    assert list(zip(*columns.values(), strict=True)) == rows


@pytest.mark.parametrize("quoting", [True, False])
def test_blanks_after_a_comma(quoting: bool) -> None:
    """With the delimiter ", " they belong to no field, however many; those before it do."""
    options = CSV | {"delimiter": ", ", "quoting": quoting}
    assert read(options, b"39, State-gov\n 50,Self emp \n38 ,   a b\n") == [
        ("39", "State-gov"),
        ("50", "Self emp "),
        ("38 ", "a b"),
    ]


def test_lines_before_the_first_row() -> None:
    """`skip` lines are no rows, nor are they read as CSV; counting goes on."""
    options = CSV | {"skip": 1}
    assert read(options, b'|1x3 "Cross validator\na,b\n') == [("a", "b")]
    assert "line 3 has 1 of 2 fields" in refused(options, b"|\na,b\nc\n")
    assert "it has fewer than 1 lines to skip" in refused(options, b"")


def test_the_header_must_be_the_one_of_the_manifest() -> None:
    """Other names, another order or none are told with both; no row of such a file is read."""
    options = CSV | {"header": True}
    assert read(options, b'"a",b\r\n1,2\n') == [("1", "2")]
    assert read(options, b"\xef\xbb\xbfa,b\n1,2\n") == [("1", "2")]
    assert "the header in line 1 is 'b', 'a'; the manifest says 'a', 'b'" in refused(
        options, b"b,a\n1,2\n"
    )
    assert "the header in line 1 is 'a', 'b', 'c'" in refused(options, b"a,b,c\n1,2\n")
    assert "the header in line 1 is missing" in refused(options, b"\n")


@pytest.mark.parametrize("options", [CSV | {"delimiter": "\t"}, TSV])
def test_lines_of_another_length(options: dict[str, Any]) -> None:
    """Too few or too many fields are an error that names the line, empty ones counted."""
    assert "line 3 has 1 of 2 fields" in refused(options, b"a\tb\n\nc\nd\te\n")
    assert "line 1 has more than 2 fields" in refused(options, b"a\tb\t\n")


def test_the_line_of_a_row_that_spans_lines() -> None:
    """It is the one on which the row begins, and those after it are right too."""
    assert "line 4 has more than 2 fields" in refused(CSV, b'a,b\n"c\nc",d\n"e\ne",f,g\n')


def test_short_lines_are_filled_where_that_is_asked_for() -> None:
    """Missing columns at the end are empty; a field too many remains an error."""
    for options in (CSV | {"short": "fill"}, TSV | {"short": "fill", "delimiter": ","}):
        assert read(options, b"a\nb,c\n") == [("a", ""), ("b", "c")]
        assert "line 2 has more than 2 fields" in refused(options, b"a\nb,c,d\n")


def test_the_last_column_is_the_rest_of_the_line_where_that_is_asked_for() -> None:
    """Names with blanks need no quotes; a line with too few fields remains an error."""
    rest = TSV | {"delimiter": " ", "long": "last"}
    assert read(rest, b"01 Boeing 707\n02  x \n03 \n") == [
        ("01", "Boeing 707"),
        ("02", " x "),
        ("03", ""),
    ]
    assert "line 2 has 1 of 2 fields" in refused(rest, b"01 a b\n02\n")


def test_a_quote_that_is_never_closed() -> None:
    """The rest of the file is not taken for one value."""
    assert "the row at line 2 cannot be read" in refused(CSV, b'a,b\n"c,d\ne,f\n')


def test_text_after_a_closing_quote() -> None:
    """RFC 4180 has no such field, and loaders disagree what it is."""
    assert "the row at line 1 cannot be read" in refused(CSV, b'"a"b,c\n')


def test_a_carriage_return_alone_is_no_line_break() -> None:
    """In plain lines it is a character; between fields of CSV it is refused."""
    assert read(TSV, b"a\rb\tc\n") == [("a\rb", "c")]
    assert read(CSV, b'"a\rb",c\n') == [("a\rb", "c")]
    assert "the row at line 2" in refused(CSV, b"a,b\na\rb,c\n")


@pytest.mark.parametrize("options", [CSV, TSV | {"delimiter": ","}])
def test_invalid_utf8_is_refused_with_its_line(options: dict[str, Any]) -> None:
    """The line of the wrong byte is told, also far into the file."""
    assert "line 2: byte 3, 0xff, is not utf-8" in refused(options, b"a,b\nc,\xff\n")
    data = b"a,b\n" * 500_000 + b"c,\xc3\n"
    assert "line 500,001: byte 3, 0xc3, is not utf-8" in refused(options, data)


def test_latin_1() -> None:
    """Each byte is a character, where the manifest says so."""
    assert read(CSV | {"encoding": "latin-1"}, b"\xe9,\xff\n") == [("é", "ÿ")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "data", [b'"' + b"a\n" * 200_000, b'"%s\n",' % (b"x" * 99) * 200_000, b"a" * 70_000_000]
)
def test_a_row_without_end_costs_no_memory(data: bytes) -> None:
    """A quote or a line that swallows the file is refused before it has done so."""
    tracemalloc.start()
    try:
        assert "line 1" in refused(CSV, data)
        assert "line 1" in refused(TSV, data.replace(b"\n", b" "))
        assert tracemalloc.get_traced_memory()[1] < 512 << 20
    finally:
        tracemalloc.stop()


def test_many_rows_come_in_batches_in_order() -> None:
    """A large file is read in several pieces that add up to what Arrow reads of it."""
    data = b"".join(b'%d,"text, of ""row"" %d"\n' % (i, i) for i in range(300_000))
    files = [MemoryFile("file", data)]
    batches = list(formats.create(CSV).read({"rows": files}))
    assert len(batches) > 1
    wanted = pyarrow.csv.read_csv(
        pa.BufferReader(data),
        pyarrow.csv.ReadOptions(column_names=["a", "b"]),
        convert_options=pyarrow.csv.ConvertOptions(column_types={"a": pa.string()}),
    )
    assert pa.Table.from_batches(batches).combine_chunks() == wanted.combine_chunks()


def test_rows_are_read_as_they_are_asked_for() -> None:
    """The first rows come before what follows them is looked at."""
    data = b"a,b\n" * 1_000_000 + b"broken\n"
    found = formats.create(CSV).read({"rows": [MemoryFile("file", data)]})
    assert next(found).column("a")[0].as_py() == "a"
    with pytest.raises(ReadError, match="line 1,000,001 has 1 of 2 fields"):
        list(found)


text = st.text(st.sampled_from('ab",;\t \n\r\\é\0'), max_size=8)


@given(
    rows=st.lists(st.tuples(text, text), min_size=1, max_size=5),
    delimiter=st.sampled_from([",", "\t", ";", " ", ", "]),
    header=st.booleans(),
)
def test_whatever_is_written_is_read_again(
    rows: list[tuple[str, str]],
    delimiter: str,
    header: bool,
) -> None:
    """With quotes, by this reader and by an independent one."""
    options = CSV | {"delimiter": delimiter, "header": header}
    columns = dict(zip("ab", zip(*rows, strict=True), strict=True))
    output = MemoryOutput()
    formats.create(options).write(pa.RecordBatch.from_pydict(columns), {"rows": output})
    data = output.files[""]
    assert read(options, data) == rows
    assert delimited.read({"rows": [("", data)]}, options) == {
        name: list(values) for name, values in columns.items()
    }


@given(
    data=st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(PIECES)).map(b"".join)),
    options=st.sampled_from(
        [
            CSV,
            TSV,
            CSV | {"delimiter": ", ", "header": True},
            TSV | {"short": "fill", "skip": 1},
            TSV | {"long": "last"},
        ]
    ),
)
def test_any_bytes_give_rows_or_an_error(data: bytes, options: dict[str, Any]) -> None:
    """Nothing but ReadError comes out, and rows are those of an independent reading."""
    try:
        rows = read(options, data)
    except ReadError as error:
        assert str(error).startswith("file-0: ")  # noqa: PT017  # or else rows
        return
    if b"\r" not in data.replace(b"\r\n", b"\n"):
        columns = delimited.read({"rows": [("", data)]}, options)
        assert list(zip(*columns.values(), strict=True)) == rows


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "columns"),
        ({"columns": []}, "columns"),
        ({"columns": ["a", "b", "a"]}, "`columns` names 'a' twice"),
        ({"columns": ["a"], "delimiter": "::"}, "delimiter"),
        ({"columns": ["a"], "skip": -1}, "skip"),
        ({"columns": ["a"], "short": "drop"}, "short"),
        ({"columns": ["a"], "long": "fill", "quoting": False}, "long"),
        ({"columns": ["a"], "long": "last"}, "quoting = false"),
        ({"columns": ["a"], "encoding": "utf-16"}, "encoding"),
        ({"columns": ["a"], "escape": "\\"}, "escape"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], told: str) -> None:
    """An option that is unknown or of another value is a fault of the manifest."""
    with pytest.raises(ManifestError) as caught:
        formats.create({"format": "delimited"} | options)
    assert told in str(caught.value)


def test_two_parts() -> None:
    """A table is one part."""
    files = {"a": [MemoryFile("one", b"a,b\n")], "b": [MemoryFile("two", b"a,b\n")]}
    with pytest.raises(ReadError, match="a, b"):
        list(formats.create(CSV).read(files))


@pytest.mark.parametrize(
    ("column", "options"),
    [
        (pa.array(["a\tb"]), TSV),
        (pa.array(["a\nb"]), TSV),
        (pa.array(["a\r"]), TSV),
        (pa.array([" a"]), TSV | {"delimiter": ", "}),
        (pa.array(["\u2028"]), CSV | {"encoding": "latin-1"}),
        (pa.array([[1]]), CSV),
    ],
)
def test_what_the_format_cannot_hold(column: pa.Array, options: dict[str, Any]) -> None:
    """Writing what would be read as something else is refused."""
    rows = pa.RecordBatch.from_pydict({"a": column, "b": column})
    with pytest.raises(SchemaError):
        formats.create(options).write(rows, {"rows": MemoryOutput()})


def test_a_column_that_is_not_there_cannot_be_written() -> None:
    """The error says which."""
    with pytest.raises(SchemaError, match="a column 'b'"):
        formats.create(CSV).write(
            pa.RecordBatch.from_pydict({"a": ["1"]}), {"rows": MemoryOutput()}
        )


def test_an_empty_value_alone_in_its_line_cannot_be_written() -> None:
    """Without quotes it would be no row."""
    options = {"format": "delimited", "columns": ["a"], "quoting": False}
    with pytest.raises(SchemaError):
        formats.create(options).write(
            pa.RecordBatch.from_pydict({"a": [""]}), {"r": MemoryOutput()}
        )


def test_numbers_are_written_as_their_text() -> None:
    """Whole numbers, fractions and missing values, without quotes."""
    columns = {"a": pa.array([1, -2, None]), "b": pa.array([0.5, 3.0, 1e300])}
    output = MemoryOutput()
    formats.create(CSV).write(pa.RecordBatch.from_pydict(columns), {"rows": output})
    rows = read(CSV, output.files[""])
    assert [row[0] for row in rows] == ["1", "-2", ""]
    assert [float(row[1]) for row in rows] == [0.5, 3.0, 1e300]
