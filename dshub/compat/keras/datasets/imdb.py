"""Movie reviews of IMDB as sequences of word numbers.

Words are numbered by their frequency in the reviews of both splits, as in Keras, but dshub counts
them in the published reviews. So numbers and the order of rows differ from the file of Keras.
Models that were trained with one of them cannot be used with the other.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dshub.compat.keras.arrays import Arrays
from dshub.errors import ArgumentError
from dshub.hub.functions import load

_SEPARATORS = r'[!"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~\t\n ]+'


class Words(NamedTuple):
    """The words of all reviews, one after another.

    Attributes:
        words: words in lower case, without punctuation.
        lengths: number of words in each review.
    """

    words: pa.Array
    lengths: np.ndarray


def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> tuple[Arrays, Arrays]:
    """Return `(x_train, y_train), (x_test, y_test)`: lists of int, and int64 (rows,).

    Args:
        path: ignored, because the reviews come from dshub's cache.
        num_words: words with this number or a higher one become `oov_char`.
        skip_top: words with a lower number become `oov_char`.
        maxlen: reviews of this length or longer are left out.
        seed: seed of the order of rows.
        start_char: first number of each review; None for none.
        oov_char: number of words that are left out; None removes them.
        index_from: number to add to each word number of `get_word_index`.

    Raises:
        ArgumentError: all reviews have `maxlen` words or more.
        DshubError: one of the errors of `dshub.load`.
    """
    splits = [load("imdb", split) for split in ("train", "test")]
    words = [split_words(rows["text"]) for rows in splits]
    index = pa.array(rank([part.words for part in words]))
    random = np.random.RandomState(seed)  # the generator of Keras
    parts = []
    for rows, part in zip(splits, words, strict=True):
        numbers = np.asarray(pc.index_in(part.words, index)) + 1
        reviews = np.split(numbers, np.cumsum(part.lengths)[:-1])
        order = np.arange(len(rows))
        random.shuffle(order)
        labels = np.asarray(rows["label"])[order]
        shifted = _shift([reviews[row] for row in order], start_char, index_from)
        parts.append(_short(shifted, labels, maxlen))
    limit = num_words or max(int(review.max(initial=0)) for part in parts for review in part[0])
    train, test = (
        (_objects([_limit(review, skip_top, limit, oov_char) for review in reviews]), labels)
        for reviews, labels in parts
    )
    return train, test


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """Return the number of each word, from 1 for the most frequent one.

    Args:
        path: ignored, because the reviews come from dshub's cache.
    """
    words = [split_words(load("imdb", split)["text"]).words for split in ("train", "test")]
    return {word: number for number, word in enumerate(rank(words), 1)}


def split_words(texts: Sequence[str]) -> Words:
    """Divide texts into words, as the tokenizer of Keras does."""
    lists = pc.split_pattern_regex(pc.utf8_lower(pa.array(texts, pa.string())), _SEPARATORS)
    words, rows = lists.flatten(), pc.list_parent_indices(lists)
    kept = pc.not_equal(words, "")  # at the ends of a text
    lengths = np.bincount(np.asarray(rows.filter(kept)), minlength=len(texts))
    return Words(words.filter(kept), lengths)


def rank(parts: Sequence[pa.Array]) -> list[str]:
    """Return the distinct words, from the most frequent one; equally frequent ones are sorted."""
    counted = pa.Table.from_struct_array(pc.value_counts(pa.chunked_array(parts)))
    ranked = counted.sort_by([("counts", "descending"), ("values", "ascending")])
    words: list[str] = ranked["values"].to_pylist()
    return words


def _shift(reviews: Sequence[np.ndarray], start: int | None, index_from: int) -> list[np.ndarray]:
    first = [] if start is None else [np.array([start])]
    return [np.concatenate([*first, review + index_from]) for review in reviews]


def _short(
    reviews: list[np.ndarray], labels: np.ndarray, maxlen: int | None
) -> tuple[list[np.ndarray], np.ndarray]:
    """Leave out long reviews."""
    if not maxlen:
        return reviews, labels
    kept = [row for row, review in enumerate(reviews) if len(review) < maxlen]
    if not kept:
        expected = "a length that some reviews are below"
        raise ArgumentError(name="maxlen", value=maxlen, expected=expected)
    return [reviews[row] for row in kept], labels[kept]


def _limit(review: np.ndarray, skip_top: int, num_words: int, oov: int | None) -> list[int]:
    kept = (review >= skip_top) & (review < num_words)
    limited = review[kept] if oov is None else np.where(kept, review, oov)
    numbers: list[int] = limited.tolist()
    return numbers


def _objects(reviews: Sequence[list[int]]) -> Any:
    """Return an array of lists, even if all have the same length."""
    array = np.empty(len(reviews), object)
    array[:] = reviews
    return array
