"""Tables: delimited text, JSON, parquet, Arrow, lines of text."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from dshub.catalog.features import (
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.catalog.manifest import Rename
from dshub.errors import DshubError, ReadError
from tests.independent.own_files import picture, text

Made = Callable[..., Any]


def test_columns_of_a_csv_are_what_all_of_their_values_say(made: Made, data: Path) -> None:
    """Numbers, classes, texts, numbers that are names, and what is missing, by each row."""
    rows = [
        f'{i},{i / 4},"a, ""quoted"" text {i}",0{i % 7},{"" if i == 5 else i},{"yn"[i % 2]}'
        for i in range(40)
    ]
    text(data / "train.csv", "\r\n".join(["Id,Size (cm),text,code,age,grade", *rows, ""]))
    result = made(data / "train.csv")
    assert result.manifest.features == {
        "id": NumberFeature(dtype="int64"),
        "size_cm": NumberFeature(dtype="float64"),
        "text": TextFeature(),
        "code": TextFeature(),
        "age": NumberFeature(dtype="float64", missing=("",)),
        "grade": LabelFeature(names=("n", "y")),
    }
    step = Rename(columns={"Id": "id", "Size (cm)": "size_cm"})
    assert result.manifest.splits["train"].steps == (step,)
    row = result["train"][5]
    assert math.isnan(row.pop("age"))
    wanted = {"id": 5, "size_cm": 1.25, "text": 'a, "quoted" text 5', "code": "05", "grade": 0}
    assert row == wanted
    assert result["train"]["age"][:][6] == 6.0


def test_tabs_and_lone_quotes_and_no_header(made: Made, data: Path) -> None:
    """GLUE's kind of TSV: what looks like a quote is one, and columns get names of their own."""
    text(data / "train.tsv", 'a "lone quote\t1\nsay "hi"\t0\n"begin\t1\n')
    text(data / "dev.tsv", 'never" ending\t0\n')
    result = made(data)
    assert result.manifest.splits["validation"].reader == {
        "format": "delimited",
        "columns": ["column_1", "column_2"],
        "delimiter": "\t",
        "quoting": False,
    }
    assert list(result["train"]["column_1"][:]) == ['a "lone quote', 'say "hi"', '"begin']
    assert result["validation"][0] == {"column_1": 'never" ending', "column_2": 0}


def test_what_one_split_proves_of_quotes_holds_for_all(made: Made, data: Path) -> None:
    """A quote far down in a file is what it is in the others."""
    text(data / "train.tsv", 'text\tn\n"a ""quoted"" tab\tin it"\t1\nb\t2\n')
    text(data / "test.tsv", "text\tn\nplain\t3\n")
    result = made(data)
    assert all("quoting" not in split.reader for split in result.manifest.splits.values())
    assert result["train"][0] == {"text": 'a "quoted" tab\tin it', "n": 1}
    text(data / "train.csv", 'text,n\n"a,1\nb,2\n')
    text(data / "test.csv", "text,n\nplain,3\n")
    for name in ("train.tsv", "test.tsv"):
        (data / name).unlink()
    result = made(data, "--force")
    assert {split.reader["quoting"] for split in result.manifest.splits.values()} == {False}
    assert list(result["train"]["text"][:]) == ['"a', "b"]


def test_what_a_person_says_of_a_column_counts(made: Made, data: Path) -> None:
    """`--label`, `--text`, `--number`, `--header` and `--split` each override what was guessed."""
    text(data / "a.csv", "x,y,z\n1,2,10\n3,4,20\n")
    text(data / "b.csv", "x,y,z\n5,2,20\n")
    files = ("--split", f"train={data / 'a.csv'}", "--split", f"grown-ups={data / 'b.csv'}")
    result = made(*files, "--label", "z", "--text", "x", "--number", "y", "--header")
    assert result.manifest.features == {
        "x": TextFeature(),
        "y": NumberFeature(dtype="int64"),
        "z": LabelFeature(names=("10", "20"), codes=("10", "20")),
    }
    assert result["train"][1] == {"x": "3", "y": 4, "z": 1}
    assert result["grown-ups"][0] == {"x": "5", "y": 2, "z": 1}
    with pytest.raises(DshubError, match="no column 'zz'"):
        made(data / "a.csv", "--label", "zz", "--force")


def test_splits_may_lack_columns_but_not_share_none(made: Made, data: Path) -> None:
    """A test set without labels is one; a file with other columns altogether is none."""
    text(data / "train.csv", "text,label\na,x\nb,y\nc,x\nd,y\n")
    text(data / "test.csv", "text\nfirst\nsecond\n")
    result = made(data)
    assert result.manifest.splits["test"].without == ("label",)
    assert list(result["test"]["text"][:]) == ["first", "second"]
    assert result.doubts("test has no column label")
    text(data / "test.csv", "other,columns\n1,2\n")
    with pytest.raises(DshubError, match="split train has no column in common with test"):
        made(data, "--force")


def test_files_of_one_split_must_agree(made: Made, data: Path) -> None:
    """Several files are one split where they have the same columns; otherwise both are named."""
    text(data / "part-1.csv", "id,grade\n1,2.5\n")
    text(data / "part-2.csv", "id,grade\n2,3.5\n")
    result = made(data)
    assert result["train"]["grade"][:].tolist() == [2.5, 3.5]
    assert result.doubts("all rows are train")
    text(data / "part-2.csv", "id,mark\n2,3.5\n")
    with pytest.raises(DshubError, match=r"part-1\.csv and part-2\.csv differ.*grade.*mark"):
        made(data, "--force")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a,b\n1,2\n3\n", "different numbers of fields"),
        ("label,label\na,b\n", "two columns 'label'"),
        ("a,b\n", "split train has no rows"),
    ],
)
def test_a_csv_that_is_no_table_is_an_error(
    made: Made, data: Path, content: str, told: str
) -> None:
    """Each names the file, and nothing is written."""
    text(data / "train.csv", content)
    with pytest.raises(DshubError, match=told) as caught:
        made(data)
    assert "train" in str(caught.value)
    assert not list(Path().iterdir())


def test_a_line_far_down_that_does_not_fit_is_named(made: Made, data: Path) -> None:
    """What the beginning of a file promised is held against all of it."""
    text(data / "train.csv", "a,b\n" + "1,2\n" * 50_000 + "1,2,3\n")
    with pytest.raises(ReadError, match=r"train\.csv: line 50,002 has more than 2 fields"):
        made(data)


def test_json_lines_give_every_key_that_all_rows_have(made: Made, data: Path) -> None:
    """Objects in objects and lists are columns too; what some rows lack is told."""
    rows: list[dict[str, Any]] = [
        {"text": f"t{i}", "label": "ab"[i % 2], "meta": {"score": i / 2}, "tags": ["x"] * i, "n": i}
        for i in range(4)
    ]
    rows[2]["rare"] = 1
    text(data / "train.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    result = made(data)
    assert result.manifest.features == {
        "text": TextFeature(),
        "label": LabelFeature(names=("a", "b")),
        "meta_score": NumberFeature(dtype="float64"),
        "tags": ListFeature(of=TextFeature()),
        "n": NumberFeature(dtype="int64"),
    }
    found = result["train"][3]
    assert found == {"text": "t3", "label": 1, "meta_score": 1.5, "tags": ["x"] * 3, "n": 3}
    assert "3 rows lack it" in result.doubts("'rare'")[0]


@pytest.mark.parametrize("rows", ["", "data"])
def test_a_json_document_with_a_list_of_rows(made: Made, data: Path, rows: str) -> None:
    """Whether the document is the list, or holds it beside other things."""
    items = [{"q": "why", "ok": True}, {"q": "how", "ok": False}]
    document: Any = {"version": "1", "data": items} if rows else items
    text(data / "train.json", json.dumps(document, indent=1))
    text(data / "test.json", json.dumps(document))
    result = made(data)
    assert result["test"][1] == {"q": "how", "ok": 0}
    assert result["train"]["ok"][:].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"a": 1}\n{"a": 2}\n{"a": \n', r"train\.json: line 3: it is no JSON"),
        ("[" * 100_000, r"train\.json: it is no JSON: "),
        ('{"a": 1}\n[3]\n', r"train\.json: row 2 is no object"),
        ('{"a": [{"x": 1}], "b": [{"x": 1}]}', r"holds several lists: a\[\], b\[\]"),
        ('{"a": null}\n{"a": null}\n', "there is no key that every row has"),
    ],
)
def test_json_that_is_no_table_is_an_error(made: Made, data: Path, content: str, told: str) -> None:
    """It names the file, and where in it."""
    text(data / "train.json", content)
    with pytest.raises(DshubError, match=told):
        made(data)


def test_parquet_keeps_its_types(made: Made, data: Path) -> None:
    """Shards of a split follow one another; pictures as Hugging Face keeps them are pictures."""
    picture(data / "a.png", 1)
    png = (data / "a.png").read_bytes()
    (data / "a.png").unlink()
    table = pa.table(
        {
            "image": [{"bytes": png, "path": "a.png"}] * 6,
            "label": [1, 2, 3] * 2,
            "weight": pa.array([0.5] * 6, pa.float32()),
            "box": pa.array([[1, 2]] * 6, pa.list_(pa.int16())),
            "age": [None, 1, 2, 3, 4, 5],
            "Sentence": [f"s {i}" for i in range(6)],
        }
    )
    (data / "data").mkdir()
    pq.write_table(table.slice(0, 4), data / "data" / "train-00000-of-00002.parquet")
    pq.write_table(table.slice(4), data / "data" / "train-00001-of-00002.parquet")
    pq.write_table(table.slice(1, 2), data / "data" / "test-00000-of-00001.parquet")
    result = made(data)
    assert result.manifest.features == {
        "image": ImageFeature(encoding="png"),
        "label": LabelFeature(names=("1", "2", "3"), first=1),
        "weight": NumberFeature(dtype="float32"),
        "box": ListFeature(of=NumberFeature(dtype="int16")),
        "sentence": TextFeature(),
    }
    assert result.doubts("1 of 8 rows have no value")
    assert result["train"]["label"][:].tolist() == [0, 1, 2, 0, 1, 2]
    assert result["test"][1]["sentence"] == "s 2"
    assert result["test"][1]["box"].tolist() == [1, 2]
    assert result["test"][1]["image"].shape == (8, 9, 3)


def test_feather_and_arrow_streams(made: Made, data: Path) -> None:
    """Both forms of Arrow's files, told by their content."""
    table = pa.table({"x": [1.5, 2.5], "word": ["one", "two"]})
    feather.write_feather(table, data / "train.feather")
    with (
        pa.OSFile(str(data / "test.bin"), "wb") as sink,
        pa.ipc.new_stream(sink, table.schema) as s,
    ):
        s.write_table(table)
    result = made(data)
    for split in ("train", "test"):
        assert result[split]["x"][:].tolist() == [1.5, 2.5]
        assert list(result[split]["word"][:]) == ["one", "two"]


def test_lines_of_text(made: Made, data: Path) -> None:
    """A line is a row, whatever commas are in it; empty lines are none."""
    text(data / "train.txt", "one, two\n\nthree\n")
    text(data / "valid.txt", "four, and\n")
    result = made(data)
    assert list(result["train"]["text"][:]) == ["one, two", "three"]
    assert list(result["validation"]["text"][:]) == ["four, and"]


def test_compressed_tables_are_read_as_they_are(made: Made, data: Path) -> None:
    """The resource is the compressed file, the split the one its name tells."""
    import gzip

    (data / "train.csv.gz").write_bytes(gzip.compress(b"n,word\n1,a\n2,b\n"))
    result = made(data)
    assert list(result.answer["resources"]) == ["train"]
    assert result["train"]["n"][:].tolist() == [1, 2]


def test_the_same_bytes_twice_are_told(made: Made, data: Path) -> None:
    """A test set that is the training set is seldom meant."""
    for name in ("train", "test"):
        text(data / f"{name}.csv", "n,word\n1,a\n2,b\n")
    assert made(data).doubts("have the same bytes")


def test_kinds_that_do_not_belong_together_are_an_error(made: Made, data: Path) -> None:
    """What dshub cannot read is told what it is, and what to do."""
    text(data / "train.csv", "a,b\n1,2\n")
    np.save(data / "x.npy", np.zeros((3, 2)))
    with pytest.raises(DshubError, match="several kinds: 1 delimited, 1 npz"):
        made(data)
    (data / "train.csv").unlink()
    (data / "x.npy").unlink()
    (data / "model.pkl").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(DshubError, match=r"model\.pkl is a pickle"):
        made(data)
    (data / "model.pkl").unlink()
    with pytest.raises(DshubError, match="no file with anything in it"):
        made(data)
