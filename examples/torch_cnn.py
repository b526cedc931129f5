"""A small CNN in PyTorch: `python examples/torch_cnn.py`.

Without the data at hand: `DSHUB_SYNTHETIC=2000 python examples/torch_cnn.py`.
"""

import torch
from torch import nn

from dshub import load


def main() -> None:
    """Train for two epochs and print the accuracy on the test rows."""
    torch.manual_seed(0)
    train, test = load("fashion-mnist", split="train"), load("fashion-mnist", split="test")
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 10),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    batches = train.batches(128, shuffle=True, seed=0, layout="chw", supervised=True).torch()
    held_out = test.batches(1000, layout="chw", supervised=True).torch()
    for epoch in range(2):
        for x, y in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x / 255), y).backward()
            optimizer.step()
        with torch.no_grad():
            right = sum(int((model(x / 255).argmax(1) == y).sum()) for x, y in held_out)
        print(f"epoch {epoch + 1}: test accuracy {100 * right / len(test):.1f} %")


if __name__ == "__main__":
    main()
