"""Train an LSTM language model on WikiText-2 with PyTorch.

    python examples/torch_language_model.py

`pack` turns the lines of the corpus into windows of 64 words, each with the words that follow. Two
epochs take about four minutes on two CPU cores. Prints the perplexity on the test split.
"""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from dshub import Dataset, load

WINDOW = 64  # words
EPOCHS = 2


def words(line: str) -> list[str]:
    """Split a line, which upstream has tokenized, and mark its end."""
    return [*line.split(), "<eos>"]


def windows(dataset: Dataset, vocabulary: dict[str, int]) -> Dataset:
    """Cut the numbers of all words into windows, each with the window one word later."""
    unknown = vocabulary["<unk>"]

    def encode(batch: dict[str, Any]) -> dict[str, Any]:
        return {
            "words": [
                [vocabulary.get(word, unknown) for word in words(line)] for line in batch["text"]
            ]
        }

    return dataset.map(encode, batched=True).pack("words", WINDOW)


class LanguageModel(nn.Module):
    """An LSTM whose softmax spends little time on rare words."""

    def __init__(self, vocabulary: int, width: int = 128) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, width, num_layers=2, dropout=0.2, batch_first=True)
        cutoffs = [vocabulary // 16, vocabulary // 4]  # words are numbered by frequency
        self.softmax = nn.AdaptiveLogSoftmaxWithLoss(width, vocabulary, cutoffs)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the mean negative log likelihood of the next words `y` (size, window)."""
        states, _ = self.lstm(self.embedding(x))
        loss: torch.Tensor = self.softmax(states.flatten(0, 1), y.flatten()).loss
        return loss


def perplexity(model: LanguageModel, batches: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """Return the exponential of the mean loss per word."""
    model.eval()
    with torch.no_grad():
        losses = [(len(x), model(x, y).item()) for x, y in batches]
    return math.exp(sum(size * loss for size, loss in losses) / sum(size for size, _ in losses))


def main() -> None:
    """Train the model and print its test perplexity."""
    torch.manual_seed(0)
    splits = load("wikitext/wikitext-2-v1")
    print(splits["train"])
    frequency = Counter(word for line in splits["train"]["text"] for word in words(line))
    vocabulary = {word: number for number, (word, _) in enumerate(frequency.most_common())}
    vocabulary.setdefault("<unk>", len(vocabulary))
    data = {name: windows(split, vocabulary) for name, split in splits.items()}
    train = data["train"].batches(32, shuffle=True, supervised=True).torch()
    validation = data["validation"].batches(128, supervised=True).torch()
    test = data["test"].batches(128, supervised=True).torch()

    model = LanguageModel(len(vocabulary))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(EPOCHS):
        model.train()
        for x, y in train:
            optimizer.zero_grad()
            model(x, y).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        print(f"epoch {epoch + 1}: validation perplexity {perplexity(model, validation):.1f}")
    print(f"result: test perplexity {perplexity(model, test):.1f}")


if __name__ == "__main__":
    main()
