"""Read datasets with the corpus readers of NLTK."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset, load
from dshub.catalog.features import LabelFeature, ListFeature, TextFeature
from dshub.errors import DshubError

nltk = pytest.importorskip("nltk")

TEXTS = ["Good film. Great cast!", "bad\r\nfilm", "", "pâté 読む 🦉", "good again"]
NAMES = ("bad/awful", "good")
LABELS = [1, 0, 1, 0, 1]


@pytest.fixture(autouse=True)
def only_our_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse downloads, and hide any data of NLTK on this machine."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a download")

    monkeypatch.setattr(nltk.data, "path", [])
    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr(nltk, "download", refuse)


def reviews() -> Dataset:
    label = LabelFeature(names=NAMES)
    return Dataset.from_arrays(
        {"text": TEXTS, "label": np.array(LABELS)}, features={"label": label}
    )


def test_texts_with_labels_are_a_categorized_corpus() -> None:
    corpus = reviews().to("nltk")
    assert isinstance(corpus, nltk.corpus.reader.CategorizedPlaintextCorpusReader)
    assert [corpus.raw(name) for name in corpus.fileids()] == TEXTS
    assert corpus.categories() == sorted(NAMES)
    labels = [corpus.categories(name) for name in corpus.fileids()]
    assert labels == [[NAMES[label]] for label in LABELS]
    assert corpus.raw(categories="bad/awful") == TEXTS[1] + TEXTS[3]
    assert list(corpus.words(corpus.fileids()[1])) == ["bad", "film"]


def test_sentences_need_no_model() -> None:
    corpus = reviews().to("nltk")
    first = corpus.fileids()[0]
    expected = [["Good", "film", "."], ["Great", "cast", "!"]]
    assert list(corpus.sents(first)) == expected
    assert list(corpus.paras(first)) == [expected]
    lines = reviews().to("nltk", sent_tokenizer=nltk.tokenize.LineTokenizer())
    assert len(list(lines.sents(first))) == 1


def test_texts_without_labels_are_a_plain_corpus() -> None:
    corpus = Dataset.from_arrays({"text": TEXTS}).to("nltk")
    assert type(corpus) is nltk.corpus.reader.PlaintextCorpusReader
    assert corpus.fileids() == [f"{number:08d}.txt" for number in range(len(TEXTS))]
    assert "".join(TEXTS) == corpus.raw()


def test_words_with_tags_are_a_tagged_corpus() -> None:
    words, tags = [["The", "cat"], ["No"]], [[0, 1], [0]]
    dataset = Dataset.from_arrays(
        {"tokens": words, "pos_tags": [np.array(row) for row in tags]},
        features={
            "tokens": ListFeature(of=TextFeature()),
            "pos_tags": ListFeature(of=LabelFeature(names=("DT", "NN"))),
        },
    )
    corpus = dataset.to("nltk")
    expected = [[("The", "DT"), ("cat", "NN")], [("No", "DT")]]
    assert list(corpus.tagged_sents()) == expected
    tagger = nltk.UnigramTagger(corpus.tagged_sents())
    assert tagger.tag(["cat", "The"]) == [("cat", "NN"), ("The", "DT")]


def test_a_classifier_trains_on_the_corpus() -> None:
    """The movie-review example of the NLTK book, on synthetic reviews."""
    dataset = load("imdb", split="train", synthetic=40).columns(["text", "label"])
    corpus = dataset.to("nltk")
    documents = [
        (dict.fromkeys(corpus.words(name), True), category)
        for category in corpus.categories()
        for name in corpus.fileids(category)
    ]
    assert len(documents) == len(dataset)
    classifier = nltk.NaiveBayesClassifier.train(documents)
    assert set(classifier.labels()) == {"neg", "pos"}


def test_folder_keeps_the_corpus_for_nltk_itself(tmp_path: Path) -> None:
    corpus = reviews().to("nltk", folder=tmp_path / "data")
    assert nltk.data.path == [str(tmp_path / "data")]
    again = reviews().to("nltk", folder=tmp_path / "data")
    assert again.fileids() == corpus.fileids()
    assert nltk.data.path == [str(tmp_path / "data")]
    found = nltk.data.find("corpora/rows.zip/rows/rows/good/00000000.txt")
    assert found.open(encoding="utf-8").read() == TEXTS[0]


def test_temporary_files_last_until_the_process_ends(tmp_path: Path) -> None:
    program = (
        "from dshub import Dataset\n"
        "words = Dataset.from_arrays({'text': ['a b', 'c']}).to('nltk').words()\n"
        "import gc; gc.collect()\n"
        "print(list(words))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={"TMPDIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout == "['a', 'b', 'c']\n"
    assert not list(tmp_path.iterdir())


def test_columns_that_do_not_fit_are_named() -> None:
    with pytest.raises(DshubError, match="column size holds numbers; a corpus holds texts"):
        Dataset.from_arrays({"text": ["a"], "size": [1]}).to("nltk")
