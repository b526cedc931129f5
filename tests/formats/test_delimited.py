"""Read delimited text and compare the rows with those of an independent reader."""

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
from dshub.formats.delimited import blocks
from dshub.testing.readers import MemoryFile, MemoryOutput, ReaderTests
from tests.independent import delimited

CSV = {"format": "delimited", "columns": ["a", "b"]}
TSV = CSV | {"delimiter": "\t", "quoting": False}
WORDS = ["plain", "", 'lone " quote', "a, b; c\td e", "line\nand\r\nline", " blank ", "ü\x85"]
PIECES = [b"a", b'"', b",", b"\t", b"\n", b"\r", b"\0", b" ", b"\xff", b"\xc3"]


def read(options: dict[str, Any], *files: bytes) -> list[tuple[str, ...]]:
    """Read all rows of the files."""
    rows = [MemoryFile(f"file-{i}", data) for i, data in enumerate(files)]
    batches = formats.create(options).read({"rows": rows})
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]


def error_of(options: dict[str, Any], data: bytes) -> str:
    """Return the error for invalid bytes."""
    with pytest.raises(ReadError) as caught:
        read(options, data)
    assert str(caught.value).startswith("file-0: ")
    return str(caught.value)


class TestQuoted(ReaderTests):
    """CSV fields can contain any character."""

    parts: ClassVar = {"rows": ("",)}
    detects_damage = False
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
    """Each file has a header."""

    parts: ClassVar = {"rows": ("one.csv", "two.csv", "three.csv")}
    options: ClassVar = {"header": True}


QUOTED = {
    "quotes that are doubled": (b'"a ""b"" c",d\n', [('a "b" c', "d")]),
    "delimiters in quotes": (b'"a,b",","\n', [("a,b", ",")]),
    "a line break in quotes": (b'"a\nb","c\r\nd"\ne,f\n', [("a\nb", "c\r\nd"), ("e", "f")]),
    "a backslash": (b'"a\\nb\\","\\""c\\"""\n', [("a\\nb\\", '\\"c\\"')]),
    "a quote within a field": (b"5'11\",b\n", [("5'11\"", "b")]),
    "spaces around": (b' a , "b\n', [(" a ", ' "b')]),
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
def test_quoted_fields_follow_rfc_4180(kind: str) -> None:
    data, rows = QUOTED[kind]
    assert read(CSV, data) == rows
    columns = delimited.read({"rows": [("", data)]}, CSV)
    assert list(zip(*columns.values(), strict=True)) == rows


UNQUOTED = {
    "lone quotes": (b'"a\t"b\nc"\td""\n', [('"a', '"b'), ('c"', 'd""')]),
    "quotes around": (b'"a"\t"b"\n', [('"a"', '"b"')]),
    "CRLF": (b"a\tb\r\nc\td\r\n", [("a", "b"), ("c", "d")]),
    "a mark, and no line break at the end": (b"\xef\xbb\xbfa\tb", [("a", "b")]),
    "spaces are text": (b" a \t b \n", [(" a ", " b ")]),
    "commas are text": (b"a,b\tc,\n", [("a,b", "c,")]),
    "empty fields and lines": (b"\t\n\n\r\na\t\n", [("", ""), ("a", "")]),
    "other line breaks": ("a\u2028b\tc\x0cd\x85e\n".encode(), [("a\u2028b", "c\x0cd\x85e")]),
}


@pytest.mark.parametrize("kind", UNQUOTED)
def test_unquoted_quotes_are_characters(kind: str) -> None:
    data, rows = UNQUOTED[kind]
    assert read(TSV, data) == rows
    columns = delimited.read({"rows": [("", data)]}, TSV)
    assert list(zip(*columns.values(), strict=True)) == rows


@pytest.mark.parametrize("quoting", [True, False])
def test_spaces_after_a_comma_are_stripped(quoting: bool) -> None:
    options = CSV | {"delimiter": ", ", "quoting": quoting}
    assert read(options, b"39, State-gov\n 50,Self emp \n38 ,   a b\n") == [
        ("39", "State-gov"),
        ("50", "Self emp "),
        ("38 ", "a b"),
    ]


def test_skipped_lines_are_counted_but_not_parsed() -> None:
    options = CSV | {"skip": 1}
    assert read(options, b'|1x3 "Cross validator\na,b\n') == [("a", "b")]
    assert "line 3 has 1 of 2 fields" in error_of(options, b"|\na,b\nc\n")
    assert "it has fewer than 1 lines to skip" in error_of(options, b"")


def test_header_must_match_the_manifest() -> None:
    """The error shows both headers."""
    options = CSV | {"header": True}
    assert read(options, b'"a",b\r\n1,2\n') == [("1", "2")]
    assert read(options, b"\xef\xbb\xbfa,b\n1,2\n") == [("1", "2")]
    assert "the header in line 1 is 'b', 'a', but the manifest has 'a', 'b'" in error_of(
        options, b"b,a\n1,2\n"
    )
    assert "the header in line 1 is 'a', 'b', 'c'" in error_of(options, b"a,b,c\n1,2\n")
    assert "the header in line 1 is missing" in error_of(options, b"\n")


@pytest.mark.parametrize("options", [CSV | {"delimiter": "\t"}, TSV])
def test_lines_of_another_length_are_rejected(options: dict[str, Any]) -> None:
    assert "line 3 has 1 of 2 fields" in error_of(options, b"a\tb\n\nc\nd\te\n")
    assert "line 1 has more than 2 fields" in error_of(options, b"a\tb\t\n")


def test_error_names_the_first_line_of_a_row() -> None:
    """Line numbers stay right after a row that spans several lines."""
    assert "line 4 has more than 2 fields" in error_of(CSV, b'a,b\n"c\nc",d\n"e\ne",f,g\n')


def test_short_lines_can_be_filled() -> None:
    """Missing last columns become empty, but an additional field is an error."""
    for options in (CSV | {"short": "fill"}, TSV | {"short": "fill", "delimiter": ","}):
        assert read(options, b"a\nb,c\n") == [("a", ""), ("b", "c")]
        assert "line 2 has more than 2 fields" in error_of(options, b"a\nb,c,d\n")


def test_last_column_can_take_the_rest_of_the_line() -> None:
    """Names with spaces need no quotes, but a missing field is an error."""
    options = TSV | {"delimiter": " ", "long": "last"}
    assert read(options, b"01 Boeing 707\n02  x \n03 \n") == [
        ("01", "Boeing 707"),
        ("02", " x "),
        ("03", ""),
    ]
    assert "line 2 has 1 of 2 fields" in error_of(options, b"01 a b\n02\n")


def test_unclosed_quote_is_rejected() -> None:
    assert "the row at line 2 cannot be read" in error_of(CSV, b'a,b\n"c,d\ne,f\n')


def test_text_after_a_closing_quote_is_rejected() -> None:
    """RFC 4180 forbids it, and parsers disagree about its meaning."""
    assert "the row at line 1 cannot be read" in error_of(CSV, b'"a"b,c\n')


def test_carriage_return_alone_does_not_end_a_line() -> None:
    assert read(TSV, b"a\rb\tc\n") == [("a\rb", "c")]
    assert read(CSV, b'"a\rb",c\n') == [("a\rb", "c")]
    assert "the row at line 2" in error_of(CSV, b"a,b\na\rb,c\n")


@pytest.mark.parametrize("options", [CSV, TSV | {"delimiter": ","}])
def test_invalid_utf_8_is_rejected_with_its_line(options: dict[str, Any]) -> None:
    assert "line 2: byte 3, 0xff, is not utf-8" in error_of(options, b"a,b\nc,\xff\n")
    data = b"a,b\n" * 500_000 + b"c,\xc3\n"
    assert "line 500,001: byte 3, 0xc3, is not utf-8" in error_of(options, data)


def test_latin_1_is_decoded() -> None:
    assert read(CSV | {"encoding": "latin-1"}, b"\xe9,\xff\n") == [("é", "ÿ")]


def test_cp1252_is_decoded() -> None:
    assert read(CSV | {"encoding": "cp1252"}, b"\xe9,\x80\n") == [("é", "€")]
    assert "line 1: byte 1, 0x81, is not cp1252" in error_of(CSV | {"encoding": "cp1252"}, b"\x81,")


def test_utf_16_is_decoded() -> None:
    """Its bytes contain those of other characters, such as the line break in Ċ."""
    rows = [("é\n上", "Ċ"), ("b", "🦉")]
    data = "".join(f'"{first}",{second}\r\n' for first, second in rows).encode("utf-16")
    options = CSV | {"encoding": "utf-16"}
    assert read(options, data) == rows
    plain = "a\tĊ\n\nb\t🦉".encode("utf-16")
    assert read(TSV | {"encoding": "utf-16"}, plain) == [("a", "Ċ"), ("b", "🦉")]
    assert "it is not utf-16" in error_of(options, data + b"a")
    assert "does not start with BOM" in error_of(options, "a,b\n".encode("utf-16-le"))


def test_big_endian_utf_16_is_decoded() -> None:
    data = b"\xfe\xff" + "a,é\n".encode("utf-16-be")
    assert read(CSV | {"encoding": "utf-16"}, data) == [("a", "é")]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_other_encodings_round_trip(encoding: str) -> None:
    options = CSV | {"encoding": encoding, "header": True}
    rows = pa.RecordBatch.from_pydict({"a": ["é", "x\ny"], "b": ["€", ""]})
    output = MemoryOutput()
    formats.create(options).write(rows, {"rows": output})
    assert read(options, output.files[""]) == [("é", "€"), ("x\ny", "")]


def test_fields_have_any_length() -> None:
    """Python's csv module alone refuses more than 131,072 characters."""
    long = "x" * 300_000
    assert read(CSV, f'1,"{long}"\n2,b\n'.encode()) == [("1", long), ("2", "b")]
    assert read(TSV, f"1\t{long}\n".encode()) == [("1", long)]


@pytest.mark.parametrize(
    ("delimiter", "data"),
    [
        ("|", b"1|a, b\n2|c\n"),
        ("::", b"1::a, b\n2::c\n"),
        ("| ", b"1| a, b\n2|   c\n"),
        ("; ", b"1; a, b\n2;c\n"),
    ],
)
def test_other_delimiters(delimiter: str, data: bytes) -> None:
    options = TSV | {"delimiter": delimiter}
    assert read(options, data) == [("1", "a, b"), ("2", "c")]
    if delimiter != "::":
        assert read(CSV | {"delimiter": delimiter}, data) == [("1", "a, b"), ("2", "c")]


def test_blanks_separate_fields() -> None:
    """As in UCI's files: aligned with spaces, with a tab before the last column."""
    data = b"  1.5   2\t\n\n 10     20  \n"
    assert read(TSV | {"delimiter": "blanks"}, data) == [("1.5", "2"), ("10", "20")]
    quoted = b'18.0   8\n9\t"a  b"\n"" x"y\n'
    rows = [("18.0", "8"), ("9", "a  b"), ("", 'x"y')]
    assert read(CSV | {"delimiter": "blanks"}, quoted) == rows
    last = TSV | {"delimiter": "blanks", "long": "last"}
    assert read(last, b"01  Boeing  707 \n") == [("01", "Boeing  707")]
    assert "line 2 has 1 of 2 fields" in error_of(TSV | {"delimiter": "blanks"}, b"1 2\n3\n")


@pytest.mark.parametrize("quoting", [True, False])
def test_delimiter_at_the_end_of_a_line(quoting: bool) -> None:
    options = CSV | {"quoting": quoting, "trailing": True, "header": True}
    assert read(options, b"a,b\n1,2,\n3,\n4,,\n") == [("1", "2"), ("3", ""), ("4", "")]
    assert read(options, b"a,b,\n1,2,\n") == [("1", "2")]
    assert "line 2 has more than 2 fields" in error_of(options, b"a,b\n1,2,3\n")
    assert "line 2 has more than 2 fields" in error_of(options, b"a,b\n1,2,,\n")


def test_decimal_commas_become_points() -> None:
    options = CSV | {"delimiter": ";", "decimal_comma": ["b"]}
    data = b"1,5;1,5\nx;1.234.567,25\ny;-12\nz; ,5 \nna;NA\ne;1,5e-3\n;\n"
    assert read(options, data) == [
        ("1,5", "1.5"),
        ("x", "1234567.25"),
        ("y", "-12"),
        ("z", ".5"),
        ("na", "NA"),
        ("e", "1.5e-3"),
        ("", ""),
    ]
    message = "line 1, column 'b': '1.5' is not a number with a decimal comma"
    assert message in error_of(options, b"a;1.5\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "data", [b'"' + b"a\n" * 200_000, b'"%s\n",' % (b"x" * 99) * 200_000, b"a" * 70_000_000]
)
def test_endless_row_takes_little_memory(data: bytes) -> None:
    """An unclosed quote or an endless line is rejected early."""
    tracemalloc.start()
    try:
        assert "line 1" in error_of(CSV, data)
        assert "line 1" in error_of(TSV, data.replace(b"\n", b" "))
        assert tracemalloc.get_traced_memory()[1] < 512 << 20
    finally:
        tracemalloc.stop()


def test_rows_are_split_into_batches_in_order() -> None:
    data = b"".join(b'%d,"text, of ""row"" %d"\n' % (i, i) for i in range(300_000))
    files = [MemoryFile("file", data)]
    batches = list(formats.create(CSV).read({"rows": files}))
    assert len(batches) > 1
    expected = pyarrow.csv.read_csv(
        pa.BufferReader(data),
        pyarrow.csv.ReadOptions(column_names=["a", "b"]),
        convert_options=pyarrow.csv.ConvertOptions(column_types={"a": pa.string()}),
    )
    assert pa.Table.from_batches(batches).combine_chunks() == expected.combine_chunks()


def test_rows_are_read_lazily() -> None:
    """The first rows are available before an error later in the file."""
    data = b"a,b\n" * 1_000_000 + b"broken\n"
    batches = formats.create(CSV).read({"rows": [MemoryFile("file", data)]})
    assert next(batches).column("a")[0].as_py() == "a"
    with pytest.raises(ReadError, match="line 1,000,001 has 1 of 2 fields"):
        list(batches)


@given(
    data=st.lists(st.sampled_from([*PIECES, b"b,c\n", b'"d\n",e\r\n', b"f\tg\n"])).map(b"".join),
    options=st.sampled_from(
        [CSV, TSV, CSV | {"delimiter": ", "}, CSV | {"trailing": True}, TSV | {"short": "fill"}]
    ),
    block=st.integers(1, 20),
)
def test_rows_and_errors_do_not_depend_on_blocks(
    data: bytes, options: dict[str, Any], block: int
) -> None:
    def outcome() -> Any:
        try:
            return read(options, data)
        except ReadError as error:
            return str(error)

    whole = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", block)
        assert outcome() == whole


def test_error_after_many_lines_names_the_line() -> None:
    lines = b"1,2\n" * 5_000 + b'"3\n",4\n' * 5_000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", 1000)
        assert "line 15,001 has 1 of 2 fields" in error_of(CSV, lines + b"5\n" + lines)
        assert "line 5,001 cannot be read" in error_of(CSV, b"1,2\n" * 5_000 + b'"3"4,5\n')


text = st.text(st.sampled_from('ab",;\t \n\r\\é\0'), max_size=8)


@given(
    rows=st.lists(st.tuples(text, text), min_size=1, max_size=5),
    delimiter=st.sampled_from([",", "\t", ";", "|", " ", ", ", "; ", "| "]),
    header=st.booleans(),
)
def test_quoted_text_round_trips(
    rows: list[tuple[str, str]],
    delimiter: str,
    header: bool,
) -> None:
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
def test_any_bytes_are_read_or_rejected(data: bytes, options: dict[str, Any]) -> None:
    try:
        rows = read(options, data)
    except ReadError as error:
        assert str(error).startswith("file-0: ")  # noqa: PT017  # or else rows
        return
    if b"\r" not in data.replace(b"\r\n", b"\n"):
        columns = delimited.read({"rows": [("", data)]}, options)
        assert list(zip(*columns.values(), strict=True)) == rows


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "columns"),
        ({"columns": []}, "columns"),
        ({"columns": ["a", "b", "a"]}, "`columns` names 'a' twice"),
        ({"columns": ["a"], "delimiter": "#"}, "delimiter"),
        ({"columns": ["a"], "delimiter": "::"}, '`delimiter = "::"` requires `quoting = false`'),
        ({"columns": ["a"], "delimiter": "blanks", "trailing": True}, "`trailing` excludes"),
        ({"columns": ["a"], "decimal_comma": ["b"]}, "'b' in `decimal_comma` is not in"),
        ({"columns": ["a"], "skip": -1}, "skip"),
        ({"columns": ["a"], "short": "drop"}, "short"),
        ({"columns": ["a"], "long": "fill", "quoting": False}, "long"),
        ({"columns": ["a"], "long": "last"}, "quoting = false"),
        ({"columns": ["a"], "encoding": "utf-32"}, "encoding"),
        ({"columns": ["a"], "escape": "\\"}, "escape"),
    ],
)
def test_invalid_options_are_rejected(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        formats.create({"format": "delimited"} | options)
    assert message in str(caught.value)


def test_second_part_is_rejected() -> None:
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
def test_unreadable_values_are_not_written(column: pa.Array, options: dict[str, Any]) -> None:
    rows = pa.RecordBatch.from_pydict({"a": column, "b": column})
    with pytest.raises(SchemaError):
        formats.create(options).write(rows, {"rows": MemoryOutput()})


def test_missing_column_is_not_written() -> None:
    with pytest.raises(SchemaError, match="a column 'b'"):
        formats.create(CSV).write(
            pa.RecordBatch.from_pydict({"a": ["1"]}), {"rows": MemoryOutput()}
        )


def test_empty_line_is_not_written() -> None:
    options = {"format": "delimited", "columns": ["a"], "quoting": False}
    with pytest.raises(SchemaError):
        formats.create(options).write(
            pa.RecordBatch.from_pydict({"a": [""]}), {"r": MemoryOutput()}
        )


def test_numbers_are_written_as_text() -> None:
    columns = {"a": pa.array([1, -2, None]), "b": pa.array([0.5, 3.0, 1e300])}
    output = MemoryOutput()
    formats.create(CSV).write(pa.RecordBatch.from_pydict(columns), {"rows": output})
    rows = read(CSV, output.files[""])
    assert [row[0] for row in rows] == ["1", "-2", ""]
    assert [float(row[1]) for row in rows] == [0.5, 3.0, 1e300]


def test_empty_fields_of_a_column_can_be_missing() -> None:
    options = {"format": "delimited", "columns": ["a", "b"], "missing": ["b"]}
    (batch,) = formats.create(options).read({"rows": [MemoryFile("x", b',\n1,"2"\n')]})
    assert batch.to_pydict() == {"a": ["", "1"], "b": [None, "2"]}
