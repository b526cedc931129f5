"""Take a data set through every route into dshub, and compare the rows."""

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset, DshubError, Hub
from dshub.catalog.features import Feature, LabelFeature, ListFeature
from tests.commandline import run_dshub

Columns = Mapping[str, list[Any]]
"""Values by column; labels are names of classes, and None is a missing value."""

from_: Any = Dataset
"""`Dataset`, for functions that other versions of it can lack."""


@dataclass(frozen=True)
class Case:
    """A data set as practitioners have it.

    Attributes:
        title: description.
        make: function that writes its files into a folder.
        expected: values by column and split.
        arguments: arguments of `dshub new`; `{}` is the folder.
        opened: function that opens the folder with `Dataset.from_…`: a dataset, or one by split.
        asks: text that `dshub new` must print, because it cannot know the answer.
        classes: class names by column, in the order of their numbers.
        refused: text of the error of `dshub new`.
        refused_by_from: text of the error of `opened`, with its hint.
        elsewhere: columns that `opened` must give, if they differ from `expected`.
        pending: routes that cannot work yet, and the reasons.
        slow: whether writing the files takes seconds.
    """

    title: str
    make: Callable[[Path], None]
    expected: Mapping[str, Columns] = field(default_factory=dict)
    arguments: tuple[str, ...] = ("{}",)
    opened: Callable[[Path], Any] | None = None
    asks: str | None = None
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refused: str | None = None
    refused_by_from: str | None = None
    elsewhere: Mapping[str, Columns] | None = None
    pending: Mapping[str, str] = field(default_factory=dict)
    slow: bool = False

    @property
    def routes(self) -> list[str]:
        """Routes of the data set: `new`, and `from` if a function fits."""
        return ["new"] if self.opened is None else ["new", "from"]


@dataclass(frozen=True)
class Solid:
    """An image of one color.

    Attributes:
        size: height and width.
        color: value of each channel.
        tolerance: largest difference, for JPEG files.
    """

    size: tuple[int, int]
    color: tuple[int, ...]
    tolerance: int = 0

    def equals(self, value: Any) -> bool:
        pixels = np.asarray(value)
        if pixels.shape != (*self.size, len(self.color)):
            return False
        return bool(np.abs(pixels.astype(int) - self.color).max() <= self.tolerance)


@dataclass(frozen=True)
class Sound:
    """A sound that rises by `step` per sample, as int16 values or as fractions of 32,768.

    Attributes:
        samples: number of samples.
        channels: number of channels.
        step: difference of samples.
        tolerance: largest difference, for lossy files.
    """

    samples: int
    channels: int = 1
    step: int = 10
    tolerance: int = 0

    def equals(self, value: Any) -> bool:
        found = np.asarray(value)
        shape = (self.samples,) if self.channels == 1 else (self.samples, self.channels)
        if found.shape != shape:
            return False
        scaled = found * 32768 if found.dtype.kind == "f" else found
        ramp = np.arange(self.samples) * self.step
        expected = ramp if self.channels == 1 else np.stack([ramp] * self.channels, 1)
        return bool(np.abs(scaled - expected).max() <= self.tolerance)


def check_new(case: Case, folder: Path, hub: Hub) -> str:
    """Take a case through `dshub new`, `check`, `load` and `batches().torch()`.

    Returns:
        A word for the result: `right`, `asks` or `refused`.

    Raises:
        AssertionError: the result is not the stated one.
    """
    data, work = folder / "data", folder / "work"
    data.mkdir()
    work.mkdir()
    case.make(data)
    arguments = [argument.replace("{}", str(data)) for argument in case.arguments]
    manifest = work / "manifest.toml"
    done = run_dshub(work, "new", *arguments, "--name", "own/data", "-o", str(manifest))
    if case.refused is not None:
        assert done.returncode > 0, "accepted, but expected an error"
        assert_contains(done.stderr, case.refused)
        assert not manifest.exists()
        return "refused"
    assert done.returncode == 0, done.stderr
    checked = run_dshub(work, "check", str(manifest))
    assert checked.returncode == 0, checked.stderr + checked.stdout
    splits = hub.load(str(manifest))
    assert_splits({name: splits[name] for name in splits}, case.expected)
    assert_classes(splits, case.classes)
    if case.asks is not None:
        assert_contains(done.stdout + done.stderr, case.asks)
    return "right" if case.asks is None else "asks"


def check_from(case: Case, folder: Path) -> str:
    """Take a case through its `from_…` function and `batches().torch()`; see `check_new`."""
    assert case.opened is not None
    data = folder / "data"
    data.mkdir()
    case.make(data)
    if case.refused_by_from is not None:
        with pytest.raises(DshubError) as caught:
            case.opened(data)
        assert_contains(f"{caught.value}; {caught.value.hint}", case.refused_by_from)
        return "refused"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # functions tell doubts as warnings
        opened = case.opened(data)
    splits = {"train": opened} if isinstance(opened, Dataset) else opened
    assert_splits(splits, case.expected if case.elsewhere is None else case.elsewhere)
    assert_classes(splits, case.classes)
    return "right"


def assert_contains(text: str, expected: str) -> None:
    """Check that a text contains another, apart from line breaks."""
    assert expected in re.sub(r"\s+", " ", text), text


def assert_equal(what: str, found: Any, expected: Any) -> None:
    assert found == expected, f"{what} are {found}, not {expected}"


def assert_splits(splits: Mapping[str, Dataset], expected: Mapping[str, Columns]) -> None:
    """Compare datasets with the expected values, in rows and in batches of torch."""
    assert_equal("splits", sorted(splits), sorted(expected))
    for name, columns in expected.items():
        dataset = splits[name]
        assert_equal(f"columns of {name}", sorted(dataset.features), sorted(columns))
        assert_equal(f"rows of {name}", len(dataset), len(next(iter(columns.values()))))
        for column, values in columns.items():
            found = [
                plain(dataset[i][column], dataset.features[column]) for i in range(len(dataset))
            ]
            assert all(map(same, values, found)), f"{column} of {name} is {found}, not {values}"
        assert_batches(dataset, columns)


def assert_classes(splits: Mapping[str, Dataset], classes: Mapping[str, tuple[str, ...]]) -> None:
    """Check the order of classes, which is that of their numbers."""
    for dataset in splits.values():
        for name, names in classes.items():
            feature = dataset.features[name]
            assert isinstance(feature, LabelFeature), f"{name} has no classes"
            assert feature.names == names, f"the classes of {name} are {feature.names}"


def assert_batches(dataset: Dataset, columns: Columns) -> None:
    """Compare batches of torch with the expected values; missing values are an error there."""
    missing = [
        name
        for name, values in columns.items()
        if any(value is None for value in values) and not is_float(dataset, name)
    ]
    numbers = [name for name in columns if isinstance(dataset[0][name], int | np.integer)]
    if find_spec("torch") is None:
        return
    for name in set(missing) & {*numbers}:
        with pytest.raises(DshubError, match="missing values"):
            list(dataset.columns([name]).batches(2).torch())
    kept = dataset.columns([name for name in columns if name not in missing])
    batches: list[Any] = list(kept.batches(2).torch())
    for name in kept.features:
        rows = [row for batch in batches for row in batch[name]]
        assert len(rows) == len(dataset)
        found = [plain(value, dataset.features[name]) for value in rows]
        assert all(map(same, columns[name], found)), f"torch, {name}: {found}"


def is_float(dataset: Dataset, name: str) -> bool:
    """Return True for a column of floats, where NaN represents missing values."""
    return str(getattr(dataset.features[name], "dtype", "")).startswith("float")


def plain(value: Any, feature: Feature | None = None) -> Any:
    """Return a value of a row with Python numbers and lists, and with names of classes."""
    if isinstance(feature, LabelFeature) and value is not None:
        return feature.names[int(value)] if int(value) >= 0 else int(value)
    if isinstance(feature, ListFeature) and value is not None:
        return [plain(item, feature.of) for item in value]
    if isinstance(value, dict):
        parts = getattr(feature, "fields", {})
        return {name: plain(item, parts.get(name)) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "ndim") and value.ndim == 0:
        return value.item()
    return value


def same(expected: Any, actual: Any) -> bool:
    """Compare values; NaN equals None, and arrays equal lists."""
    if isinstance(expected, Solid | Sound):
        return expected.equals(actual)
    if isinstance(expected, dict):
        names = isinstance(actual, dict) and sorted(expected) == sorted(actual)
        return names and all(same(item, actual[name]) for name, item in expected.items())
    if isinstance(expected, list):
        items = actual.tolist() if hasattr(actual, "tolist") else actual
        alike = isinstance(items, list) and len(items) == len(expected)
        return alike and all(map(same, expected, items))
    if expected is None:
        return actual is None or actual != actual  # noqa: PLR0124  # NaN
    if isinstance(expected, float):
        return isinstance(actual, float) and abs(actual - expected) <= 1e-6 * max(1, abs(expected))
    return type(actual) is type(expected) and bool(actual == expected)
