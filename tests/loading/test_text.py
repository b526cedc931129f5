from typing import Any

import numpy as np

from dshub import Dataset
from dshub.loading.loader import Loader
from dshub.loading.transforms.transform import Batch

WORDS = ["the", "cat", "sat", "on", "mat"]
TEXTS = [" ".join(WORDS[j % 5] for j in range(i, i + 1 + i * 7 % 11)) for i in range(64)]
DATASET = Dataset.from_arrays(
    {"text": TEXTS, "label": np.arange(64) % 2}, supervised=("text", "label")
)


def tokenize(batch: Batch) -> Batch:
    """Tokenize texts, pad them with 0 to the longest text of the batch, and add a mask."""
    rows = [[WORDS.index(word) + 1 for word in text.split()] for text in batch.pop("text")]
    tokens = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for row, numbers in zip(tokens, rows, strict=True):
        row[: len(numbers)] = numbers
    return batch | {"text": tokens, "mask": tokens > 0}


def texts_of(batch: Any) -> list[str]:
    """Decode the tokens of a batch."""
    return [" ".join(WORDS[i - 1] for i in row if i) for row in batch["text"].tolist()]


def test_tokenizer_makes_padded_arrays() -> None:
    loader, plain = (DATASET.batches(8, shuffle=True, transform=t) for t in (tokenize, None))
    for batch, expected in zip(loader, plain, strict=True):
        assert texts_of(batch) == expected["text"]
        longest = max(len(text.split()) for text in expected["text"])
        assert batch["text"].shape == batch["mask"].shape == (8, longest)


def test_buckets_need_less_padding() -> None:
    def padding(**options: Any) -> int:
        batches = list(DATASET.batches(8, shuffle=True, transform=tokenize, **options))
        assert sorted(text for batch in batches for text in texts_of(batch)) == sorted(TEXTS)
        return sum(int((~batch["mask"]).sum()) for batch in batches)

    assert padding(bucket="text") < padding() / 2


def test_tokens_and_labels_are_supervised_pairs() -> None:
    x, y = next(iter(DATASET.batches(8, supervised=True, transform=tokenize)))
    assert x.dtype == np.int64
    assert y.tolist() == [0, 1] * 4


class Counting:
    """A dataset that counts the text lengths read from it."""

    def __init__(self, rows: Dataset) -> None:
        self.rows, self.length_count = rows, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rows, name)

    def __len__(self) -> int:
        return len(self.rows)

    def lengths(self, name: str, rows: np.ndarray) -> np.ndarray:
        self.length_count += len(rows)
        return self.rows.lengths(name, rows)


def test_lengths_are_read_once_an_epoch() -> None:
    options = DATASET.batches(2, shuffle=True, bucket="text").options
    rows: Any = Counting(DATASET)
    loader = Loader(rows, options)
    texts = [text for batch in loader for text in batch["text"]]
    assert sorted(texts) == sorted(TEXTS)
    assert rows.length_count == len(TEXTS)
