import numpy as np

from dshub import Dataset
from dshub.catalog.features import ImageFeature

ROWS = 101


def example(rows: int = ROWS) -> Dataset:
    """Return row numbers, texts, and images large enough for pooled memory."""
    images = np.arange(rows, dtype=np.uint8).repeat(64 * 64 * 3).reshape(rows, 64, 64, 3)
    return Dataset.from_arrays(
        {
            "image": images,
            "id": np.arange(rows),
            "text": ["x" * (i * 37 % 50) for i in range(rows)],
        },
        features={"image": ImageFeature(shape=(64, 64, 3))},
    )


DATASET = example()
