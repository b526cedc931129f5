import io
from typing import Any

import numpy as np
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import ImageFeature, LabelFeature
from dshub.loading.transforms.colors import Normalize, ToFloat
from dshub.loading.transforms.erasing import Cutout, RandomErasing
from dshub.loading.transforms.geometry import (
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
)

ROWS, HEIGHT, WIDTH = 60, 9, 11


PIXELS = np.random.default_rng(0).integers(0, 256, (ROWS, HEIGHT, WIDTH, 3), dtype=np.uint8)


NORMALIZE = Normalize(mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))


AUGMENTED: list[Any] = [
    [RandomCrop(padding=2)],
    [RandomCrop(5)],
    [RandomCrop((4, 6), padding=1)],
    [RandomHorizontalFlip()],
    [RandomHorizontalFlip(1.0), NORMALIZE],
    [RandomCrop(padding=3), RandomHorizontalFlip(), NORMALIZE],
    [RandomCrop(7), RandomHorizontalFlip(), ToFloat()],
    [Cutout(4)],
    [RandomErasing(0.7)],
    [RandomResizedCrop(6)],
    [Resize(8), NORMALIZE],
    [RandomCrop(padding=2), NORMALIZE, Cutout(3)],
]


def by_row(
    dataset: Dataset, transform: Any, size: int = 8, **options: Any
) -> dict[tuple[int, int], np.ndarray]:
    """Return the transformed image for each epoch and row, over two epochs."""
    loader = dataset.batches(size, transform=transform, **options)
    return {
        (epoch, int(row)): image
        for epoch in range(2)
        for batch in loader
        for row, image in zip(batch["id"], batch["image"], strict=True)
    }


def varied_images() -> Dataset:
    """Return PNG images of different sizes with labels."""
    files = []
    for i in range(12):
        sink = io.BytesIO()
        Image.fromarray(PIXELS[i][: 5 + i % 4, : 6 + i % 5]).save(sink, "PNG")
        files.append(sink.getvalue())
    return Dataset.from_arrays(
        {"image": files, "label": np.arange(12) % 4},
        features={
            "image": ImageFeature(encoding="png"),
            "label": LabelFeature(names=("a", "b", "c", "d")),
        },
    )
