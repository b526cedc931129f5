"""Conformance suites for adapters, which compare rows and batches with the dataset."""

import io
import wave
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import plugins
from dshub.catalog.features import AudioFeature, ImageFeature, LabelFeature
from dshub.datasets.dataset import Dataset
from dshub.errors import DshubError
from dshub.loading.loader import Loader
from dshub.loading.transforms.colors import ToFloat
from dshub.loading.transforms.transform import Batch, Layout
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


def _png(value: int, size: tuple[int, int]) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(sink, "PNG")
    return sink.getvalue()


def _wav(samples: int) -> bytes:
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setparams((2, 2, 8000, samples, "NONE", ""))
        file.writeframes(np.arange(2 * samples, dtype="<i2").tobytes())
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


class AdapterSuite(ABC):
    """Base class of the suites for adapters.

    Attributes:
        name: name of the adapter.
    """

    name: str

    @abstractmethod
    def to_numpy(self, value: Any) -> Any:
        """Convert a value of the framework to a NumPy array, `str` for text, or `bytes` for a file.

        A batch of text, files or arrays of different shapes becomes a list.
        """


class RowsTests(AdapterSuite):
    """Suite for an adapter with rows.

    Attributes:
        files: True if the adapter returns images and audio as files, even if the dataset decodes
            them.
    """

    files: bool = False

    def rows_of(self, dataset: Dataset) -> list[dict[str, Any]]:
        """Return all rows of the adapter in order, converted to NumPy."""
        rows = plugins.module("adapters", self.name).rows(dataset)
        return [
            {key: self.to_numpy(value) for key, value in rows[i].items()}
            for i in range(len(dataset))
        ]

    def test_rows_match_the_dataset(self) -> None:
        dataset = example().shuffle(seed=3)
        assert_same(list(dataset), self.rows_of(dataset))

    @pytest.mark.parametrize("decoded", [True, False])
    def test_varied_rows_match_the_dataset(self, decoded: bool) -> None:  # noqa: FBT001
        dataset = varied().shuffle(seed=3).decode(decoded)
        assert_same(list(dataset.decode(decoded and not self.files)), self.rows_of(dataset))

    def test_rows_of_views_match_the_dataset(self) -> None:
        for view in (example().take(0), example().skip(50), example().select([5, 3, 5])):
            fewer = view.columns(["label", "text"])
            assert_same(list(fewer), self.rows_of(fewer))

    def test_empty_views_have_no_rows(self) -> None:
        for dataset in (example(), varied(), varied().decode(on=False)):
            assert self.rows_of(dataset.take(0)) == []


class BatchesTests(AdapterSuite):
    """Suite for an adapter with batches.

    Attributes:
        refused: columns of `varied` that the framework cannot batch; batching them must raise a
            DshubError with a hint.
    """

    refused: tuple[str, ...] = ()

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
        assert_same(expected, self.batches_of(dataset, **options))

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
