import re
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import feather

from dshub.errors import DshubError
from tests.independent.own_files import write_text
from tests.publishing.authoring.conftest import New


def test_binary_file_is_rejected(new: New, data: Path) -> None:
    (data / "train.csv").write_bytes(b"a,b\n\0\1\2,\xff\n")
    with pytest.raises(DshubError, match=r"train\.csv") as caught:
        new(data)
    assert "UTF-8" in caught.value.hint


POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", POINTER, "a.csv is a Git LFS pointer, not the file itself; run `git lfs pull`"),
        ("a.jsonl", POINTER, "a.jsonl is a Git LFS pointer"),
        ("a.csv", "/annex/objects/SHA256E-s12--ab.csv\n", "a.csv is a git-annex pointer"),
        ("a.csv.dvc", "outs:\n- md5: ab\n  path: a.csv\n", "a.csv.dvc is a DVC pointer"),
        ("a.arff", "% from 1988\n\n@RELATION iris\n@DATA\n1,2\n", "a.arff is an ARFF file"),
        ("a.data", "@relation 'x'\n@data\n1,2\n", "a.data is an ARFF file"),
        ("a.txt", "2.5 1:0.1 2:-3e-1\n1 7:2\n", "a.txt is a LIBSVM file"),
        ("a.xml", '\ufeff<?xml version="1.0"?>\n<rows/>\n', "a.xml is an XML file"),
        ("a.csv", "\n<!DOCTYPE HTML>\n<html></html>\n", "a.csv is an HTML page"),
    ],
    ids=[
        "lfs-csv",
        "lfs-jsonl",
        "annex",
        "dvc",
        "arff",
        "arff-data",
        "libsvm",
        "xml",
        "html",
    ],
)
def test_other_text_formats_are_named(
    new: New, data: Path, name: str, content: str, message: str
) -> None:
    (data / name).write_text(content, encoding="utf-8")
    with pytest.raises(DshubError, match=re.escape(message)):
        new(data)


def test_skipped_pointer_is_named(new: New, data: Path) -> None:
    write_text(data / "train.csv", "a,b\n1,2\n")
    write_text(data / "test.csv", POINTER)
    (doubt,) = new(data).doubts("pointer")
    assert doubt.startswith("skipped test.csv: it is a Git LFS pointer")


def test_text_with_colons_is_not_libsvm(new: New, data: Path) -> None:
    write_text(data / "train.txt", "see 12:30 for more\nat 9:00 sharp\n")
    assert len(new(data)["train"]) == 2


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


@pytest.mark.parametrize(
    ("name", "kind"), [("a.xlsx", "spreadsheet"), ("a.docx", "document"), ("a.pt", "pickle")]
)
def test_zip_of_a_document_is_not_read_as_an_archive(
    new: New, data: Path, name: str, kind: str
) -> None:
    with zipfile.ZipFile(data / name, "w") as archive:
        archive.writestr("parts/1.txt", "one\ntwo\n")
    with pytest.raises(DshubError, match=f"{re.escape(name)} is a {kind}"):
        new(data)


def test_documents_beside_data_are_skipped_with_a_note(new: New, data: Path) -> None:
    write_text(data / "train.csv", "a,b\n1,2\n")
    with zipfile.ZipFile(data / "notes.docx", "w") as archive:
        archive.writestr("word/document.xml", "<?xml version='1.0'?><a/>")
    assert new(data).doubts("skipped notes.docx: it is a document")


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("1.5  2\n3.5   4\n", ["--delimiter", "blanks", "--no-header"]),
        ("1.5,2\n3.5,4\n", ["--no-header"]),
        ("a;b\n1,5;2\n3,5;4\n", ["--decimal-comma", "a"]),
    ],
)
def test_options_of_tables_make_text_files_tables(
    new: New, data: Path, text: str, options: list[str]
) -> None:
    write_text(data / "seeds.txt", text)
    columns = new(data / "seeds.txt", *options)["train"].numpy()
    assert [values.tolist() for values in columns.values()] == [[1.5, 3.5], [2, 4]]


def test_empty_table_is_said_to_be_empty(new: New, data: Path) -> None:
    write_text(data / "train.csv", "")
    with pytest.raises(DshubError, match=r"train\.csv is empty"):
        new(data / "train.csv")
