import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from dshub import Dataset, DshubError
from dshub.catalog.features import ImageFeature
from dshub.datasets.decoding import LazyColumn
from dshub.errors import ArgumentError
from dshub.loading.loader import Loader
from dshub.loading.transforms.colors import Normalize, ToFloat
from dshub.loading.transforms.geometry import RandomCrop, RandomResizedCrop
from dshub.testing.adapters import AdapterTests, example, unbatched, varied

jax = pytest.importorskip("jax")
enable_x64 = pytest.importorskip("dshub.adapters.jax").enable_x64


def to_numpy(value: Any) -> Any:
    if isinstance(value, list):
        return [to_numpy(row) for row in value]
    if isinstance(value, jax.Array):
        array = np.asarray(value)
        return array if array.ndim else array.item()
    return value


def is_numeric(values: Any) -> bool:
    """Return True for an array or a list of arrays."""
    first = values[0]
    return isinstance(first, jax.Array)


@pytest.fixture(autouse=True)
def enable_64_bits(request: pytest.FixtureRequest) -> Iterator[None]:
    """Enable 64-bit types, except in tests that request `default_32_bits`."""
    with enable_x64("default_32_bits" not in request.fixturenames):
        yield


@pytest.fixture
def default_32_bits() -> None:
    """Keep JAX's default of 32-bit types."""


class TestJax(AdapterTests):
    name = "jax"

    def to_numpy(self, value: Any) -> Any:
        return to_numpy(value)

    def rows_of(self, dataset: Dataset) -> list[dict[str, Any]]:
        columns = dataset.to("jax")
        return [
            {name: to_numpy(values[i]) for name, values in columns.items()}
            for i in range(len(dataset))
        ]

    def next_step(self, dataset: Dataset) -> list[dict[str, Any]]:
        @jax.jit  # type: ignore[untyped-decorator]
        def step(arrays: Any) -> Any:
            return jax.tree.map(lambda array: array[::-1][::-1], arrays)

        batches = []
        for batch in dataset.batches(8).to("jax"):
            text = {name: values for name, values in batch.items() if not is_numeric(values)}
            batches.append(self.plain(batch | step({n: batch[n] for n in batch if n not in text})))
        return unbatched(batches)

    def steps_of(self, loader: Loader, count: int) -> tuple[list[Any], Mapping[str, Any]]:
        with enable_x64(True):
            return super().steps_of(loader, count)

    def test_batches_are_on_the_requested_device(self) -> None:
        device = jax.devices()[0]
        batch = next(iter(example().batches(8).to("jax", device=device)))
        assert batch["image"].devices() == {device}
        assert batch["text"] == example()[:8]["text"]
        placed = jax.sharding.SingleDeviceSharding(device)
        assert example().to("jax", device=placed)["image"].sharding == placed


def test_encoded_columns_are_decoded_row_by_row() -> None:
    from dshub.testing.adapters import varied

    column = varied().to("jax")["photo"]
    assert isinstance(column, LazyColumn)
    assert np.array_equal(np.asarray(column[3]), varied()[3]["photo"])


def test_batches_in_use_keep_their_pixels() -> None:
    images = np.arange(200, dtype=np.uint8).repeat(64 * 64 * 3).reshape(200, 64, 64, 3)
    dataset = Dataset.from_arrays(
        {"image": images, "id": np.arange(200)},
        features={"image": ImageFeature(shape=(64, 64, 3))},
    )
    batches = list(dataset.batches(10, shuffle=True, threads=2).to("jax"))
    for batch in batches:
        assert np.array_equal(batch["image"][:, 5, 5, 1], batch["id"])


def test_integers_that_need_64_bits_are_an_error(default_32_bits: None) -> None:
    small = Dataset.from_arrays({"id": np.arange(3)})
    assert next(iter(small.batches(3).to("jax")))["id"].dtype == np.int32
    large = Dataset.from_arrays({"id": np.arange(3) + 2**40})
    for ask in (lambda: large.to("jax"), lambda: list(large.batches(3).to("jax"))):
        with pytest.raises(DshubError, match=f"column id holds {2**40 + 2}, but JAX") as caught:
            ask()
        assert "jax_enable_x64" in caught.value.hint


def test_compiled_step_trains_a_model() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 400)
    points = (np.eye(4)[labels] + rng.normal(0, 0.2, (400, 4))).astype(np.float32)
    dataset = Dataset.from_arrays({"x": points, "y": labels}, supervised=("x", "y"))

    @jax.jit  # type: ignore[untyped-decorator]
    def step(weights: Any, x: Any, y: Any) -> Any:
        def loss(weights: Any) -> Any:
            chosen = jax.nn.log_softmax(x @ weights)
            return -chosen[jax.numpy.arange(len(y)), y].mean()

        return weights - jax.grad(loss)(weights)

    weights = jax.numpy.zeros((4, 4), np.float32)
    batches = dataset.batches(40, shuffle=True, supervised=True).to("jax")
    for _ in range(3):
        for x, y in batches:
            weights = step(weights, x, y)
    assert (np.asarray(points @ weights).argmax(1) == labels).mean() > 0.9
    assert len(batches) == 10


def test_unknown_device_is_rejected() -> None:
    for make in (example().batches(8).to, example().to):
        with pytest.raises(DshubError, match="device is 'cpu'; it must be one of jax"):
            make("jax", device="cpu")


SHARDED = """
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from dshub import DshubError
from dshub.testing.adapters import example

assert len(jax.devices()) == 4
sharding = NamedSharding(Mesh(np.array(jax.devices()), ("rows",)), PartitionSpec("rows"))
images = example().columns(["image"])
whole = list(images.batches(8, drop_last=True).to("jax", device=sharding))
assert len(whole[0]["image"].addressable_shards) == 4
assert np.array_equal(np.concatenate([batch["image"] for batch in whole]), images["image"][:48])
try:
    list(images.batches(8).to("jax", device=sharding))
except DshubError as error:
    print(error, error.hint)
"""


@pytest.mark.parametrize("layout", ["hwc", "chw"])
@pytest.mark.parametrize("supervised", [False, True])
def test_normalization_on_the_device_equals_that_of_the_cpu(layout: Any, supervised: bool) -> None:
    crop = [RandomCrop(4, padding=1), Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))]

    def loader() -> Loader:
        options: dict[str, Any] = {"transform": crop, "layout": layout, "supervised": supervised}
        return example().batches(16, shuffle=True, **options)

    expected = loader().to("jax", normalize="loader")
    for cpu, device in zip(expected, loader().to("jax", normalize="device"), strict=True):
        x, y = (cpu, device) if supervised else (cpu.values(), device.values())
        for one, other in zip(x, y, strict=True):
            if not isinstance(one, list):
                assert (one.dtype, one.shape) == (other.dtype, other.shape)
                np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-6)


def test_image_files_are_normalized_on_the_device() -> None:
    files = varied().columns(["photo"])
    for transform in ([RandomResizedCrop(6), ToFloat()], [ToFloat()]):
        cpu = files.batches(53, transform=transform).to("jax", normalize="loader")
        device = files.batches(53, transform=transform).to("jax", normalize="device")
        for expected, actual in zip(
            next(iter(cpu))["photo"], next(iter(device))["photo"], strict=True
        ):
            np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-6)


def test_normalization_that_cannot_run_on_the_device_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="the last transform is not Normalize or ToFloat"):
        example().batches(8).to("jax", normalize="device")


def test_rows_that_do_not_divide_among_devices_are_an_error() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHARDED],
        env=os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert "cannot divide column image of shape (5, " in done.stdout
    assert "drop_last=True" in done.stdout
