"""Train a CNN on Fashion-MNIST with Lightning.

    python examples/lightning_fit.py

`Trainer` takes batches as they are, and its checkpoints include their position. Three epochs take
half a minute on two CPU cores. Prints the accuracy on the test split.
"""

import lightning
import torch
from torch import nn

from dshub import load
from dshub.loading.transforms import Normalize, RandomHorizontalFlip

NORMALIZE = Normalize(mean=(0.286,), std=(0.353,))
Batch = tuple[torch.Tensor, torch.Tensor]


class Classifier(lightning.LightningModule):
    """Two convolutions and a linear layer for 28x28 grayscale images."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, 10),
        )

    def training_step(self, batch: Batch) -> torch.Tensor:
        """Return the loss of a batch."""
        x, y = batch
        return nn.functional.cross_entropy(self.network(x), y)

    def test_step(self, batch: Batch) -> None:
        """Log the accuracy of a batch; Lightning averages it over all rows."""
        x, y = batch
        accuracy = (self.network(x).argmax(1) == y).float().mean()
        self.log("accuracy", accuracy)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def main() -> None:
    """Train the network and print its test accuracy."""
    lightning.seed_everything(0)
    train, test = load("fashion-mnist", split=["train", "test"])
    print(train)
    batches = train.batches(
        128,
        shuffle=True,
        transform=[RandomHorizontalFlip(), NORMALIZE],
        layout="chw",
        supervised=True,
    )
    test_batches = test.batches(1000, transform=NORMALIZE, layout="chw", supervised=True)
    trainer = lightning.Trainer(max_epochs=3, logger=False, enable_checkpointing=False)
    model = Classifier()
    trainer.fit(model, batches.torch())
    (scores,) = trainer.test(model, test_batches.torch(), verbose=False)
    print(f"result: test accuracy {100 * scores['accuracy']:.1f} %")


if __name__ == "__main__":
    main()
