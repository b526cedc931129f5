import pytest

from dshub.datasets.tabular.dialects import shown, sniff
from dshub.errors import DshubError


@pytest.mark.parametrize(
    ("text", "delimiter", "quoting", "columns"),
    [
        ('"Doe, Jo",x\n"Roe, Al",y\n', ",", True, 2),
        ('a;b;"c"\n1;2;3\n', ";", True, 3),
        ('a "b\tc\nd\te" f\n', "\t", False, 2),
        ('"a ""b"""\tc\n"d\te"\tf\n', "\t", True, 2),
        ('"a"\t"b"\n"c"\t"d"\n', "\t", True, 2),
        ("word\nother\n", ",", True, 1),
    ],
)
def test_delimiter_and_quoting_are_detected(
    text: str, delimiter: str, quoting: bool, columns: int
) -> None:
    """Quotes follow CSV rules, except unpaired quotes between tabs."""
    dialect = sniff(text, "a.csv")
    assert (dialect.delimiter, dialect.quoting) == (delimiter, quoting)
    assert len(dialect.columns) == columns


@pytest.mark.parametrize(
    ("text", "delimiter", "columns"),
    [
        ("a|b|c\n1|x, y|2\n3|z|4\n", "|", ("a", "b", "c")),
        ("1::1193::5\n1::661::3\n", "::", ("column_1", "column_2", "column_3")),
        ("a, b\n1, 2\n3, 4\n", ", ", ("a", "b")),
        ('id, text\n1, "a, b"\n2, "c"\n', ", ", ("id", "text")),
        ("id,text\n1, a\n2, b\n", ", ", ("id", "text")),
        ("id,text\n1, a\n2,b\n", ",", ("id", "text")),
        ("a; b\n1; 2,5\n", "; ", ("a", "b")),
        (" 0.1  18.0 2\n 10.2  0.0 7\n", "blanks", ("column_1", "column_2", "column_3")),
        ('18.0   8   1  70\t"a b"\n15.0   7   2  71\t"c d e"\n', "blanks", None),
        ("1,5;2,5\n3,4;4,5\n", ";", ("column_1", "column_2")),
        ("name\nAnna Lee\nBob Ray\n", ",", ("name",)),
        ("room name\nNo 1\nNo 2\n", "blanks", ("room", "name")),
    ],
    ids=[
        "pipe",
        "two-colons",
        "blank-after-comma",
        "blank-before-quote",
        "blank-below-the-header",
        "some-blanks-are-text",
        "blank-after-semicolon",
        "aligned",
        "aligned-with-a-tab",
        "decimal-commas",
        "words",
        "words-and-numbers",
    ],
)
def test_delimiter_is_decided_on_whole_lines(
    text: str, delimiter: str, columns: tuple[str, ...] | None
) -> None:
    dialect = sniff(text, "a.csv")
    assert dialect.delimiter == delimiter
    assert columns is None or dialect.columns == columns


def test_other_delimiters_that_fit_are_told() -> None:
    dialect = sniff("a;b,c\n1;2,3\n4;5,6\n", "a.csv")
    assert (dialect.delimiter, dialect.others) == (";", (",",))
    assert sniff("a;b,c\n1;2,3\n", "a.csv", delimiter=",").columns == ("a;b", "c")
    assert sniff("a,b\n1,2\n", "a.csv").others == ()
    assert [shown(text) for text in ("\t", "blanks", ";")] == ["tabs", "blanks", "';'"]


@pytest.mark.parametrize(
    ("text", "header", "sure"),
    [
        ("country,2019,2020\nA,1.5,1.6\nB,2.5,2.6\n", True, False),
        ("0,1,2,3\n5,1,7,8\n9,1,1,2\n", True, False),
        (",0,1,2,3\n0,1,2,5,1\n1,3,4,1,1\n", True, False),
        ("id,7\n1,2\n3,4\n", True, False),
        ("1,2,3\n4,5,6\n7,8,9\n", False, False),
        ("1999,2005\n2001,2003\n", False, True),
        ("5.1,3.5,Iris-setosa\n4.9,3,Iris-setosa\n", False, True),
        ("5,5,5\n4,5,6\n", False, True),
        ("?,1.5\n3,2.5\n", False, True),
        ("a,b\n1,x\n2,y\n", True, True),
        (",a,b\n0,1,2\n", True, True),
        ("a,b\nc,d\n", True, False),
        ("a,,c\n1,2,3\n4,5,6\n", True, True),
        ("a;b\n1,5;x\n2,5;y\n", True, True),
    ],
    ids=[
        "years",
        "pandas",
        "pandas-with-index",
        "word-and-number",
        "counting",
        "years-below",
        "floats",
        "repeated",
        "missing",
        "words",
        "index",
        "only-words",
        "unnamed",
        "decimal-commas",
    ],
)
def test_header_is_decided_on_the_columns_below(text: str, header: bool, sure: bool) -> None:
    dialect = sniff(text, "a.csv")
    assert (dialect.header, dialect.sure) == (header, sure)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a,b,\n1,2,\n3,4,\n", ("a", "b")),
        ("a,b\n1,2,\n3,4,\n", ("a", "b")),
        ('a,b\n"x, y",2,\n"z",4,\n', ("a", "b")),
        ("1|2|\n3|4|\n", ("column_1", "column_2")),
    ],
    ids=["all", "below-the-header", "quoted", "pipe"],
)
def test_delimiters_at_the_end_of_lines_are_no_column(text: str, columns: tuple[str, ...]) -> None:
    dialect = sniff(text, "a.csv")
    assert (dialect.columns, dialect.trailing) == (columns, True)


def test_empty_last_column_with_a_name_is_a_column() -> None:
    assert sniff("a,b,note\n1,2,\n3,4,\n", "a.csv").columns == ("a", "b", "note")


@pytest.mark.parametrize(
    ("text", "late", "quoting"),
    [
        ("a\tb\nx\t1\n", '5" pipe\t2\n"begin\t3\nq\t4\n', False),
        ("a\tb\nx\t1\n", '"tab\there"\t2\nq\t3\nr\t4\n', True),
        ("a,b\nx,1\n", '"begin,3\nq,4\nr,5\n', False),
        ("a,b\nx,1\n", '"be,gin",3\nq,4\nr,5\n', True),
        ("a,b\nx,1\n", '"two\nlines",3\nq,4\nr,5\n', True),
        ("a,b\nx,1\n", '"x"y,3\nq,4\nr,5\n', False),
    ],
    ids=["lone-in-tsv", "tab-in-quotes", "lone-in-csv", "comma", "line-break", "text-after"],
)
def test_quotes_that_appear_late_decide(text: str, late: str, quoting: bool) -> None:
    assert sniff(text, "a.csv", late=late).quoting == quoting


def test_incomplete_last_row_does_not_matter() -> None:
    text = 'a,b\n"1, x",2\n"3, and'
    with pytest.raises(DshubError, match="not a table"):
        sniff(text, "a.csv", complete=True)
    assert sniff(text, "a.csv", complete=False).columns == ("a", "b")


def test_columns_with_decimal_commas_are_found() -> None:
    text = "a;b;c;d\n1,5;x;1,5;2\n;y;NA;3\n1.234,5;z;1,x;4\n"
    assert sniff(text, "a.csv").decimal_commas == ("a",)


def test_text_that_breaks_csv_quoting_is_not_a_table() -> None:
    with pytest.raises(DshubError, match="input is not a table"):
        sniff('"a": 2}\n', "input")
