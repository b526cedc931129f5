"""Train a GRU or a Transformer on SST-2 (GLUE) with PyTorch.

    python examples/torch_text.py gru
    python examples/torch_text.py transformer

`bucket` and `pad` put sentences of similar length into padded batches. Two epochs take a
minute or two on two CPU cores. Prints the accuracy on the validation split.
"""

import argparse
from collections import Counter
from typing import Any

import torch
from torch import nn

from dshub import Dataset, load
from dshub.adapters.torch import TorchBatches

EPOCHS, WIDTH = 2, 128
PAD, UNKNOWN = 0, 1  # token ids


class Gru(nn.Module):
    """Classify a sentence by the maximum over the states of a bidirectional GRU."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, WIDTH, padding_idx=PAD)
        self.gru = nn.GRU(WIDTH, WIDTH // 2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return scores (size, 2) of padded sentences (size, length)."""
        states, _ = self.gru(self.embedding(tokens))
        padding = (tokens == PAD).unsqueeze(2)
        scores: torch.Tensor = self.head(states.masked_fill(padding, -1).amax(1))
        return scores


class Transformer(nn.Module):
    """Classify a sentence by the mean state of two encoder layers."""

    def __init__(self, vocabulary: int, longest: int = 128) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, WIDTH, padding_idx=PAD)
        self.position = nn.Parameter(0.02 * torch.randn(longest, WIDTH))
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 2 * WIDTH, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return scores (size, 2) of padded sentences (size, length)."""
        embedded = self.embedding(tokens) + self.position[: tokens.shape[1]]
        states = self.encoder(embedded, src_key_padding_mask=tokens == PAD)
        words = (tokens != PAD).unsqueeze(2)
        scores: torch.Tensor = self.head((states * words).sum(1) / words.sum(1))
        return scores


def main() -> None:
    """Train the model and print its accuracy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="gru", choices=["gru", "transformer"])
    name = parser.parse_args().model
    torch.manual_seed(0)
    train, validation = load("glue/sst2", split=["train", "validation"])
    print(train)
    counts = Counter(word for text in train["sentence"] for word in text.split())
    vocabulary = {word: i for i, (word, _) in enumerate(counts.most_common(20_000), start=2)}

    def tokenize(batch: dict[str, Any]) -> dict[str, Any]:
        texts = [text.split() for text in batch["sentence"]]
        return {"tokens": [[vocabulary.get(word, UNKNOWN) for word in text] for text in texts]}

    def batches(dataset: Dataset, *, shuffle: bool) -> TorchBatches[Any]:
        tokens = dataset.map(tokenize, batched=True, columns=["sentence"])
        pair = ("tokens", "label")
        return tokens.batches(
            64, shuffle=shuffle, bucket="tokens", pad={"tokens": PAD}, supervised=pair
        ).torch()

    model = {"gru": Gru, "transformer": Transformer}[name](len(vocabulary) + 2)
    optimizer = torch.optim.AdamW(model.parameters())
    train_batches = batches(train, shuffle=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, EPOCHS * len(train_batches))
    for epoch in range(EPOCHS):
        model.train()
        for x, y in train_batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            held_out = batches(validation, shuffle=False)
            right = sum(int((model(x).argmax(1) == y).sum()) for x, y in held_out)
        accuracy = 100 * right / len(validation)
        print(f"epoch {epoch + 1}: validation accuracy {accuracy:.1f} %")
    print(f"result: validation accuracy {accuracy:.1f} %")


if __name__ == "__main__":
    main()
