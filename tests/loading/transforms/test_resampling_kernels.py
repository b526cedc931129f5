import numpy as np
import pytest

pytest.importorskip("numba")
from dshub.loading.transforms import resampling_kernels as kernels


@pytest.mark.parametrize(
    "sizes", [(10, 10), (100, 7), (7, 100), (1, 5), (5, 1), (224, 223)], ids=str
)
@pytest.mark.parametrize("antialias", [True, False])
def test_factors_of_each_output_sum_to_one(sizes: tuple[int, int], antialias: bool) -> None:
    length, size = sizes
    starts, factors, used = kernels._factors(length, (0.0, float(length)), size, antialias, False)
    assert np.abs(factors[:used].sum(axis=0) / 2**kernels.BITS - 1).max() < 1e-6
    assert not factors[used:].any()
    inside = starts[None] + np.arange(len(factors))[:, None] < length
    assert not factors[~inside].any()
    flipped = kernels._factors(length, (0.0, float(length)), size, antialias, True)
    assert np.array_equal(flipped[0], starts[::-1])
    assert np.array_equal(flipped[1], factors[:, ::-1])
