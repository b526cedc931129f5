"""Generate images of clothes with a DCGAN, trained on Fashion-MNIST with PyTorch.

    python examples/torch_dcgan.py

Five epochs take two to four minutes on two CPU cores. Saves a grid of 64 generated images as
`torch_dcgan.png`, and prints how far the mean of generated images is from the mean of real ones.
"""

import os
from pathlib import Path

import torch
from PIL import Image
from torch import nn

from dshub import load
from dshub.loading.transforms import Normalize

NOISE = 64  # random numbers per generated image
EPOCHS = 5


def generator() -> nn.Sequential:
    """Build a network that turns noise (size, NOISE) into images (size, 1, 28, 28) from -1 to 1."""
    return nn.Sequential(
        nn.Linear(NOISE, 64 * 7 * 7, bias=False),
        nn.Unflatten(1, (64, 7, 7)),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1),
        nn.Tanh(),
    )


def discriminator() -> nn.Sequential:
    """Build a network that scores images: positive for real ones, negative for generated ones."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 1),
    )


def save_grid(images: torch.Tensor, path: Path) -> None:
    """Save 64 images from -1 to 1 as a grid, enlarged twice."""
    pixels = ((images + 1) * 127.5).round().to(torch.uint8)
    grid = pixels.reshape(8, 8, 28, 28).permute(0, 2, 1, 3).reshape(8 * 28, 8 * 28)
    Image.fromarray(grid.numpy()).resize((448, 448), Image.Resampling.NEAREST).save(path)


def mean_distance(draw: nn.Module, mean: torch.Tensor) -> float:
    """Return the mean difference of 1000 generated images' mean to a mean image (28, 28)."""
    with torch.no_grad():
        own = (draw(torch.randn(1000, NOISE)).mean(dim=(0, 1)) + 1) * 127.5
    return float((own - mean).abs().mean())


def main() -> None:
    """Train both networks, and save images of the generator."""
    torch.manual_seed(0)
    train = load("fashion-mnist", split="train")
    print(train)
    to_unit = Normalize(mean=(0.5,), std=(0.5,))  # pixels from -1 to 1
    batches = train.batches(
        64, shuffle=True, seed=0, drop_last=True, transform=to_unit, layout="chw"
    ).torch()
    real_mean = torch.from_numpy(train["image"].mean(axis=0))[:, :, 0]
    draw, judge = generator(), discriminator()
    untrained = mean_distance(draw, real_mean)
    draw_optimizer = torch.optim.Adam(draw.parameters(), lr=2e-4, betas=(0.5, 0.999))
    judge_optimizer = torch.optim.Adam(judge.parameters(), lr=2e-4, betas=(0.5, 0.999))
    error = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(64, 1), torch.zeros(64, 1)
    for epoch in range(EPOCHS):
        for batch in batches:
            real, fake = batch["image"], draw(torch.randn(64, NOISE))
            judge_loss = error(judge(real), ones) + error(judge(fake.detach()), zeros)
            judge_optimizer.zero_grad()
            judge_loss.backward()
            judge_optimizer.step()
            draw_loss = error(judge(fake), ones)  # small if generated images pass as real ones
            draw_optimizer.zero_grad()
            draw_loss.backward()
            draw_optimizer.step()
        print(f"epoch {epoch + 1}: losses {judge_loss.item():.2f} and {draw_loss.item():.2f}")
    draw.eval()
    with torch.no_grad():
        images = draw(torch.randn(64, NOISE))
    save_grid(images, Path(os.environ.get("DSHUB_EXAMPLES_OUTPUT", ".")) / "torch_dcgan.png")
    trained = mean_distance(draw, real_mean)
    print(f"result: mean image off by {trained:.1f} of 255 (untrained: {untrained:.1f})")


if __name__ == "__main__":
    main()
