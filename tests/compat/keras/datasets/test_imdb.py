import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dshub
from dshub.compat.keras.datasets import imdb

OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_words": 20, "skip_top": 5, "seed": 7},
    {"maxlen": 10, "start_char": None, "oov_char": None, "num_words": 30},
    {"start_char": None, "index_from": 0},
    {"start_char": 9, "oov_char": 8, "index_from": 10},
]


def ranks(texts: list[str]) -> dict[str, int]:
    """Number words by frequency, then in alphabetical order."""
    counts = Counter(word for text in texts for word in words(text))
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return {word: number for number, word in enumerate(ranked, 1)}


def words(text: str) -> list[str]:
    return [word for word in re.split(r"[^a-z']+", text.lower()) if word]


@pytest.mark.parametrize("options", OPTIONS, ids=["default", "top", "short", "plain", "numbers"])
def test_sequences_equal_those_of_keras(
    options: dict[str, Any], synthetic: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras reads the same word numbers from a file of its own format."""
    pytest.importorskip("keras")
    from keras.src.datasets import imdb as theirs

    splits = [dshub.load("imdb", split) for split in ("train", "test")]
    number = ranks([text for rows in splits for text in rows["text"]])
    arrays: dict[str, Any] = {}
    for split, rows in zip(("train", "test"), splits, strict=True):
        reviews = np.empty(len(rows), object)
        reviews[:] = [[number[word] for word in words(text)] for text in rows["text"]]
        arrays |= {f"x_{split}": reviews, f"y_{split}": np.asarray(rows["label"])}
    np.savez(tmp_path / "imdb.npz", **arrays)
    monkeypatch.setattr(theirs, "get_file", lambda **_: str(tmp_path / "imdb.npz"))
    expected = theirs.load_data(**options)
    for (x, y), (expected_x, expected_y) in zip(imdb.load_data(**options), expected, strict=True):
        assert x.tolist() == expected_x.tolist()
        assert y.tolist() == expected_y.tolist()
        assert (x.dtype, y.dtype) == (expected_x.dtype, expected_y.dtype)


def test_word_index_follows_frequency(synthetic: int) -> None:
    texts = [text for split in ("train", "test") for text in dshub.load("imdb", split)["text"]]
    assert imdb.get_word_index() == ranks(texts)


def test_punctuation_separates_words() -> None:
    split = imdb.split_words(["It's <br />GOOD-ish!", "", "...", "(one) two"])
    assert split.words.to_pylist() == ["it's", "br", "good", "ish", "one", "two"]
    assert split.lengths.tolist() == [4, 0, 0, 2]


def test_no_short_review_is_an_error(synthetic: int) -> None:
    with pytest.raises(ValueError, match="maxlen is 1"):
        imdb.load_data(maxlen=1)
