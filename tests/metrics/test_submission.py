"""Compare submission files with the formats of the servers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub.errors import ArgumentError, StoreError
from dshub.metrics import write_glue, write_superglue

# lines of the files of a complete submission to GLUE, with their headers
GLUE_LINES = {
    "AX.tsv": 1105,
    "CoLA.tsv": 1064,
    "MNLI-m.tsv": 9797,
    "MNLI-mm.tsv": 9848,
    "MRPC.tsv": 1726,
    "QNLI.tsv": 5464,
    "QQP.tsv": 390_966,
    "RTE.tsv": 3001,
    "SST-2.tsv": 1822,
    "STS-B.tsv": 1380,
    "WNLI.tsv": 147,
}
GLUE_TASKS = {
    "ax": ("AX.tsv", "neutral"),
    "cola": ("CoLA.tsv", "1"),
    "mnli_matched": ("MNLI-m.tsv", "neutral"),
    "mnli_mismatched": ("MNLI-mm.tsv", "neutral"),
    "mrpc": ("MRPC.tsv", "1"),
    "qnli": ("QNLI.tsv", "not_entailment"),
    "qqp": ("QQP.tsv", "1"),
    "rte": ("RTE.tsv", "not_entailment"),
    "sst2": ("SST-2.tsv", "1"),
    "stsb": ("STS-B.tsv", "1.000"),
    "wnli": ("WNLI.tsv", "1"),
}
SUPERGLUE_TASKS: dict[str, tuple[str, int, Any]] = {
    "axb": ("AX-b.jsonl", 1104, "not_entailment"),
    "axg": ("AX-g.jsonl", 356, "not_entailment"),
    "boolq": ("BoolQ.jsonl", 3245, "true"),
    "cb": ("CB.jsonl", 250, "contradiction"),
    "copa": ("COPA.jsonl", 500, 1),
    "rte": ("RTE.jsonl", 3000, "not_entailment"),
    "wic": ("WiC.jsonl", 1400, "true"),
    "wsc": ("WSC.jsonl", 146, "True"),
}


@pytest.mark.parametrize("task", GLUE_TASKS)
def test_file_of_glue_has_its_name_header_and_rows(task: str, tmp_path: Path) -> None:
    name, value = GLUE_TASKS[task]
    path = write_glue(task, np.ones(GLUE_LINES[name] - 1), tmp_path / "submission")
    assert path == tmp_path / "submission" / name
    header, *lines = path.read_bytes().decode().removesuffix("\n").split("\n")
    assert header == "index\tprediction"
    assert lines == [f"{row}\t{value}" for row in range(GLUE_LINES[name] - 1)]


def test_scores_of_stsb_are_cut_and_rounded(tmp_path: Path) -> None:
    scores = np.full(1379, 2.5)
    scores[:3] = -0.25, 5.75, 3.14159
    lines = write_glue("STS-B", scores, tmp_path).read_text().splitlines()
    assert lines[1:5] == ["0\t0.000", "1\t5.000", "2\t3.142", "3\t2.500"]


def test_reordered_rows_are_written_in_order(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(146)
    path = write_glue("wnli", order % 2, tmp_path, rows={"idx": order})
    assert path.read_text().splitlines()[1:] == [f"{row}\t{row % 2}" for row in range(146)]


@pytest.mark.parametrize("task", SUPERGLUE_TASKS)
def test_file_of_superglue_has_its_name_and_rows(task: str, tmp_path: Path) -> None:
    name, rows, value = SUPERGLUE_TASKS[task]
    path = write_superglue(task, [1] * rows, tmp_path)
    assert path.name == name
    lines = path.read_bytes().decode().removesuffix("\n").split("\n")
    assert list(map(json.loads, lines)) == [{"idx": row, "label": value} for row in range(rows)]


def test_multirc_is_nested_by_paragraph_and_question(tmp_path: Path) -> None:
    answers = np.arange(9693)
    rows = {
        "idx_paragraph": 100 + answers // 20,
        "idx_question": answers // 5,
        "idx_answer": answers,
    }
    path = write_superglue("multirc", answers % 2, tmp_path, rows=rows)
    assert path.name == "MultiRC.jsonl"
    paragraphs = [json.loads(line) for line in path.read_text().splitlines()]
    assert [paragraph["idx"] for paragraph in paragraphs] == list(range(100, 585))
    assert paragraphs[1]["passage"]["questions"][2] == {
        "idx": 6,
        "answers": [{"idx": answer, "label": answer % 2} for answer in range(30, 35)],
    }
    questions = [question for item in paragraphs for question in item["passage"]["questions"]]
    assert sum(len(question["answers"]) for question in questions) == 9693


def test_record_has_the_text_of_each_query(tmp_path: Path) -> None:
    texts = [f"entity {row}" for row in range(10_000)]
    rows = {"idx_query": range(5, 10_005), "idx_passage": [0] * 10_000}
    path = write_superglue("record", texts, tmp_path, rows=rows)
    assert path.name == "ReCoRD.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [{"idx": row + 5, "label": text} for row, text in enumerate(texts)]


def test_missing_rows_are_an_error(tmp_path: Path) -> None:
    message = "predictions is '145 rows'; it must be 146 rows, one for each row of the test split"
    with pytest.raises(ArgumentError, match=message) as caught:
        write_glue("wnli", [0] * 145, tmp_path)
    assert "glue/wnli" in caught.value.hint
    with pytest.raises(ArgumentError, match="'200 rows'; it must be 146 rows"):
        write_superglue("wsc", [0] * 200, tmp_path)
    assert not list(tmp_path.iterdir())


def test_rows_that_occur_twice_or_of_another_split_are_errors(tmp_path: Path) -> None:
    twice = {"idx": [0, *range(145)]}
    for write, task in ((write_glue, "wnli"), (write_superglue, "wsc")):
        with pytest.raises(ArgumentError, match="is '0, 2 times'; it must be different in each"):
            write(task, [0] * 146, tmp_path, rows=twice)
    with pytest.raises(ArgumentError, match="is 'from 1 to 146'; it must be 0 to 145"):
        write_glue("wnli", [0] * 146, tmp_path, rows={"idx": range(1, 147)})


def test_nested_tasks_need_the_rows(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"rows is None; .*idx_answer"):
        write_superglue("multirc", [0] * 9693, tmp_path)
    with pytest.raises(ArgumentError, match=r"rows is None; .*idx_query"):
        write_superglue("record", ["a"] * 10_000, tmp_path)


def test_mnli_asks_for_one_of_its_files(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="it must be mnli_matched or mnli_mismatched"):
        write_glue("mnli", [0], tmp_path)


def test_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        write_glue("wnli", [0] * 146, tmp_path / "file")
