from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import feather

from dshub.errors import DshubError
from dshub.publishing.authoring.detection import sniff
from tests.independent.own_files import write_text
from tests.publishing.authoring.conftest import New


def test_text_that_is_not_utf_8_is_rejected(new: New, data: Path) -> None:
    (data / "train.csv").write_bytes("Größe,b\n1,2\n".encode("latin-1"))
    with pytest.raises(DshubError, match=r"train\.csv") as caught:
        new(data)
    assert "UTF-8" in caught.value.hint


def test_feather_and_arrow_streams_are_recognized(new: New, data: Path) -> None:
    table = pa.table({"x": [1.5, 2.5], "word": ["one", "two"]})
    feather.write_feather(table, data / "train.feather")
    with (
        pa.OSFile(str(data / "test.bin"), "wb") as sink,
        pa.ipc.new_stream(sink, table.schema) as s,
    ):
        s.write_table(table)
    result = new(data)
    for split in ("train", "test"):
        assert result[split]["x"][:].tolist() == [1.5, 2.5]
        assert list(result[split]["word"][:]) == ["one", "two"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("model.pkl", "a pickle"), ("table.xlsx", "a spreadsheet"), ("images.h5", "an HDF5 file")],
)
def test_error_names_the_unsupported_format(new: New, data: Path, name: str, kind: str) -> None:
    (data / name).write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(DshubError, match=rf"{name} is {kind}.*save"):
        new(data)


def test_tsv_with_unpaired_quotes_and_no_header_is_detected(new: New, data: Path) -> None:
    """As in GLUE, the quotes are part of the text."""
    write_text(data / "train.tsv", 'a "lone quote\t1\nsay "hi"\t0\n"begin\t1\n')
    write_text(data / "dev.tsv", 'never" ending\t0\n')
    result = new(data)
    assert result.manifest.splits["validation"].reader == {
        "format": "delimited",
        "columns": ["column_1", "column_2"],
        "delimiter": "\t",
        "quoting": False,
    }
    assert list(result["train"]["column_1"][:]) == ['a "lone quote', 'say "hi"', '"begin']
    assert result["validation"][0] == {"column_1": 'never" ending', "column_2": 0}


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
    ("content", "message"),
    [
        ("a,b\n1,2\n3\n", "different numbers of fields"),
        ("label,label\na,b\n", "more than one column 'label'"),
        ("a,b\n", "split train has no rows"),
    ],
)
def test_csv_that_is_not_a_table_is_rejected(
    new: New, data: Path, content: str, message: str
) -> None:
    write_text(data / "train.csv", content)
    with pytest.raises(DshubError, match=message) as caught:
        new(data)
    assert "train" in str(caught.value)
    assert not list(Path().iterdir())
