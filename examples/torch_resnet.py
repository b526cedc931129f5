"""Train a ResNet-18 on Imagenette with PyTorch.

    python examples/torch_resnet.py

The loader decodes JPEG files of several sizes while the model trains. Three epochs of 64x64 crops
take about four minutes on two CPU cores; on a GPU, try `--size 128 --epochs 20`. Prints the
accuracy on the validation split.
"""

import argparse

import torch
from torch import nn

from dshub import load
from dshub.loading.transforms import (
    CenterCrop,
    Normalize,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
)

NORMALIZE = Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def convolution(inputs: int, outputs: int, size: int, stride: int) -> nn.Sequential:
    """Convolve and normalize."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Block(nn.Module):
    """Add two convolutions to their input (He et al., 2015)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        first, second = convolution(inputs, outputs, 3, stride), convolution(outputs, outputs, 3, 1)
        self.residual = nn.Sequential(first, nn.ReLU(), second)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else convolution(inputs, outputs, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features (size, outputs, height / stride, width / stride)."""
        return nn.functional.relu(self.residual(x) + self.shortcut(x))


def resnet18(classes: int) -> nn.Sequential:
    """Build a ResNet-18 from a stem, four stages of two blocks, and a linear layer."""
    stem = [convolution(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)]
    stages = [
        block
        for inputs, outputs, stride in [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]
        for block in (Block(inputs, outputs, stride), Block(outputs, outputs, 1))
    ]
    return nn.Sequential(
        *stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes)
    )


def main() -> None:
    """Train the network and print its validation accuracy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--size", type=int, default=64)
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    train, validation = load("imagenette/160px", split=["train", "validation"])
    print(train)
    augment = [RandomResizedCrop(args.size, scale=(0.35, 1)), RandomHorizontalFlip(), NORMALIZE]
    central = [Resize(args.size * 8 // 7), CenterCrop(args.size), NORMALIZE]
    batches = train.batches(
        64, shuffle=True, transform=augment, layout="chw", supervised=True
    ).torch(device)
    held_out = validation.batches(256, transform=central, layout="chw", supervised=True).torch(
        device
    )

    model = resnet18(len(train.features["label"].names))
    model = model.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, args.epochs * len(batches))
    for epoch in range(args.epochs):
        model.train()
        for x, y in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y, label_smoothing=0.1).backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            right = sum(int((model(x).argmax(1) == y).sum()) for x, y in held_out)
        accuracy = 100 * right / len(validation)
        print(f"epoch {epoch + 1}: validation accuracy {accuracy:.1f} %")
    print(f"result: validation accuracy {accuracy:.1f} %")


if __name__ == "__main__":
    main()
