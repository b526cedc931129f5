import numpy as np
import pytest

from dshub import Hub
from dshub.catalog.features import LabelFeature
from dshub.catalog.registry import Registry

REGISTRY = Registry(())
IDX = [
    name
    for name in REGISTRY.names()
    if all(split.reader["format"] == "idx" for split in REGISTRY.manifest(name).splits.values())
]


@pytest.mark.parametrize("name", IDX)
def test_images_of_a_class_are_similar(shared: Hub, name: str) -> None:
    real = shared.info(name)
    label = real.features["label"]
    assert isinstance(label, LabelFeature)
    classes = len(label.names)
    dataset = shared.load(name, next(iter(real.splits)), synthetic=60 * classes)
    images = np.asarray(dataset["image"], np.float64).reshape(len(dataset), -1)
    labels = np.asarray(dataset["label"])
    half = len(dataset) // 2
    means = np.stack([images[:half][labels[:half] == i].mean(axis=0) for i in range(classes)])
    distances = (means**2).sum(axis=1) - 2 * images[half:] @ means.T
    right = (distances.argmin(axis=1) == labels[half:]).mean()
    assert right > 0.4  # random guessing reaches at most 0.1
