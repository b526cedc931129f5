"""Compare the compiled kernels with NumPy."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import ImageFeature
from dshub.loading.transforms.compiled import kernels
from tests.loading.transforms.examples import (
    AUGMENTED,
    HEIGHT,
    NORMALIZE,
    PIXELS,
    ROWS,
    WIDTH,
    by_row,
)

WITHOUT = """
import json, sys
sys.modules["numba"] = None
import numpy as np
from dshub.loading.transforms.compiled import kernels
assert kernels() is None
sys.path.insert(0, sys.argv[1])
from tests.loading.transforms.test_kernels import digests
print(json.dumps(digests()))
"""


def digests() -> list[list[float]]:
    """Return weighted pixel sums for each list of transforms and each layout."""
    own = Dataset.from_arrays(
        {"image": PIXELS, "id": np.arange(ROWS)},
        features={"image": ImageFeature(shape=(HEIGHT, WIDTH, 3))},
    )
    weights = np.arange(1, 10_000, dtype=np.float64)
    sums_of_all = []
    for transforms in [*AUGMENTED[:7], [NORMALIZE]]:
        for layout in ("hwc", "chw"):
            images = by_row(own, transforms, layout=layout).values()
            sums = [float((p.ravel() * weights[: p.size]).sum()) for p in images]
            sums_of_all.append(sums)
    return sums_of_all


def test_compiled_and_plain_passes_are_equal() -> None:
    if kernels() is None:
        pytest.skip("numba is not installed")
    command = [sys.executable, "-c", WITHOUT, str(Path(__file__).parents[3])]
    plain = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    np.testing.assert_allclose(digests(), plain, rtol=1e-5)
