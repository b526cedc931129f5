import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset, DshubError, Hub
from dshub.catalog.features import ImageFeature
from dshub.errors import ArgumentError, FunctionError
from dshub.loading.transforms.colors import Normalize, ToFloat
from dshub.loading.transforms.erasing import RandomErasing
from dshub.loading.transforms.geometry import RandomCrop, RandomHorizontalFlip
from dshub.testing.adapters import AdapterTests, assert_same, example, unbatched, varied

torch = pytest.importorskip("torch")
data = pytest.importorskip("torch.utils.data")
collate = pytest.importorskip("dshub.adapters.torch").collate

workers = pytest.mark.parametrize("count", [0, 2])


def to_numpy(value: Any) -> Any:
    if isinstance(value, list):
        return [to_numpy(row) for row in value]
    return value.numpy() if isinstance(value, torch.Tensor) else value


class TestTorch(AdapterTests):
    name = "torch"

    def to_numpy(self, value: Any) -> Any:
        return to_numpy(value)

    def next_step(self, dataset: Dataset) -> list[dict[str, Any]]:
        loader = data.DataLoader(dataset.torch(), batch_size=8, num_workers=1, collate_fn=collate)
        return unbatched(map(self.plain, loader))


@pytest.fixture(params=["arrays", "table"])
def dataset(request: pytest.FixtureRequest, hub: Hub) -> Dataset:
    if request.param == "arrays":
        return example()
    return hub.load("mnist", "train", synthetic=53)


def assert_batches(actual: list[Any], expected: list[Any]) -> None:
    """Compare the columns, dtypes and values of batches."""
    assert len(actual) == len(expected)
    for batch, columns in zip(actual, expected, strict=True):
        assert list(batch) == list(columns)
        for name, values in columns.items():
            assert isinstance(batch[name], torch.Tensor | list)
            assert_same(values, to_numpy(batch[name]))


def test_row_has_tensors_and_plain_values(dataset: Dataset) -> None:
    row = dataset.torch()[3]
    assert torch.equal(row["image"], torch.tensor(dataset[3]["image"]))
    assert row["image"].dtype is torch.uint8
    assert type(row["label"]) is int
    assert row.get("text", "") == dataset[3].get("text", "")


def test_columns_and_slices_are_tensors(dataset: Dataset) -> None:
    """Datasets and torch rows accept the same keys."""
    rows = dataset.torch()
    assert torch.equal(rows["label"], torch.tensor(dataset["label"]))
    for key in (slice(10, 20), [1, 5, 1], slice(None, None, -7)):
        assert_batches([rows[key]], [dataset[key]])
        rows[key]["image"].zero_()
    assert rows[5:9]["image"].any()
    assert len(rows) == 53
    with pytest.raises(IndexError):
        rows[53]


@pytest.mark.parametrize("method", [None, "fork", "spawn"])
def test_data_loader_reads_rows(dataset: Dataset, method: str | None) -> None:
    count = 2 if method else 0
    loader = data.DataLoader(
        dataset.torch(), batch_size=8, num_workers=count, multiprocessing_context=method
    )
    assert_batches(list(loader), list(dataset.batches(8)))


@workers
def test_data_loader_shuffles_rows(dataset: Dataset, count: int) -> None:
    generator = torch.Generator().manual_seed(1)
    rows = dataset.torch()
    loader = data.DataLoader(
        rows, batch_size=8, shuffle=True, drop_last=True, num_workers=count, generator=generator
    )
    labels = {row["image"].tobytes(): row["label"] for row in dataset}
    pairs = [
        (image.numpy().tobytes(), int(label))
        for batch in loader
        for image, label in zip(batch["image"], batch["label"], strict=True)
    ]
    assert len(set(pairs)) == len(pairs) == 48
    assert all(labels[image] == label for image, label in pairs)
    assert pairs != list(labels.items())[:48]


def custom_collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Stack rows without `default_collate`."""
    return {
        "image": torch.stack([row["image"].float() / 255 for row in rows]),
        "label": torch.tensor([row["label"] for row in rows]),
        "last": rows[-1]["label"],
        "some": len(rows[1:]),
    }


@workers
def test_custom_collate_function_gets_rows(dataset: Dataset, count: int) -> None:
    loader = data.DataLoader(
        dataset.torch(), batch_size=8, num_workers=count, collate_fn=custom_collate
    )
    batches = list(loader)
    for batch, expected in zip(batches, dataset.batches(8), strict=True):
        assert np.array_equal(
            batch["image"], expected["image"].astype(np.float32) / np.float32(255)
        )
        assert np.array_equal(batch["label"], expected["label"])
        assert batch["last"] == expected["label"][-1]
        assert batch["some"] == len(expected["label"]) - 1


@pytest.mark.parametrize(
    "collate",
    [
        lambda rows: data.default_collate(list(rows)),
        lambda rows: data.default_collate([dict(row) for row in rows]),
        data.default_collate,
    ],
)
def test_custom_collate_function_can_call_the_default(
    dataset: Dataset, collate: Callable[[Any], Any]
) -> None:
    loader = data.DataLoader(dataset.torch(), batch_size=8, collate_fn=collate)
    assert_batches(list(loader), list(dataset.batches(8)))


def modify_rows(rows: Any) -> Any:
    """Modify rows in place, then collate them."""
    for row in rows:
        row["label"] += 1000
        del row["text"]
    return data.default_collate(rows)


def sort_rows(rows: Any) -> Any:
    """Sort rows, as collate functions for packed sequences do, then collate them."""
    rows.sort(key=lambda row: -row["label"])
    return data.default_collate(rows)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_data_loader_reads_an_encoded_column(method: str) -> None:
    column = varied().torch()["thumb"]
    loader = data.DataLoader(column, batch_size=4, num_workers=1, multiprocessing_context=method)
    assert np.array_equal(np.concatenate(list(loader)), np.asarray(varied()["thumb"]))


def drop_first_row(rows: Any) -> Any:
    """Remove the first row, then collate the others."""
    del rows[0]
    return data.default_collate(rows)


@workers
def test_custom_collate_function_can_modify_rows(count: int) -> None:
    rows = example().columns(["image", "label", "text"]).torch()

    def first(collate: Any) -> Any:
        loader = data.DataLoader(rows, batch_size=4, num_workers=count, collate_fn=collate)
        return next(iter(loader))

    changed = first(modify_rows)
    assert list(changed) == ["image", "label"]
    assert changed["label"].tolist() == [1000, 1001, 1002, 1003]
    assert first(sort_rows)["label"].tolist() == [3, 2, 1, 0]
    assert np.array_equal(first(sort_rows)["image"], example()[[3, 2, 1, 0]]["image"])
    assert first(drop_first_row)["label"].tolist() == [1, 2, 3]
    assert type(first(list)) is list
    assert [row["label"] for row in first(list)] == [0, 1, 2, 3]


def test_padding_functions_accept_the_rows() -> None:
    seen: list[Any] = []
    rows = example().columns(["label", "text"]).torch()
    loader = data.DataLoader(rows, batch_size=4, collate_fn=seen.append)
    next(iter(loader))
    batch = seen[0]
    assert isinstance(batch, list)
    assert all(isinstance(row, Mapping) for row in batch)
    assert {**batch[1]} == dict(batch[1]) == example().columns(["label", "text"])[1]


@pytest.mark.parametrize("device", ["gpu", 3.5, "cuda:x"])
def test_unknown_device_is_rejected(device: Any) -> None:
    with pytest.raises(DshubError, match=f"device is {device!r}; it must be a torch device"):
        example().batches(4).torch(device=device)


def test_torch_datasets_can_wrap_the_rows(dataset: Dataset) -> None:
    rows = dataset.torch()
    subset = data.Subset(rows, [5, 3, 50])
    assert_batches(list(data.DataLoader(subset, batch_size=3)), [dataset[[5, 3, 50]]])
    both = data.ConcatDataset([rows, subset])
    last = list(data.DataLoader(both, batch_size=53))[-1]
    assert_batches([last], [dataset[[5, 3, 50]]])
    parts = data.random_split(rows, [50, 3])
    assert sorted(i for part in parts for i in part.indices) == list(range(53))


def test_pairs_have_classes_and_targets() -> None:
    rows = example().torch(supervised=("image", "label"), transform=ToFloat())
    assert rows.classes == list("abcdefg")
    assert rows.targets.tolist() == example()["label"].tolist()


@pytest.mark.parametrize("supervised", [False, ("image", "text"), ("image", ("label", "text"))])
def test_rows_without_a_label_have_no_classes(supervised: Any) -> None:
    rows = example().torch(supervised=supervised)
    assert not hasattr(rows, "classes")
    with pytest.raises(AttributeError, match=r"pass supervised=\(x, y\) to ds\.torch"):
        rows.targets  # noqa: B018


def test_encoded_columns_are_decoded_row_by_row() -> None:
    rows = varied().torch()
    for name in ("photo", "sound"):
        column = rows[name]
        assert len(column) == 53
        assert torch.equal(column[7], torch.tensor(varied()[7][name]))
        assert [type(value) for value in column[:3]] == [torch.Tensor] * 3


@workers
def test_data_loader_without_batches_yields_rows(count: int) -> None:
    loader = data.DataLoader(varied().torch(), batch_size=None, num_workers=count)
    for row, expected in zip(loader, varied(), strict=True):
        assert list(row) == list(expected)
        for name, value in expected.items():
            assert_same(value, to_numpy(row[name]))


def collate_lists(rows: Any) -> dict[str, list[Any]]:
    """Collate rows into lists, without stacking them."""
    return {name: [row[name] for row in rows] for name in rows[0]}


@workers
def test_custom_collate_function_gets_rows_of_several_shapes(count: int) -> None:
    loader = data.DataLoader(
        varied().torch(), batch_size=8, num_workers=count, collate_fn=collate_lists
    )
    for batch, expected in zip(loader, varied().batches(8), strict=True):
        for name, values in expected.items():
            assert_same(list(values), to_numpy(batch[name]))


@workers
def test_collate_stacks_rows_of_one_shape(count: int) -> None:
    rows = varied().select([1, 31]).columns(["photo", "thumb", "tokens", "words"])
    loader = data.DataLoader(rows.torch(), batch_size=2, num_workers=count, collate_fn=collate)
    (batch,) = loader
    expected = rows[:]
    for name in ("photo", "thumb", "tokens"):
        assert_same(np.stack(expected[name]), to_numpy(batch[name]))
    assert batch["words"] == expected["words"]


@workers
def test_collate_keeps_rows_of_several_shapes(count: int) -> None:
    loader = data.DataLoader(varied().torch(), batch_size=8, num_workers=count, collate_fn=collate)
    for batch, expected in zip(loader, varied().batches(8).torch(), strict=True):
        for name, values in expected.items():
            stacked = isinstance(batch[name], torch.Tensor)
            column = torch.stack(list(values)) if stacked else values
            assert_same(to_numpy(column), to_numpy(batch[name]))


def test_collate_uses_the_batch_without_making_rows() -> None:
    rows: Any = example().torch().__getitems__([5, 1, 8])
    columns = rows.batch
    batch = collate(rows)
    assert rows.batch is columns
    assert all(batch[name] is columns[name] for name in ("image", "label"))
    assert_batches([batch], [example()[[5, 1, 8]]])


def test_collate_uses_a_pair_without_making_rows() -> None:
    rows: Any = example().torch(supervised=("image", "label")).__getitems__([5, 1, 8])
    images, labels = rows.batch
    x, y = collate(rows)
    assert x is images
    assert y is labels


@pytest.mark.parametrize("x", ["image", "text", ("image", "text")], ids=str)
def test_collate_stacks_pairs_in_the_same_way_after_they_became_rows(x: Any) -> None:
    rows = example().torch(supervised=(x, "label"))
    expected, actual = collate(rows.__getitems__([5, 1, 8])), collate([rows[i] for i in (5, 1, 8)])
    columns = [pair[0] if isinstance(x, tuple) else {x: pair[0]} for pair in (expected, actual)]
    assert_batches(columns[1:], [{name: to_numpy(v) for name, v in columns[0].items()}])
    assert torch.equal(actual[1], expected[1])


@pytest.mark.parametrize("change", [modify_rows, sort_rows, drop_first_row])
def test_collate_sees_modified_rows(change: Callable[[Any], Any]) -> None:
    rows = example().columns(["image", "label", "text"]).torch()
    expected, fetched = rows.__getitems__([5, 1, 8]), rows.__getitems__([5, 1, 8])
    labels = change(expected)["label"]
    change(fetched)
    assert torch.equal(collate(fetched)["label"], labels)


@workers
@pytest.mark.parametrize("rows", [example(), varied()], ids=["example", "varied"])
def test_row_loader_reads_whole_batches(rows: Dataset, count: int) -> None:
    plain = rows.torch().loader(8, num_workers=count)
    assert len(plain) == 7
    assert_batches(list(plain), list(rows.batches(8)))
    names = rows.columns([list(rows.features)[-1]])
    shuffled = names.torch().loader(8, shuffle=True, drop_last=True, num_workers=count)
    assert len(list(shuffled)) == 6


def test_row_loader_takes_a_sampler() -> None:
    rows = example().columns(["label"]).torch()
    sampler = data.DistributedSampler(rows, num_replicas=2, rank=1, shuffle=False)
    labels = torch.cat([batch["label"] for batch in rows.loader(8, sampler=sampler)])
    assert labels.tolist()[:5] == list(example()["label"][1:11:2])


@workers
def test_data_loader_yields_varied_batches(count: int) -> None:
    loader = data.DataLoader(
        varied().batches(8, shuffle=True).torch(), batch_size=None, num_workers=count
    )
    for batch, expected in zip(loader, varied().batches(8, shuffle=True), strict=True):
        for name, values in expected.items():
            assert_same(values, to_numpy(batch[name]))


@workers
@pytest.mark.parametrize("options", [{}, {"drop_last": True}, {"size": 53}, {"size": 100}], ids=str)
def test_workers_give_the_same_batches_in_the_same_order(
    dataset: Dataset, count: int, options: dict[str, Any]
) -> None:
    def batches() -> Any:
        return dataset.batches(**{"size": 8, "shuffle": True, "seed": 2} | options)

    loader = data.DataLoader(batches().torch(), batch_size=None, num_workers=count)
    assert len(loader) == len(batches())
    assert_batches(list(loader), list(batches()))


def test_workers_follow_the_epoch(dataset: Dataset) -> None:
    expected = dataset.batches(8, shuffle=True)
    epochs = [list(expected), list(expected)]
    batches = dataset.batches(8, shuffle=True).torch()
    plain = data.DataLoader(batches, batch_size=None, num_workers=2)
    for number in (0, 1):
        batches.loader.epoch = number
        assert_batches(list(plain), epochs[number])
    persistent = data.DataLoader(
        dataset.batches(8, shuffle=True).torch(),
        batch_size=None,
        num_workers=2,
        persistent_workers=True,
    )
    for epoch in epochs:
        assert_batches(list(persistent), epoch)


@workers
def test_loader_resumes_from_a_state(dataset: Dataset, count: int) -> None:
    first = dataset.batches(8, shuffle=True)
    walk = first.torch()
    remaining = iter(walk)
    next(remaining)
    next(remaining)
    state = json.loads(json.dumps(first.state_dict()))
    second = dataset.batches(8, shuffle=True)
    second.load_state_dict(state)
    loader = data.DataLoader(
        second.torch(), batch_size=None, num_workers=count, persistent_workers=bool(count)
    )
    expected = dataset.batches(8, shuffle=True)
    assert_batches(list(loader), list(expected)[2:])
    assert_batches(list(loader), list(expected))


NORMALIZE = Normalize(mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))


@pytest.mark.parametrize("supervised", [False, True])
@pytest.mark.parametrize("transform", [None, NORMALIZE, [NORMALIZE, RandomErasing()]], ids=str)
def test_channels_first_uses_channels_last_memory(transform: Any, *, supervised: bool) -> None:
    options = {"layout": "chw", "supervised": supervised, "transform": transform}
    loader = example().batches(8, shuffle=True, **options)
    tensors = example().batches(8, shuffle=True, **options).torch()
    for batch, expected in zip(tensors, loader, strict=True):
        image, same = (batch[0], expected[0]) if supervised else (batch["image"], expected["image"])
        assert image.shape[1:] == (3, 5, 4)
        assert image.is_contiguous(memory_format=torch.channels_last)
        np.testing.assert_allclose(image.numpy(), same, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("layout", ["hwc", "chw"])
def test_callables_get_arrays_in_the_requested_layout(layout: Any) -> None:
    shapes = []

    def double_pixels(batch: dict[str, Any]) -> dict[str, Any]:
        assert isinstance(batch["image"], np.ndarray)
        assert batch["image"].flags.c_contiguous
        shapes.append(batch["image"].shape)
        return {"x": batch["image"] * 2, "y": batch["label"]}

    for batch in example().batches(53, layout=layout, transform=[NORMALIZE, double_pixels]).torch():
        assert list(batch) == ["x", "y"]
        assert tuple(batch["x"].shape) == shapes[0]
    assert shapes == [(53, 5, 4, 3) if layout == "hwc" else (53, 3, 5, 4)]


AUGMENTED: list[Any] = [RandomCrop(padding=2), RandomHorizontalFlip(), NORMALIZE]
WITHOUT = """
import sys
sys.modules["numba"] = None
sys.path.insert(0, sys.argv[1])
from test_torch import sum_batches
import json
print(json.dumps(sum_batches()))
"""


def sum_batches() -> list[float]:
    """Return a checksum of each batch of tensors that depends on the order of its values."""
    totals = []
    for transform in ([NORMALIZE], [ToFloat()], AUGMENTED, AUGMENTED[:1] + AUGMENTED[2:]):
        for layout in ("hwc", "chw"):
            loader = example().batches(8, shuffle=True, transform=transform, layout=layout)
            for batch in loader.torch():
                values = batch["image"].numpy().ravel().astype(np.float64)
                totals.append(float(values @ np.arange(1, len(values) + 1)))
    return totals


def test_torch_operators_match_numba() -> None:
    pytest.importorskip("numba")
    command = [sys.executable, "-c", WITHOUT, str(Path(__file__).parent)]
    plain = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    np.testing.assert_allclose(sum_batches(), plain, rtol=1e-4)


def test_batches_in_use_keep_their_memory() -> None:
    """A buffer is reused only if no tensor refers to it, not even a slice."""
    options: dict[str, Any] = {"layout": "chw", "transform": NORMALIZE}
    pixels = np.random.default_rng(0).integers(0, 256, (640, 32, 32, 3), dtype=np.uint8)
    dataset = Dataset.from_arrays(
        {"image": pixels}, features={"image": ImageFeature(shape=(32, 32, 3))}
    )
    kept = [batch["image"][1:2, 0] for batch in dataset.batches(32, **options).torch()]
    fresh = [batch["image"][1:2, 0].clone() for batch in dataset.batches(32, **options).torch()]
    assert all(torch.equal(one, other) for one, other in zip(kept, fresh, strict=True))


def test_tensors_are_copied_to_a_device() -> None:
    for batch in example().batches(8, shuffle=True, layout="chw").torch(device="meta"):
        assert batch["image"].device.type == batch["label"].device.type == "meta"
        assert batch["image"].shape[1:] == (3, 5, 4)
        assert isinstance(batch["text"][0], str)
    x, y = next(iter(example().batches(8, supervised=True).torch(device=torch.device("meta"))))
    assert (x.device.type, y.device.type) == ("meta", "meta")


def test_pinning_without_cuda_is_an_error() -> None:
    if torch.cuda.is_available():
        batch = next(iter(example().batches(53, layout="chw").torch(pin=True)))
        assert batch["image"].shape == (53, 3, 5, 4)
        return
    with pytest.raises(ValueError, match="torch does not find a CUDA device"):
        example().batches(8).torch(pin=True)


def test_supervised_batches_train_a_model(hub: Hub) -> None:
    torch.manual_seed(0)
    dataset = hub.load("mnist", "train", synthetic=200)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))
    batches = dataset.batches(20, shuffle=True, supervised=True, layout="chw").torch()
    for _ in range(5):
        for x, y in batches:
            assert x.shape == (20, 1, 28, 28)
            loss = torch.nn.functional.cross_entropy(model(x.float() / 255 - 0.5), y)
            slopes = torch.autograd.grad(loss, list(model.parameters()))
            with torch.no_grad():
                for parameter, slope in zip(model.parameters(), slopes, strict=True):
                    parameter.sub_(0.02 * slope)
    assert batches.loader.epoch == 5
    columns = dataset.torch()[:]
    correct = model(columns["image"].float() / 255 - 0.5).argmax(1) == columns["label"]
    assert correct.float().mean() > 0.5


WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None  # cannot be imported
import numpy as np
from dshub import Dataset
from dshub.catalog.features import ImageFeature, NumberFeature
from dshub.loading.transforms.colors import Normalize
from dshub.loading.transforms.geometry import RandomCrop, RandomHorizontalFlip
pixels = np.random.default_rng(0).integers(0, 256, (23, 9, 7, 3), np.uint8)
features = {"image": ImageFeature(shape=(9, 7, 3)), "id": NumberFeature(dtype="int64")}
ds = Dataset.from_arrays({"image": pixels, "id": np.arange(23)}, features=features)
scale = Normalize((0.4, 0.5, 0.6), (0.3, 0.2, 0.1))
augment = [RandomCrop(padding=1), RandomHorizontalFlip(), scale]
for transform in (augment, augment[2:]):
    expected = np.concatenate([b["image"] for b in ds.batches(23, transform=transform)])
    for size in (1, 5, 16, 23):
        loader = ds.batches(size, transform=transform).torch()
        actual = np.concatenate([b["image"].numpy() for b in loader])
        assert actual.tobytes() == expected.tobytes(), size
"""


def test_pixels_without_numba_match_numpy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NUMBA], check=False, capture_output=True, text=True
    )
    assert not done.returncode, done.stderr


def test_supervised_rows_are_pairs_in_the_requested_layout() -> None:
    dataset = example()
    rows = dataset.torch(supervised=True, transform=ToFloat(), layout="chw")
    x, y = rows[3]
    expected = np.moveaxis(dataset[3]["image"], -1, 0) / np.float32(255)
    assert (x.dtype, y) == (torch.float32, dataset[3]["label"])
    assert np.allclose(x.numpy(), expected)
    loader = data.DataLoader(rows, batch_size=4, num_workers=1)
    images, labels = next(iter(loader))
    assert images.shape == (4, *expected.shape)
    assert labels.tolist() == dataset[:4]["label"].tolist()


def test_augmented_rows_differ_between_epochs_and_repeat_with_a_seed() -> None:
    rows = example().torch(supervised=True, transform=RandomCrop(2))

    def epochs() -> list[Any]:
        torch.manual_seed(0)
        return [[x.tolist() for x, _ in data.DataLoader(rows, batch_size=8)] for _ in range(2)]

    first, second = epochs()
    assert first != second
    assert epochs() == [first, second]


def test_rows_and_batches_cannot_be_unpacked_by_accident() -> None:
    dataset = example().columns(["image", "label"])
    for batches in (data.DataLoader(dataset.torch(), batch_size=4), dataset.batches(4).torch()):
        with pytest.raises(ArgumentError, match="True to unpack"):
            for _x, _y in batches:
                pass
    with pytest.raises(ArgumentError, match="True to unpack"):
        _x, _y = dataset.torch()[0]


def test_collate_makes_batches_of_pairs() -> None:
    rows = example().torch(supervised=("image", "label"))
    x, y = next(iter(data.DataLoader(rows, batch_size=4, collate_fn=collate)))
    assert x.shape == (4, *example()[0]["image"].shape)
    assert y.tolist() == example()[:4]["label"].tolist()


def test_batches_repeat_and_have_their_dataset(dataset: Dataset) -> None:
    batches = dataset.batches(8, shuffle=True).torch()
    assert batches.dataset is dataset
    assert data.DataLoader(dataset.torch(), batch_size=8).dataset.dataset is dataset
    expected = dataset.batches(8, shuffle=True)
    assert_batches(list(batches.repeat(2)), [*expected, *expected])
    endless = batches.repeat()
    taken = [next(endless) for _ in range(2 * len(batches))]
    assert_batches(taken, [*expected, *expected])


def failing(batch: dict[str, Any]) -> dict[str, Any]:
    return {"image": batch["photo"]}


@workers
def test_failing_function_is_named_in_workers(dataset: Dataset, count: int) -> None:
    batches = dataset.batches(8, transform=failing).torch()
    rows = dataset.torch(transform=failing)
    for loader in (
        data.DataLoader(batches, batch_size=None, num_workers=count),
        data.DataLoader(rows, batch_size=8, num_workers=count),
    ):
        with pytest.raises(FunctionError) as caught:
            next(iter(loader))
        message = str(caught.value)
        assert "batches: failing failed at a batch of 8 rows, from row 0: KeyError" in message
        assert "it received {'image': uint8 (8, " in message
