"""Export corpora, and read them with `zipfile` and NLTK."""

import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import LabelFeature, ListFeature, TextFeature
from dshub.errors import DshubError
from dshub.export import export
from dshub.export import nltk as nltk_export
from tests.exporting import CLASSES, Rows, Some

FOLDERS = ("cat", "T-shirt_top", "owl")
TAGGED = Dataset.from_arrays(
    {
        "words": [["The", "1/2", "/", "New York"], [], ["pâté", ""]],
        "tags": [np.array([0, 1, 2, 0]), np.array([], np.int64), np.array([2, 1])],
    },
    features={
        "words": ListFeature(of=TextFeature()),
        "tags": ListFeature(of=LabelFeature(names=("DT", "CD", "NN|SYM"))),
    },
)


def members(path: Path) -> dict[str, str]:
    """Return the text of each file of a zip file, in its order."""
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info).decode() for info in archive.infolist()}


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return NLTK's module of data, with the output folder as its only path."""
    module = pytest.importorskip("nltk.data")
    monkeypatch.setattr(module, "path", [str(tmp_path)])
    return module


def test_each_row_is_a_file_in_the_folder_of_its_class(
    some: Some, rows: Rows, tmp_path: Path
) -> None:
    splits = {"train": some("text", "label"), "test": some("text", "label").take(2)}
    done = export(splits, "nltk", tmp_path)
    assert done["train"].files == done["test"].files == (tmp_path / "corpora" / "rows.zip",)
    assert (done["train"].rows, done["test"].rows) == (len(rows), 2)
    assert members(done["train"].files[0]) == {
        f"rows/{split}/{FOLDERS[row['label']]}/{number:08d}.txt": row["text"]
        for split, some_rows in (("train", rows), ("test", rows[:2]))
        for number, row in enumerate(some_rows)
    }


def test_nltk_reads_categories(some: Some, rows: Rows, tmp_path: Path, data: Any) -> None:
    reader = pytest.importorskip("nltk.corpus.reader")
    util = pytest.importorskip("nltk.corpus.util")
    export({"train": some("text", "label")}, "nltk", tmp_path)
    kind = reader.CategorizedPlaintextCorpusReader
    corpus = util.LazyCorpusLoader("rows", kind, r"train/.*", cat_pattern=r"train/([^/]+)/")
    assert corpus.categories() == sorted(FOLDERS)
    cats = [corpus.raw(name) for name in corpus.fileids("cat")]
    assert cats == [row["text"] for row in rows if CLASSES[row["label"]] == "cat"]
    assert list(corpus.words(categories="owl"))[:3] == ["a", '"', "quote"]


def test_nltk_reads_tagged_sentences(tmp_path: Path, data: Any) -> None:
    reader = pytest.importorskip("nltk.corpus.reader")
    export({"train": TAGGED}, "nltk", tmp_path)
    corpus = reader.TaggedCorpusReader(data.find("corpora/rows.zip/rows/"), ["train/all.txt"])
    assert list(corpus.tagged_sents()) == [
        [("The", "DT"), ("1/2", "CD"), ("/", "NN|SYM"), ("New_York", "DT")],
        [("pâté", "NN|SYM"), ("_", "CD")],
    ]


def test_several_texts_are_paragraphs(tmp_path: Path) -> None:
    dataset = Dataset.from_arrays({"title": ["A", "B"], "body": ["a\nb", ""]})
    (path,) = export({"train": dataset}, "nltk", tmp_path)["train"].files
    assert list(members(path).values()) == ["A\n\na\nb", "B\n\n"]


def test_large_datasets_have_one_file_for_each_class(
    some: Some, rows: Rows, tmp_path: Path, data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert data.MAX_UNZIP_MEMBERS == nltk_export.MOST_FILES
    monkeypatch.setattr(nltk_export, "MOST_FILES", 5)
    reader = pytest.importorskip("nltk.corpus.reader")
    tokenizer = pytest.importorskip("nltk.tokenize").LineTokenizer()
    dataset = Dataset.from_arrays(
        {"text": ["a\n\n b", "", "\nc\r\n\r\nd", "e", "f", "g"], "label": np.arange(6) % 2},
        features={"label": LabelFeature(names=("x", "y"))},
    )
    (path,) = export({"train": dataset}, "nltk", tmp_path)["train"].files
    assert list(members(path)) == ["rows/train/x/all.txt", "rows/train/y/all.txt"]
    root = data.find("corpora/rows.zip/rows/")
    corpus = reader.PlaintextCorpusReader(root, ["train/x/all.txt"], sent_tokenizer=tokenizer)
    assert list(corpus.paras()) == [[["a"], ["b"]], [["c"], ["d"]], [["f"]]]
    assert not list(tmp_path.glob("partial*"))


def test_several_datasets_share_a_folder(some: Some, tmp_path: Path) -> None:
    """A second call keeps a complete corpus, and other rows of the same name are refused."""
    first = export({"train": some("text")}, "nltk", tmp_path)["train"]
    again = export({"train": some("text")}, "nltk", tmp_path)["train"]
    assert (first.kept, again.kept) == (0, 1)
    with pytest.raises(DshubError, match="contains another export named rows/train"):
        export({"train": some("text").take(3)}, "nltk", tmp_path)
    with pytest.raises(DshubError, match="already exists and holds other splits") as caught:
        export({"test": some("text")}, "nltk", tmp_path)
    assert "--force" in caught.value.hint
    export({"test": some("text").take(1)}, "nltk", tmp_path, force=True)
    assert list(members(first.files[0])) == ["rows/test/00000000.txt"]
    (tmp_path / "corpora" / "rows.zip").unlink()
    assert export({"train": some("text")}, "nltk", tmp_path)["train"].kept == 0


def test_same_rows_give_the_same_bytes(some: Some, tmp_path: Path) -> None:
    files = [
        export({"train": some("text", "label")}, "nltk", tmp_path / name)["train"].files[0]
        for name in "ab"
    ]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_only_the_owner_can_write(some: Some, tmp_path: Path) -> None:
    """NLTK refuses files and folders that other accounts can change, as with the umask 002."""
    before = os.umask(0o002)
    try:
        (path,) = export({"train": some("text")}, "nltk", tmp_path / "new")["train"].files
    finally:
        os.umask(before)
    for item in (path, path.parent, path.parent.parent):
        assert not stat.S_IMODE(item.stat().st_mode) & 0o022
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "file").touch()
    folder.chmod(0o775)
    with pytest.raises(DshubError, match="is writable by other accounts") as caught:
        export({"train": some("text")}, "nltk", folder)
    assert caught.value.hint.startswith(f"run `chmod go-w {folder}`")


@pytest.mark.parametrize(
    ("columns", "message", "hint"),
    [
        (("text", "count"), "column count holds numbers", "--columns text"),
        (("text", "label", "words"), "column words holds lists", "--columns text,label"),
        (("words", "tags", "text"), "column text holds text", "--columns words,tags"),
        (("count",), "column count holds numbers", "another format"),
        (("label",), "a corpus holds texts", "another format"),
    ],
    ids=["number", "list", "text-beside-tags", "no-text", "only-a-label"],
)
def test_columns_that_do_not_fit_are_named(
    some: Some, tmp_path: Path, columns: tuple[str, ...], message: str, hint: str
) -> None:
    with pytest.raises(DshubError, match=message) as caught:
        export({"train": some(*columns)}, "nltk", tmp_path / "out")
    assert hint in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_sentence_with_too_few_tags_is_an_error(tmp_path: Path) -> None:
    words, tags = ListFeature(of=TextFeature()), ListFeature(of=LabelFeature(names=("A",)))
    dataset = Dataset.from_arrays(
        {"words": [["a"], ["b", "c"]], "tags": [np.array([0]), np.array([0])]},
        features={"words": words, "tags": tags},
    )
    with pytest.raises(DshubError, match="split train, row 1: it has 2 words and 1 tags"):
        export({"train": dataset}, "nltk", tmp_path)
    assert not list(tmp_path.glob("corpora/*"))
