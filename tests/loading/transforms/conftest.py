import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import ImageFeature, LabelFeature
from tests.loading.transforms.examples import HEIGHT, PIXELS, ROWS, WIDTH


@pytest.fixture
def dataset() -> Dataset:
    return Dataset.from_arrays(
        {"image": PIXELS, "label": np.arange(ROWS) % 4, "id": np.arange(ROWS)},
        features={
            "image": ImageFeature(shape=(HEIGHT, WIDTH, 3)),
            "label": LabelFeature(names=("a", "b", "c", "d")),
        },
        supervised=("image", "label"),
    )
