"""Conformance suites for adapters, which compare rows and batches with the dataset."""

import io
import wave
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image

from dshub import plugins
from dshub.catalog.features import (
    AudioFeature,
    BoxFeature,
    Dtype,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    MaskFeature,
)
from dshub.datasets.dataset import Dataset
from dshub.errors import DshubError
from dshub.loading.bad_rows import OnError
from dshub.loading.loader import Loader
from dshub.loading.transforms.colors import ToFloat
from dshub.loading.transforms.transform import Batch, Layout
from dshub.tables.missing import item
from dshub.testing.resuming import check_changing, check_resuming

ROWS = 53  # a prime, so that the last batch is always smaller


def example() -> Dataset:
    """Create a dataset with images, labels, numbers and text."""
    values = np.arange(ROWS * 5 * 4 * 3, dtype=np.uint32) * 2654435761 >> 24
    return Dataset.from_arrays(
        {
            "image": values.astype(np.uint8).reshape(ROWS, 5, 4, 3),
            "label": np.arange(ROWS, dtype=np.int64) % 7,
            "size": np.linspace(0, 1, ROWS * 2, dtype=np.float32).reshape(ROWS, 2),
            "text": [f"row {i}: pâté" for i in range(ROWS)],
        },
        features={
            "image": ImageFeature(shape=(5, 4, 3)),
            "label": LabelFeature(names=tuple("abcdefg")),
        },
        supervised=("image", "label"),
    )


def varied() -> Dataset:
    """Create a dataset with encoded images, audio and lists of different shapes."""
    return Dataset.from_arrays(
        {
            "photo": [_png(i, (1 + i % 3, 2 + i % 2)) for i in range(ROWS)],
            "thumb": [_png(i, (2, 2)) for i in range(ROWS)],
            "sound": [_wav(i) for i in range(ROWS)],
            "tokens": [np.arange(i % 5) for i in range(ROWS)],
            "boxes": [np.full((i % 3, 4), i, np.float32) for i in range(ROWS)],
            "words": [["pâté", str(i)] * (i % 3) for i in range(ROWS)],
        },
        features={
            "photo": ImageFeature(encoding="png"),
            "thumb": ImageFeature(encoding="png", shape=(2, 2, 3)),
            "sound": AudioFeature(rate=8000, channels=2),
        },
    )


def damaged() -> Dataset:
    """Create a dataset in which every tenth image file is cut."""
    files = [_png(i, (2, 2)) for i in range(ROWS)]
    files[::10] = [file[:40] for file in files[::10]]
    features = {"thumb": ImageFeature(encoding="png", shape=(2, 2, 3))}
    return Dataset.from_arrays({"thumb": files, "row": np.arange(ROWS)}, features=features)


def kinds() -> Dataset:
    """Create a dataset with columns of every feature, dtype and number of dimensions."""
    numbers = {dtype: _numbers(dtype) for dtype in get_args(Dtype)}
    others: dict[str, Any] = {
        "matrix": np.arange(ROWS * 6, dtype=np.float64).reshape(ROWS, 2, 3) / 7,
        "gray": np.arange(ROWS * 4, dtype=np.uint16).reshape(ROWS, 2, 2, 1) * 300,
        "mono": [_wav(i, channels=1) for i in range(ROWS)],
        "depth": [_gray_png(np.full((2, 3), i * 1000, np.uint16)) for i in range(ROWS)],
        "mask": [_gray_png(np.full((2, 3), i, np.uint8)) for i in range(ROWS)],
        "regions": np.arange(ROWS * 6, dtype=np.uint16).reshape(ROWS, 2, 3) * 200,
        "box": np.arange(ROWS * 4, dtype=np.float32).reshape(ROWS, 4) / 7,
        "classes": [[i % 2] * (i % 4) for i in range(ROWS)],
    }
    features: dict[str, Feature] = {
        "gray": ImageFeature(shape=(2, 2, 1), dtype="uint16"),
        "mono": AudioFeature(rate=8000),
        "depth": ImageFeature(shape=(2, 3, 1), dtype="uint16", encoding="png"),
        "mask": MaskFeature(shape=(2, 3), encoding="png"),
        "regions": MaskFeature(shape=(2, 3), dtype="uint16"),
        "box": BoxFeature(format="cxcywh", relative=True),
        "classes": ListFeature(of=LabelFeature(names=("no", "yes"))),
    }
    dataset = varied()
    for other in (example(), Dataset.from_arrays(numbers | others, features=features)):
        for name, feature in other.features.items():
            dataset = dataset.with_column(name, other.decode(on=False)[name], feature)
    return dataset


def _numbers(dtype: str) -> np.ndarray:
    """Return numbers that include the largest and the smallest one of a dtype."""
    values = np.arange(ROWS).astype(dtype)
    if values.dtype.kind == "b":
        return values
    limits = np.finfo(dtype) if values.dtype.kind == "f" else np.iinfo(dtype)
    values[:2] = limits.max, limits.min
    return values


def _png(value: int, size: tuple[int, int]) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(sink, "PNG")
    return sink.getvalue()


def _gray_png(values: np.ndarray) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(values).save(sink, "PNG")
    return sink.getvalue()


def _wav(samples: int, channels: int = 2) -> bytes:
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setparams((channels, 2, 8000, samples, "NONE", ""))
        file.writeframes(np.arange(channels * samples, dtype="<i2").tobytes())
    return sink.getvalue()


def assert_same(expected: Any, actual: Any) -> None:
    """Assert that rows, batches or columns have equal values, dtypes and shapes."""
    if isinstance(expected, Mapping):
        assert list(expected) == list(actual)
        assert_same(list(expected.values()), list(actual.values()))
    elif isinstance(expected, tuple | list):
        assert len(expected) == len(actual)
        for expected_item, actual_item in zip(expected, actual, strict=True):
            assert_same(expected_item, actual_item)
    elif isinstance(expected, np.ndarray):
        assert expected.dtype == actual.dtype
        np.testing.assert_array_equal(expected, actual)
    else:
        assert expected == actual


def like(expected: Any, actual: Any) -> Any:
    """Convert lists without a dtype to arrays with the dtypes of the expected values."""
    if isinstance(expected, Mapping):
        return {name: like(expected[name], value) for name, value in actual.items()}
    if isinstance(expected, list | tuple) and len(expected) == len(actual):
        return type(expected)(like(*pair) for pair in zip(expected, actual, strict=True))
    if not isinstance(expected, np.ndarray):
        return actual
    array = np.array(actual, expected.dtype)
    return array if array.size else array.reshape(expected.shape)


def unbatched(batches: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Split batches, converted to NumPy, into rows like those of a dataset."""
    return [
        {name: item(values[i]) for name, values in batch.items()}
        for batch in batches
        for i in range(len(next(iter(batch.values()))))
    ]


class AdapterSuite(ABC):
    """Base class of the suites for adapters.

    Attributes:
        name: name of the adapter.
        typed: False if the framework returns lists without a dtype, or has fewer dtypes.
        files: True if the adapter returns images and audio as files, even if the dataset decodes
            them.
        refused: columns of `kinds` that `next_step` and batches cannot take. They must raise a
            DshubError with a hint.
    """

    name: str
    typed: bool = True
    files: bool = False
    refused: tuple[str, ...] = ()

    @abstractmethod
    def to_numpy(self, value: Any) -> Any:
        """Convert a value of the framework to a NumPy array, `str` for text, or `bytes` for a file.

        A batch of text, files or arrays of different shapes becomes a list.
        """

    @abstractmethod
    def next_step(self, dataset: Dataset) -> list[dict[str, Any]]:
        """Return all rows after the step that programs take next with the framework.

        This is a step that leaves the values unchanged, such as a `map_batches`, an epoch of a
        `DataLoader`, a `fit`, a compiled function, or a `groupby` with its groups put together.
        Rows are in order and converted to NumPy.
        """

    def assert_rows(self, dataset: Dataset, rows: Sequence[dict[str, Any]]) -> None:
        """Assert that rows of the adapter, converted to NumPy, are those of the dataset."""
        assert len(dataset) == len(rows)
        for expected, actual in zip(dataset, rows, strict=True):
            assert_same(expected, actual if self.typed else like(expected, actual))

    @pytest.mark.parametrize("decoded", [True, False])
    def test_next_step_gets_every_kind_of_row(self, decoded: bool) -> None:  # noqa: FBT001
        dataset = kinds().without(self.refused if decoded else ()).shuffle(seed=3).decode(decoded)
        if not decoded:
            dataset = dataset.columns(["photo", "thumb", "sound", "mono", "depth", "mask"])
        expected = dataset.decode(decoded and not self.files)
        self.assert_rows(expected, self.next_step(dataset))

    def test_next_step_refuses_rows_with_a_hint(self) -> None:
        for name in self.refused:
            with pytest.raises(DshubError, match=name) as caught:
                self.next_step(kinds().columns([name]))
            assert "transform" in caught.value.hint


class RowsTests(AdapterSuite):
    """Suite for an adapter with rows."""

    def rows_of(self, dataset: Dataset) -> list[dict[str, Any]]:
        """Return all rows of the adapter in order, converted to NumPy."""
        rows = plugins.module("adapters", self.name).rows(dataset)
        return [
            {key: self.to_numpy(value) for key, value in rows[i].items()}
            for i in range(len(dataset))
        ]

    def test_rows_match_the_dataset(self) -> None:
        for dataset in (example().shuffle(seed=3), kinds().decode(on=False)):
            self.assert_rows(dataset, self.rows_of(dataset))

    @pytest.mark.parametrize("decoded", [True, False])
    def test_varied_rows_match_the_dataset(self, decoded: bool) -> None:  # noqa: FBT001
        dataset = varied().shuffle(seed=3).decode(decoded)
        self.assert_rows(dataset.decode(decoded and not self.files), self.rows_of(dataset))

    def test_rows_of_views_match_the_dataset(self) -> None:
        for view in (example().take(0), example().skip(50), example().select([5, 3, 5])):
            fewer = view.columns(["label", "text"])
            self.assert_rows(fewer, self.rows_of(fewer))

    def test_empty_views_have_no_rows(self) -> None:
        for dataset in (example(), varied(), varied().decode(on=False)):
            assert self.rows_of(dataset.take(0)) == []


class BatchesTests(AdapterSuite):
    """Suite for an adapter with batches."""

    def steps_of(self, loader: Loader, count: int) -> tuple[list[Any], Mapping[str, Any]]:
        """Return the next `count` batches of a loader, and the loader's state after these batches.

        Batches can span epochs, and are converted to NumPy. Override this method for an adapter
        that does not return an iterable.
        """
        batches = plugins.module("adapters", self.name).batches(loader)
        steps: list[Any] = []
        while len(steps) < count:
            for batch in batches:
                steps.append(self.plain(batch))
                if len(steps) == count:
                    break
        return steps, loader.state_dict()

    def batches_of(self, dataset: Dataset, **options: Any) -> list[Any]:
        """Return the batches of two epochs, converted to NumPy."""
        loader = dataset.batches(**options)
        return self.steps_of(loader, 2 * len(loader))[0]

    def plain(self, batch: Any) -> Any:
        """Convert all values of a batch to NumPy."""
        if isinstance(batch, tuple | list):
            return tuple(self.to_numpy(value) for value in batch)
        return {key: self.to_numpy(value) for key, value in batch.items()}

    def check_batches(self, dataset: Dataset, **options: Any) -> None:
        """Check that the batches of two epochs match the loader."""
        loader = dataset.batches(**options)
        expected = [batch for _ in range(2) for batch in loader]
        actual = self.batches_of(dataset, **options)
        assert_same(expected, actual if self.typed else like(expected, actual))

    @pytest.mark.parametrize(
        "options",
        [
            {"size": 8},
            {"size": 8, "drop_last": True},
            {"size": 53},
            {"size": 100, "shuffle": True, "seed": 5},
            {"size": 8, "shuffle": True},
            {"size": 8, "shuffle": True, "layout": "chw"},
            {"size": 8, "supervised": True},
        ],
        ids=str,
    )
    def test_batches_match_the_loader(self, options: dict[str, Any]) -> None:
        self.check_batches(example(), **options)

    def test_batches_of_every_kind_match_the_loader(self) -> None:
        self.check_batches(kinds().without(self.refused), size=8, shuffle=True)

    @pytest.mark.parametrize("column", ["photo", "thumb", "sound", "tokens", "boxes", "words"])
    @pytest.mark.parametrize("layout", ["hwc", "chw"])
    def test_varied_batches_match_the_loader(self, column: str, layout: Layout) -> None:
        dataset = varied().columns([column])
        if column not in self.refused:
            self.check_batches(dataset, size=8, shuffle=True, layout=layout)
            return
        with pytest.raises(DshubError, match=column) as caught:
            self.batches_of(dataset, size=8, shuffle=True, layout=layout)
        assert "transform" in caught.value.hint

    def test_empty_views_have_no_batches(self) -> None:
        for options in ({}, {"layout": "chw", "transform": ToFloat()}, {"drop_last": True}):
            assert self.batches_of(example().take(0), size=8, **options) == []

    def test_files_stay_bytes_without_decoding(self) -> None:
        self.check_batches(varied().columns(["photo"]).decode(on=False), size=8)

    @pytest.mark.parametrize("on_error", ["skip", "substitute"])
    @pytest.mark.filterwarnings("ignore:epoch")
    def test_batches_without_damaged_rows_match_the_loader(self, on_error: OnError) -> None:
        self.check_batches(damaged(), size=8, shuffle=True, on_error=on_error)

    def test_transform_can_crop_images_to_one_array(self) -> None:
        def crop(batch: Batch) -> Batch:
            return {"photo": np.stack([image[:1, :2] for image in batch["photo"]])}

        self.check_batches(varied().columns(["photo"]), size=8, transform=crop)

    def test_transform_decides_the_dtype(self) -> None:
        def scale(batch: Batch) -> Batch:
            return batch | {"image": batch["image"].astype(np.float32) / 255}

        self.check_batches(example().columns(["image"]), size=8, transform=scale)

    def test_new_process_resumes_from_a_state(self) -> None:
        check_resuming(self)

    def test_new_process_resumes_with_other_batch_sizes_and_ranks(self) -> None:
        check_changing(self)


class AdapterTests(RowsTests, BatchesTests):
    """Suite for an adapter with rows and batches."""
