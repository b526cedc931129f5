"""Train a small CNN on Fashion-MNIST with PyTorch, with augmentation.

    python examples/torch_cnn.py

Three epochs take about a minute on two CPU cores. Prints the test accuracy after each epoch; the
last one is about 90 %.
"""

import torch
from torch import nn

from dshub import load
from dshub.loading.transforms import Normalize, RandomHorizontalFlip

NORMALIZE = Normalize(mean=(0.286,), std=(0.353,))
EPOCHS = 3


def network() -> nn.Sequential:
    """Build a network of two convolutions and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 10),
    )


def main() -> None:
    """Train the network and print the test accuracy."""
    torch.manual_seed(0)
    train, test = load("fashion-mnist", split=["train", "test"])
    print(train)
    model = network().to(memory_format=torch.channels_last)
    batches = train.batches(
        128,
        shuffle=True,
        seed=0,
        transform=[RandomHorizontalFlip(), NORMALIZE],
        layout="chw",
        supervised=True,
    ).torch()
    test_batches = test.batches(1000, transform=NORMALIZE, layout="chw", supervised=True).torch()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    steps = EPOCHS * len(batches)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    accuracy = 0.0
    for epoch in range(EPOCHS):
        for x, y in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            right = sum(int((model(x).argmax(1) == y).sum()) for x, y in test_batches)
        accuracy = 100 * right / len(test)
        print(f"epoch {epoch + 1}: test accuracy {accuracy:.1f} %")
    print(f"result: test accuracy {accuracy:.1f} %")


if __name__ == "__main__":
    main()
