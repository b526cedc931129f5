"""How a loader walks: what `Dataset.batches` was given."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec
import numpy as np

from dshub.manifest import Feature
from dshub.order import Order, Uneven
from dshub.transforms import Batch as Batch  # noqa: PLC0414  # what a loader hands out
from dshub.transforms.transform import AnyTransform

Layout = Literal["hwc", "chw"]
Shuffle = bool | Literal["blocks"]


class Rows(Protocol):
    """What a loader walks over."""

    def __len__(self) -> int: ...
    def gather(self, rows: np.ndarray) -> Batch:
        """The rows of those numbers, int64, in that order; arrays that nobody else holds."""

    def without(self, names: Sequence[str]) -> "Rows":
        """The same rows without some columns."""

    def pixels(self, name: str) -> np.ndarray | None:
        """A column of raw pictures as one array in memory, of which `numbers` are rows.

        uint8 (…, height, width, channels); None where it lies in several pieces.
        """

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """Where rows stand in what `pixels` gives, int64."""

    def lengths(self, name: str, rows: np.ndarray) -> np.ndarray:
        """How long the text or list of each row is, int64: bytes, or values."""

    @property
    def features(self) -> Mapping[str, Feature]:
        """The columns and what they hold."""

    @property
    def fingerprint(self) -> str:
        """Which rows and columns these are."""

    @property
    def supervised(self) -> tuple[str, str] | None:
        """The columns that `(x, y)` means."""

    @property
    def pictures(self) -> Sequence[str]:
        """The columns that hold pictures, (height, width, channels)."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a loader walks.

    Attributes:
        size: rows in a batch.
        order: of the rows.
        seed: of everything random.
        drop_last: leave out a last batch with fewer rows.
        transforms: called one after the other.
        layout: of pictures.
        supervised: batches are `(x, y)`.
        rank, world, uneven: the share of an epoch; see `dshub.order.Share`.
        threads: that make batches ahead.
        prefetch: bytes that may wait.
        bucket: a column by whose lengths rows of a batch are alike.
    """

    size: int
    order: Order
    seed: int = 0
    drop_last: bool = False
    transforms: tuple[AnyTransform, ...] = ()
    layout: Layout = "hwc"
    supervised: bool = False
    rank: int = 0
    world: int = 1
    uneven: Uneven = "pad"
    threads: int = 1
    prefetch: int = 256 << 20
    bucket: str | None = None
