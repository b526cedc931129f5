"""Load delimited datasets from small handmade files in upstream's layout."""

import bz2
import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dshub import Registry
from dshub.errors import ReadError, SchemaError
from dshub.tables.building import rows_of


def zipped(members: Mapping[str, str]) -> bytes:
    """Pack strings into a zip."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return sink.getvalue()


def rows(name: str, split: str, folder: Path, **files: bytes) -> list[dict[str, Any]]:
    """Return the rows of a split with these bytes as its resources."""
    paths = {}
    for resource, data in files.items():
        paths[resource.replace("_", "-")] = folder / resource
        (folder / resource).write_bytes(data)
    manifest = Registry().manifest(name)
    return [row for batch in rows_of(manifest, split, paths) for row in batch.to_pylist()]


def columns(rows_: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """Return some columns of rows as tuples."""
    return [tuple(row[name] for name in names) for row in rows_]


def test_only_test_split_of_cola_has_a_header(tmp_path: Path) -> None:
    archive = zipped(
        {
            "CoLA/train.tsv": "gj04\t1\t\tOur friends won't buy it.\ngj04\t0\t*\tThey \"drank.\n",
            "CoLA/test.tsv": "index\tsentence\n0\tBill whistled.\n",
        }
    )
    train = rows("glue/cola", "train", tmp_path, archive=archive)
    assert train == [
        {"sentence": "Our friends won't buy it.", "label": 1, "idx": 0},
        {"sentence": 'They "drank.', "label": 0, "idx": 1},
    ]
    test = rows("glue/cola", "test", tmp_path, archive=archive)
    assert test == [{"sentence": "Bill whistled.", "idx": 0}]


def test_sst2_keeps_trailing_spaces(tmp_path: Path) -> None:
    archive = zipped({"SST-2/dev.tsv": "sentence\tlabel\nit 's fun . \t1\n"})
    rows_ = rows("glue/sst2", "validation", tmp_path, archive=archive)
    assert rows_ == [{"sentence": "it 's fun . ", "label": 1, "idx": 0}]


MRPC = (
    "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n"
    '1\t10\t11\tHe said "yes.\tHe agreed.\r\n'
    "0\t12\t13\tOne.\tTwo.\r\n"
    "1\t10\t13\tThree.\tThree.\r\n"
).encode()


def test_mrpc_validation_contains_the_listed_pairs(tmp_path: Path) -> None:
    files = {"train": MRPC, "dev_ids": b"12\t13\r\n"}
    train = rows("glue/mrpc", "train", tmp_path, **files)
    assert train == [
        {"sentence1": 'He said "yes.', "sentence2": "He agreed.", "label": 1, "idx": 0},
        {"sentence1": "Three.", "sentence2": "Three.", "label": 1, "idx": 2},
    ]
    validation = rows("glue/mrpc", "validation", tmp_path, **files)
    assert validation == [{"sentence1": "One.", "sentence2": "Two.", "label": 0, "idx": 1}]
    test = rows("glue/mrpc", "test", tmp_path, test=MRPC)
    assert columns(test, "label", "idx") == [(1, 0), (0, 1), (1, 2)]


def test_listed_pair_that_mrpc_lacks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"mrpc_dev_ids\.tsv: it lists 1 rows"):
        rows("glue/mrpc", "validation", tmp_path, train=MRPC, dev_ids=b"12\t11\n")


QQP = (
    "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
    "5\t1\t2\tWhy?\tHow?\t0\n"
    "6\t3\t4\tWhat is\n"
    "this?\tWhat?\t1\n"
    '7\t5\t6\t"Who?\tWho"?\t1\n'
)


def test_broken_lines_of_qqp_are_skipped(tmp_path: Path) -> None:
    """A question with a line break becomes two short lines, which `idx` counts."""
    rows_ = rows("glue/qqp", "train", tmp_path, archive=zipped({"QQP/train.tsv": QQP}))
    assert rows_ == [
        {"question1": "Why?", "question2": "How?", "label": 0, "idx": 0},
        {"question1": '"Who?', "question2": 'Who"?', "label": 1, "idx": 3},
    ]


def test_broken_line_in_the_test_file_of_qqp_is_an_error(tmp_path: Path) -> None:
    """Predictions are submitted for every row, so no row can be skipped."""
    archive = zipped({"QQP/test.tsv": "id\tquestion1\tquestion2\n0\tWhy?\tHow?\n1\tWhat\n"})
    with pytest.raises(ReadError, match=r"QQP/test\.tsv: line 3 has 2 of 3 fields"):
        rows("glue/qqp", "test", tmp_path, archive=archive)


def test_scores_of_stsb_are_numbers(tmp_path: Path) -> None:
    head = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2"
    line = "0\tmain-news\theadlines\t2012\t7\tnone\tnone\tA plane.\tAn air plane."
    archive = zipped(
        {
            "STS-B/dev.tsv": f"{head}\tscore\n{line}\t3.750\n{line}\t5\n",
            "STS-B/test.tsv": f"{head}\n{line}\n",
        }
    )
    rows_ = rows("glue/stsb", "validation", tmp_path, archive=archive)
    assert columns(rows_, "label", "idx") == [(3.75, 0), (5.0, 1)]
    (row,) = rows("glue/stsb", "test", tmp_path, archive=archive)
    assert row == {"sentence1": "A plane.", "sentence2": "An air plane.", "idx": 0}


PARSES = "sentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse"


def test_mnli_uses_the_gold_label(tmp_path: Path) -> None:
    head = f"index\tpromptID\tpairID\tgenre\t{PARSES}\tsentence1\tsentence2"
    line = "0\t1\t1n\tfiction\t( a )\t( b )\t(a)\t(b)\tSome.\tNone."
    each = "\t".join(f"label{i}" for i in range(1, 6))
    votes = "neutral\tneutral\tcontradiction\tcontradiction\tcontradiction\tcontradiction"
    archive = zipped({"MNLI/dev_mismatched.tsv": f"{head}\t{each}\tgold_label\n{line}\t{votes}\n"})
    (row,) = rows("glue/mnli", "validation_mismatched", tmp_path, archive=archive)
    assert row == {"premise": "Some.", "hypothesis": "None.", "label": 2, "idx": 0}


def test_wnli_and_rte_have_opposite_label_orders(tmp_path: Path) -> None:
    """Entailment is 1 in WNLI, which has numeric labels, and 0 in RTE, which has names."""
    head = "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\t"
    wnli = rows("glue/wnli", "train", tmp_path, archive=zipped({"WNLI/train.tsv": f"{head}1\n"}))
    rte = rows(
        "glue/rte", "train", tmp_path, archive=zipped({"RTE/train.tsv": f"{head}entailment\n"})
    )
    assert (wnli[0]["label"], rte[0]["label"]) == (1, 0)
    names = [Registry().manifest(f"glue/{task}").features["label"] for task in ("wnli", "rte")]
    assert [getattr(item, "names", ()).index("entailment") for item in names] == [1, 0]


LABELS = "\t".join(f"label{i}" for i in range(1, 6))


def test_snli_drops_rows_without_a_label(tmp_path: Path) -> None:
    head = f"gold_label\t{PARSES}\tsentence1\tsentence2\tcaptionID\tpairID\t{LABELS}"
    rest = "( a )\t( b )\t(a)\t(b)\tA man.\tA dog.\t1.jpg#0\t1.jpg#0r1n"
    lines = f"{head}\nneutral\t{rest}\tneutral\n-\t{rest}\tneutral\tentailment\t\t\t\n"
    lines += f"contradiction\t{rest}\n"
    archive = zipped({"snli_1.0/snli_1.0_train.txt": lines, "__MACOSX/snli_1.0/._x.txt": "x"})
    rows_ = rows("snli", "train", tmp_path, archive=archive)
    assert columns(rows_, "premise", "hypothesis", "label") == [
        ("A man.", "A dog.", 1),
        ("A man.", "A dog.", 2),
    ]


def test_multi_nli_drops_rows_without_a_label(tmp_path: Path) -> None:
    head = f"gold_label\t{PARSES}\tsentence1\tsentence2\tpromptID\tpairID\tgenre\t{LABELS}"
    rest = "( a )\t( b )\t(a)\t(b)\tA.\tB.\t63735\t63735n\tslate\tneutral"
    lines = f"{head}\n-\t{rest}\tentailment\t\t\t\nentailment\t{rest}\tentailment\t\t\t\n"
    archive = zipped({"multinli_1.0/multinli_1.0_dev_matched.txt": lines})
    (row,) = rows("multi-nli", "validation_matched", tmp_path, archive=archive)
    assert (row["label"], row["prompt_id"], row["pair_id"], row["genre"]) == (
        0,
        63735,
        "63735n",
        "slate",
    )


def test_backslashes_of_ag_news_are_text(tmp_path: Path) -> None:
    line = b'"3","Oil, up","Prices\\rise \\""much\\"", they say\\"\n'
    (row,) = rows("ag-news", "test", tmp_path, test=line)
    assert row == {
        "title": "Oil, up",
        "description": 'Prices\\rise \\"much\\", they say\\',
        "label": 2,
    }


def test_label_below_the_first_is_an_error(tmp_path: Path) -> None:
    """AG News starts at 1, and label 0 must not wrap around to the last class."""
    with pytest.raises(SchemaError, match="row 0: got '0'"):
        rows("ag-news", "test", tmp_path, test=b'"0","a","b"\n')


def test_empty_lines_at_the_end_of_iris_are_skipped(tmp_path: Path) -> None:
    archive = zipped({"iris.data": "5.1,3.5,1.4,0.2,Iris-setosa\n\n\n", "Index": "x"})
    (row,) = rows("iris", "train", tmp_path, archive=archive)
    assert row["label"] == 0
    assert row["sepal_length"] == pytest.approx(5.1)


def test_wine_quality_is_separated_by_semicolons(tmp_path: Path) -> None:
    names = "fixed acidity,volatile acidity,citric acid,residual sugar,chlorides,"
    names += "free sulfur dioxide,total sulfur dioxide,density,pH,sulphates,alcohol,quality"
    head = ";".join(f'"{name}"' for name in names.split(","))
    data = f"{head}\n7.4;0.7;0;1.9;0.076;11;34;0.9978;3.51;0.56;9.4;5\n".encode()
    (row,) = rows("wine-quality/red", "train", tmp_path, data=data)
    assert (row["citric_acid"], row["total_sulfur_dioxide"], row["quality"]) == (0, 34, 5)


ADULT = (
    "25, {}, 226802, 11th, 7, Never-married, ?, Own-child, Black, Male, 0, 0, 40, United-States, {}"
)


def test_labels_of_both_adult_files_are_the_same(tmp_path: Path) -> None:
    train = f"{ADULT.format('Private', '<=50K')}\n{ADULT.format('?', '>50K')}\n\n"
    test = f"|1x3 Cross validator\n{ADULT.format('Private', '<=50K.')}\n"
    rows_ = rows("adult", "train", tmp_path, train=train.encode())
    assert columns(rows_, "age", "workclass", "native_country", "label") == [
        (25, "Private", "United-States", 0),
        (25, "?", "United-States", 1),
    ]
    rows_ = rows("adult", "test", tmp_path, test=test.encode())
    assert columns(rows_, "age", "workclass", "label") == [(25, "Private", 0)]


def test_question_marks_of_titanic_are_missing_numbers(tmp_path: Path) -> None:
    data = (
        b'"pclass","survived","name","sex","age","sibsp","parch","ticket","fare","cabin",'
        b'"embarked","boat","body","home.dest"\n'
        b'1,1,"Icard, Miss. Amelie","female",38,0,0,"113572",80,"B28",?,"6",?,?\n'
        b'3,0,"Storey, Mr. Thomas","male",?,0,0,"3701",?,?,"S",?,261,?\n'
    )
    first, second = rows("titanic", "train", tmp_path, data=data)
    assert (first["survived"], first["sex"], first["age"], first["fare"]) == (1, 1, 38, 80)
    assert (first["embarked"], second["embarked"], second["body"]) == (3, 2, 261)
    assert all(math.isnan(value) for value in (first["body"], second["age"], second["fare"]))
    assert (first["home_dest"], second["cabin"]) == ("?", "?")


def test_labels_of_usps_start_at_1(tmp_path: Path) -> None:
    """Label 1 is the digit 0, and values from -1 to 1 are pixels in row order."""
    line = "1 " + " ".join(f"{i}:{(-1, 0, 1)[i % 3]}" for i in range(1, 257)) + " \n"
    (row,) = rows("usps", "test", tmp_path, test=bz2.compress(line.encode()))
    assert row["label"] == 0
    flat = [pixel[0] for line in row["image"] for pixel in line]
    assert flat == [(0, 127, 255)[i % 3] for i in range(1, 257)]
