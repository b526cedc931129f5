"""Batch options, validated once and shared by `Dataset.batches`, `Loader` and adapters."""

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial, wraps
from inspect import Parameter, signature
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypedDict, TypeVar, cast
from typing import overload as overload  # noqa: PLC0414  # see pyproject.toml

import numpy as np

from dshub._validate import choice, flag, number, whole
from dshub.catalog.features import Feature, ListFeature, TextFeature, is_encoded
from dshub.catalog.manifest import AnyPair, Pair, pair_columns
from dshub.errors import ArgumentError, SettingsError, UnknownNameError
from dshub.loading.bad_rows import OnError
from dshub.loading.blocks import ImageBlocks
from dshub.loading.cores import available_cores
from dshub.loading.decoding.choosing import check_decoder
from dshub.loading.decoding.pixels import Decoding
from dshub.loading.order import Blocks, InOrder, Order, Share, Shuffled, Uneven, Weighted
from dshub.loading.pairs import check_pair
from dshub.loading.transforms.callables import check_boxes, check_images
from dshub.loading.transforms.compose import check_transforms
from dshub.loading.transforms.foreign import needs_caller
from dshub.loading.transforms.transform import AnyTransform, Batch, Layout

P = ParamSpec("P")
T = TypeVar("T")
Owner = TypeVar("Owner")
Result = TypeVar("Result")

Shuffle = bool | Literal["blocks"]
Threads = int | Literal["auto"]
Where = Literal["thread", "process"]

_CHECKS: Mapping[str, Callable[[str, Any], Any]] = {
    "size": partial(whole, least=1),
    "seed": whole,
    "drop_last": flag,
    "layout": partial(choice, choices=("hwc", "chw")),
    "uneven": partial(choice, choices=("pad", "drop", "exact")),
    "threads": lambda name, value: value if value == "auto" else whole(name, value, least=0),
    "where": partial(choice, choices=("thread", "process")),
    "prefetch": partial(number, least=0),
    "decoder": lambda _, value: check_decoder(value),
    "on_error": partial(choice, choices=("raise", "skip", "substitute")),
}

_RANK_VARIABLES = (
    ("RANK", "WORLD_SIZE"),  # torchrun and Accelerate
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),  # Open MPI
    ("PMI_RANK", "PMI_SIZE"),  # MPICH and Intel MPI
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),  # Slurm
)


class Rows(Protocol):
    """Interface of rows that a loader can batch."""

    def __len__(self) -> int: ...
    def gather(self, rows: np.ndarray) -> Batch:
        """Read rows by number, int64, in the passed order, into new arrays."""

    def without(self, names: Sequence[str]) -> "Rows":
        """Return the rows without the named columns."""

    def pixels(self, name: str) -> np.ndarray | ImageBlocks | None:
        """Return a column of raw images as one or several arrays, or None if it has none.

        Arrays are uint8 (…, height, width, channels), and `numbers` returns their indices.
        """

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """Return the indices of rows in the array of `pixels`, int64."""

    def lengths(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Return the number of characters, bytes or values in each row of a column, int64."""

    @property
    def features(self) -> Mapping[str, Feature]:
        """Features by column name."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the rows and columns."""

    @property
    def supervised(self) -> Pair | None:
        """Pair of columns for `(x, y)`, or None."""

    @property
    def image_columns(self) -> Sequence[str]:
        """Columns that hold images, (height, width, channels)."""


class FileRows(Rows, Protocol):
    """Interface of rows with columns of image files, which a loader decodes itself."""

    @property
    def encoded_images(self) -> Sequence[str]:
        """Columns of image files, including masks, that are decoded when rows are read."""

    @property
    def decoding(self) -> Decoding:
        """Decoder of images, and the order of their channels."""

    def contents(self, name: str, rows: np.ndarray) -> Sequence[bytes | memoryview]:
        """Return the files of rows of an encoded column, without copies if possible."""

    def without(self, names: Sequence[str]) -> "FileRows":
        """Return the rows without the named columns."""

    def where(self, row: int, column: str = "") -> str:
        """Describe a row for an error message, with one of its columns if it is passed."""


def image_files(rows: Rows) -> Sequence[str]:
    """Return the columns of image files that are decoded when rows are read."""
    # rows of other packages can have only the members of `Rows`
    return getattr(rows, "encoded_images", ())


class BatchKeywords(TypedDict, total=False):
    """Types of the options that do not change the type of batches, for type checkers."""

    shuffle: Shuffle
    seed: int
    drop_last: bool
    transform: AnyTransform | Sequence[AnyTransform] | None
    layout: Layout
    weights: Sequence[float] | np.ndarray | None
    bucket: str | None
    pad: Mapping[str, float] | None
    rank: int | None
    world: int | None
    uneven: Uneven
    threads: Threads
    where: Where
    prefetch: int
    decoder: str
    on_error: OnError


@dataclass(frozen=True, eq=False)
class BatchOptions:
    """Arguments of `Dataset.batches`, which documents them.

    After validation, `transform` is a tuple without `Compose`, and `rank` and `world` are integers.

    Raises:
        ArgumentError: an option has an invalid value.
        SettingsError: the rank in the environment is not below the world size.
    """

    size: int
    _: KW_ONLY
    shuffle: Shuffle = False
    seed: int = 0
    drop_last: bool = False
    transform: AnyTransform | Sequence[AnyTransform] | None = None
    layout: Layout = "hwc"
    supervised: bool | AnyPair = False
    weights: Sequence[float] | np.ndarray | None = None
    bucket: str | None = None
    pad: Mapping[str, float] | None = None
    rank: int | None = None
    world: int | None = None
    uneven: Uneven = "pad"
    threads: Threads = "auto"
    where: Where = "thread"
    prefetch: int = 256 << 20
    decoder: str = "auto"
    on_error: OnError = "raise"

    def __post_init__(self) -> None:
        if not isinstance(self.shuffle, np.bool_):
            choice("shuffle", self.shuffle, (True, False, "blocks"))
        checked = {name: check(name, getattr(self, name)) for name, check in _CHECKS.items()}
        checked["transform"] = check_transforms("transform", self.transform)
        if not isinstance(self.supervised, list | tuple):
            checked["supervised"] = flag("supervised", self.supervised)
        checked["pad"] = _check_pad(self.pad)
        checked["rank"], checked["world"] = _check_rank(self.rank, self.world)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def transforms(self) -> tuple[AnyTransform, ...]:
        """Transforms, in order."""
        return cast("tuple[AnyTransform, ...]", self.transform)

    def decoding(self, rows: Rows) -> Decoding:
        """Return the decoder of the image files of `rows`, and the order of their channels."""
        decoding = cast("FileRows", rows).decoding
        return decoding if self.decoder == "auto" else replace(decoding, name=self.decoder)

    def workers(self, rows: Rows) -> int:
        """Return the number of threads that decode the images of a batch, or 0 for the caller."""
        if not image_files(rows):
            return 0
        return available_cores() if self.threads == "auto" else self.threads

    def ahead(self, rows: Rows) -> int:
        """Return the number of batches that are prepared in advance at the same time.

        It is 0 if a transform must run in the caller's thread. If threads decode images, two
        batches keep these threads busy.
        """
        if needs_caller(self.transforms):
            return 0
        if image_files(rows):
            return min(2, self.workers(rows))
        return 1 if self.threads == "auto" else self.threads

    def share(self, length: int) -> Share:
        """Return the share of this rank in an epoch of `length` positions."""
        return Share(length, self.rank or 0, self.world or 1, self.uneven)

    def order(self, length: int) -> Order:
        """Return the order of `length` rows.

        Raises:
            ArgumentError: `weights` does not have one valid number per row.
        """
        if self.weights is not None:
            weights = check_weights(self.weights, length, "row")
            return Weighted(weights, self.seed, length)
        if self.shuffle == "blocks":
            return Blocks(length, self.seed)
        return Shuffled(length, self.seed) if self.shuffle else InOrder(length)

    def pair(self, rows: Rows) -> Pair | None:
        """Return the columns that become `(x, y)`, or None if batches are dicts.

        Raises:
            ArgumentError, UnknownNameError: `supervised` does not name a pair of columns.
        """
        if isinstance(self.supervised, list | tuple):
            return check_pair(self.supervised, tuple(rows.features))
        return rows.supervised if self.supervised else None

    def check_columns(self, rows: Rows) -> None:
        """Check `transform`, `supervised` and `bucket` against the columns of `rows`.

        Raises:
            DshubError: a transform needs images, and the rows have none; or it moves objects in
                images, and the rows have boxes.
            ArgumentError: `supervised` is set, but the rows have no pair `(x, y)`; or the rows of
                the column `bucket` have no length.
            UnknownNameError: the column `bucket` does not exist.
        """
        pair = self.pair(rows) if self.supervised else None
        used = rows.features if pair is None else {n: rows.features[n] for n in pair_columns(pair)}
        check_images(self.transforms, rows.image_columns, rows.features)
        check_boxes(self.transforms, used)
        if self.supervised and pair is None:
            raise ArgumentError(
                name="supervised",
                value=True,
                expected="False, because the dataset does not define (x, y)",
                hint=f"pass supervised=(x, y) with two of the columns {', '.join(rows.features)}",
            )
        if self.bucket is None:
            return
        feature = rows.features.get(self.bucket) if isinstance(self.bucket, str) else None
        if feature is None:
            raise UnknownNameError(kind="column", name=self.bucket, known=tuple(rows.features))
        if not isinstance(feature, TextFeature | ListFeature) and not is_encoded(feature):
            expected = "a column of text, lists or files"
            raise ArgumentError(name="bucket", value=self.bucket, expected=expected)


def takes(
    options: Callable[P, T],
) -> Callable[[Callable[[Owner, T], Result]], Callable[Concatenate[Owner, P], Result]]:
    """Decorate a method that takes an options object, so that callers pass its fields instead.

    The method gets the signature of `options`, for type checkers and for `help`.
    """

    def decorate(method: Callable[[Owner, T], Result]) -> Callable[Concatenate[Owner, P], Result]:
        arguments = signature(options)

        @wraps(method)
        def call(self: Owner, /, *args: P.args, **kwargs: P.kwargs) -> Result:
            try:
                arguments.bind(*args, **kwargs)
            except TypeError as error:  # name the method instead of the class of the options
                raise TypeError(f"{method.__name__}() {error}") from None
            return method(self, options(*args, **kwargs))

        first = Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)
        call.__signature__ = arguments.replace(  # type: ignore[attr-defined]
            parameters=[first, *arguments.parameters.values()],
            return_annotation=signature(method).return_annotation,
        )
        return call

    return decorate


def _check_pad(pad: Any) -> dict[str, float] | None:
    if pad is None:
        return None
    if not isinstance(pad, Mapping) or not all(isinstance(name, str) for name in pad):
        expected = "the fill value of each column to pad, such as {'input_ids': 0}"
        raise ArgumentError(name="pad", value=pad, expected=expected)
    return {name: number(f"pad of {name}", value) for name, value in pad.items()}


def _check_rank(rank: Any, world: Any) -> tuple[int, int]:
    if (rank is None) != (world is None):
        name, value, other = ("rank", rank, "world") if world is None else ("world", world, "rank")
        raise ArgumentError(name=name, value=value, expected=f"passed together with `{other}`")
    if rank is None:
        return this_rank()
    world = whole("world", world, least=1)
    return whole("rank", rank, least=0, most=world - 1), world


def this_rank() -> tuple[int, int]:
    """Return the rank and world size of this process, from `torch.distributed` or the environment.

    Raises:
        SettingsError: the rank in the environment is not below the world size.
    """
    torch = sys.modules.get("torch.distributed")
    if torch is not None and torch.is_available() and torch.is_initialized():
        return torch.get_rank(), torch.get_world_size()
    for names in _RANK_VARIABLES:
        values = [os.environ.get(name, "") for name in names]
        if not all(re.fullmatch("[0-9]{1,9}", value) for value in values):
            continue
        rank, world = map(int, values)
        if rank >= max(1, world):
            expected = f"below {names[1]}, which is {world}, unless you pass `rank` and `world`"
            raise SettingsError(name=names[0], value=rank, expected=expected)
        return rank, max(1, world)
    return 0, 1


def check_weights(weights: Any, count: int, owner: str) -> np.ndarray:
    """Check that there are `count` valid weights, and return them as float64 (count,).

    Args:
        weights: numbers of at least 0, not all 0.
        count: number of rows or datasets.
        owner: `row` or `dataset`, for the error.

    Raises:
        ArgumentError: a weight is missing, invalid or below 0, or all weights are 0.
    """
    try:
        numbers = np.asarray(weights, np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    valid = numbers.shape == (count,) and np.isfinite(numbers).all()
    if not valid or (count and not (numbers.min() >= 0 and numbers.sum() > 0)):
        expected = f"{count:,} numbers of at least 0, one for each {owner}, and not all 0"
        raise ArgumentError(name="weights", value=weights, expected=expected)
    return numbers
