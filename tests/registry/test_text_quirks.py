"""Load text datasets from small handmade files in upstream's layout."""

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dshub import Registry
from dshub.catalog.manifest import Manifest
from dshub.errors import ReadError, SchemaError
from dshub.tables.building import rows_of

Rows = list[dict[str, Any]]


def zipped(members: dict[str, bytes]) -> bytes:
    """Pack members into a compressed zip."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return sink.getvalue()


def rows(name: str, split: str, data: bytes, folder: Path) -> Rows:
    """Return the rows of a split that has one resource with these bytes."""
    manifest: Manifest = Registry(()).manifest(name)
    path = folder / "file"
    path.write_bytes(data)
    paths = dict.fromkeys(manifest.split_resources((split,)), path)
    return [row for batch in rows_of(manifest, split, paths) for row in batch.to_pylist()]


def superglue(task: str, member: str, folder: Path, *documents: Any) -> Rows:
    """Return the rows of a SuperGLUE split with these JSON documents."""
    lines = "".join(f"{json.dumps(document)}\n" for document in documents)
    split = {"train": "train", "val": "validation"}.get(Path(member).stem, "test")
    data = zipped({f"{member.partition('/')[0]}/": b"", member: lines.encode()})
    return rows(f"superglue/{task}", split, data, folder)


def test_spans_of_wsc_are_nested_objects(tmp_path: Path) -> None:
    """Indexes count words, and the text of a span can differ from the word at its index."""
    text = "Mark told Pete many lies about himself, which Pete included in his book."
    target = {"span1_index": 0, "span1_text": "mark", "span2_index": 11, "span2_text": "his"}
    document = {"text": text, "target": target, "idx": 3, "label": False}
    (row,) = superglue("wsc", "WSC/train.jsonl", tmp_path, document)
    assert row == target | {"text": text, "idx": 3, "label": 0}
    assert text.split()[row["span2_index"]] == "his"


def test_record_has_a_row_per_query(tmp_path: Path) -> None:
    text = "Zoë met Ann\n@highlight\nAnn left"
    spans = [{"start": 8, "end": 10}, {"start": 0, "end": 2}, {"start": 23, "end": 25}]
    answers = [{"start": 8, "end": 10, "text": "Ann"}, {"start": 23, "end": 25, "text": "Ann"}]
    queries = [
        {"idx": 0, "query": "@placeholder left", "answers": answers},
        {"idx": 1, "query": "she met @placeholder", "answers": answers[:1]},
    ]
    passage = {"text": text, "entities": spans}
    document = {"source": "CNN", "passage": passage, "qas": queries, "idx": 9}
    loaded = superglue("record", "ReCoRD/val.jsonl", tmp_path, document)
    assert [row["query"] for row in loaded] == ["@placeholder left", "she met @placeholder"]
    for number, row in enumerate(loaded):
        assert row["passage"] == text
        assert row["entities"] == ["Ann", "Zoë"]
        assert row["answers"] == ["Ann"]
        assert (row["idx_passage"], row["idx_query"]) == (9, number)


def test_test_split_of_record_has_no_answers(tmp_path: Path) -> None:
    passage = {"text": "Ann", "entities": [{"start": 0, "end": 2}]}
    document = {"passage": passage, "qas": [{"idx": 0, "query": "q"}], "idx": 0}
    (row,) = superglue("record", "ReCoRD/test.jsonl", tmp_path, document)
    assert row["entities"] == ["Ann"]
    assert "answers" not in row


def test_multirc_has_a_row_per_answer(tmp_path: Path) -> None:
    questions = [
        {"question": "a?", "idx": 4, "answers": [{"text": "no", "idx": 8, "label": 0}]},
        {
            "question": "b?",
            "idx": 5,
            "answers": [
                {"text": "x", "idx": 9, "label": 1},
                {"text": "y", "idx": 10, "label": 0},
            ],
        },
    ]
    document = {"idx": 2, "version": 1.1, "passage": {"text": "P", "questions": questions}}
    loaded = superglue("multirc", "MultiRC/train.jsonl", tmp_path, document)
    assert [(row["question"], row["answer"], row["label"]) for row in loaded] == [
        ("a?", "no", 0),
        ("b?", "x", 1),
        ("b?", "y", 0),
    ]
    assert {(row["paragraph"], row["idx_paragraph"]) for row in loaded} == {("P", 2)}
    assert [(row["idx_question"], row["idx_answer"]) for row in loaded] == [(4, 8), (5, 9), (5, 10)]


@pytest.mark.parametrize(
    ("task", "folder", "texts", "label", "number"),
    [
        ("boolq", "BoolQ", ["question", "passage"], True, 1),
        ("cb", "CB", ["premise", "hypothesis"], "contradiction", 1),
        ("copa", "COPA", ["premise", "choice1", "choice2", "question"], 1, 1),
        ("rte", "RTE", ["premise", "hypothesis"], "not_entailment", 1),
    ],
)
def test_labels_are_booleans_numbers_or_text(
    task: str, folder: str, texts: list[str], label: object, number: int, tmp_path: Path
) -> None:
    document = {name: name.upper() for name in texts} | {"idx": 0}
    (row,) = superglue(task, f"{folder}/val.jsonl", tmp_path, document | {"label": label})
    assert row == document | {"label": number}
    assert superglue(task, f"{folder}/test.jsonl", tmp_path, document) == [document]


def test_missing_label_is_an_error(tmp_path: Path) -> None:
    document = {"question": "q", "passage": "p", "idx": 0}
    with pytest.raises(ReadError, match=r"BoolQ/train\.jsonl: line 2: .* no key 'label'"):
        superglue("boolq", "BoolQ/train.jsonl", tmp_path, document | {"label": True}, document)


def test_diagnostics_have_labels(tmp_path: Path) -> None:
    """The only file of AX-b is a test split with public labels."""
    document = {"sentence1": "a", "sentence2": "b", "idx": "0", "logic": "", "label": "entailment"}
    (row,) = superglue("axb", "AX-b/AX-b.jsonl", tmp_path, document)
    assert row == {"sentence1": "a", "sentence2": "b", "label": 0}


def test_unanswerable_questions_have_empty_lists(tmp_path: Path) -> None:
    """Plausible answers are skipped, and contexts keep their spaces."""
    questions = [
        {
            "id": "a",
            "question": "?",
            "answers": [],
            "is_impossible": True,
            "plausible_answers": [{"text": "x", "answer_start": 1}],
        },
        {
            "id": "b",
            "question": "!",
            "answers": [{"text": "y", "answer_start": 3}],
            "is_impossible": False,
        },
    ]
    paragraphs = [{"context": " x y ", "qas": questions}]
    document = {"version": "v2.0", "data": [{"title": "T", "paragraphs": paragraphs}]}
    loaded = rows("squad-v2", "train", json.dumps(document).encode(), tmp_path)
    assert [row["answers"] for row in loaded] == [[], ["y"]]
    assert [row["answer_start"] for row in loaded] == [[], [3]]
    assert [row["is_impossible"] for row in loaded] == [1, 0]
    for row in loaded:
        assert row["context"] == " x y "
        for text, start in zip(row["answers"], row["answer_start"], strict=True):
            assert row["context"][start : start + len(text)] == text


def test_file_with_only_unanswerable_questions_has_typed_lists(tmp_path: Path) -> None:
    """Empty lists still have the types of text and numbers."""
    question = {"id": "a", "question": "?", "answers": [], "is_impossible": True}
    paragraphs = [{"context": "c", "qas": [question]}]
    document = {"data": [{"title": "T", "paragraphs": paragraphs}]}
    (row,) = rows("squad-v2", "validation", json.dumps(document).encode(), tmp_path)
    assert (row["answers"], row["answer_start"]) == ([], [])


def test_blank_and_document_lines_of_conll_are_not_sentences(tmp_path: Path) -> None:
    lines = [
        "-DOCSTART- -X- -X- O",
        "",
        "EU NNP B-NP B-ORG",
        "rejects VBZ B-VP O",
        "",
        "-DOCSTART- -X- -X- O",
        "",
        "Peter NNP B-NP B-PER",
        "",
        "",
    ]
    data = zipped({"valid.txt": "\n".join(lines).encode(), "metadata": b""})
    manifest = Registry(()).manifest("conll2003")
    loaded = rows("conll2003", "validation", data, tmp_path)
    assert [row["tokens"] for row in loaded] == [["EU", "rejects"], ["Peter"]]
    tags = manifest.features["ner_tags"]
    names = [[tags.of.names[number] for number in row["ner_tags"]] for row in loaded]  # type: ignore[union-attr]
    assert names == [["B-ORG", "O"], ["B-PER"]]


def test_unknown_tag_is_an_error_with_its_sentence(tmp_path: Path) -> None:
    data = zipped({"train.txt": b"a NN B-NP O\n\nb NN B-NP PER\n"})
    with pytest.raises(SchemaError, match=r"ner_tags, row 1.*'PER'"):
        rows("conll2003", "train", data, tmp_path)


def test_every_line_of_wikitext_is_a_row(tmp_path: Path) -> None:
    text = " \n = Robert Boulter = \n \n Robert @-@ Boulter \u2028 is \n"
    data = zipped({"wikitext-2/wiki.valid.tokens": text.encode()})
    loaded = rows("wikitext/wikitext-2-v1", "validation", data, tmp_path)
    assert [row["text"] for row in loaded] == text.split("\n")[:-1]
    assert len(loaded) == 4


def test_unlabeled_reviews_are_only_in_their_split(tmp_path: Path) -> None:
    members = {
        "aclImdb/README": b"",
        "aclImdb/train/labeledBow.feat": b"9 0:9",
        "aclImdb/train/urls_neg.txt": b"http://",
        "aclImdb/train/neg/0_3.txt": b" Bad.<br />",
        "aclImdb/train/pos/0_10.txt": "Gut für".encode(),
        "aclImdb/train/unsup/0_0.txt": b"?",
    }
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    assert rows("imdb", "train", sink.getvalue(), tmp_path) == [
        {"text": " Bad.<br />", "label": 0, "stars": 3},
        {"text": "Gut für", "label": 1, "stars": 10},
    ]
    assert rows("imdb", "unsupervised", sink.getvalue(), tmp_path) == [{"text": "?"}]
