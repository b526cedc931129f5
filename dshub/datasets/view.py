"""Read rows and columns of a dataset."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast, overload

import numpy as np
import pyarrow as pa

from dshub import plugins
from dshub._validate import choice, whole
from dshub.catalog.features import ImageFeature, is_encoded, is_image_file
from dshub.catalog.manifest import AnyPair, Manifest, Pair
from dshub.datasets.arrow import arrow_table
from dshub.datasets.decoding import Encoded, LazyColumn, decode_all
from dshub.datasets.rendering.html import Features, failed_html, rows_html
from dshub.datasets.rendering.showing import is_synthetic, show
from dshub.datasets.selection import (
    Selection,
    check_columns,
    fingerprint,
    position_of,
    positions_of,
    rows_at,
    slice_positions,
)
from dshub.datasets.sources import Source
from dshub.errors import ArgumentError, DshubError
from dshub.loading.blocks import ImageBlocks
from dshub.loading.decoding.choosing import check_decoder
from dshub.loading.decoding.pixels import DEFAULT, Decoding
from dshub.loading.decoding.request import Order
from dshub.loading.pairs import usable
from dshub.loading.transforms.transform import AnyTransform, Batch, Layout
from dshub.tables.columns import Values
from dshub.tables.missing import item

if TYPE_CHECKING:
    import tensorflow as tf

    from dshub.adapters.torch import TorchRows
    from dshub.datasets.dataset import Dataset

BLOCK = 1024  # rows per read when iterating or filtering
SHOWN = 5  # rows to show in a notebook
DECODED_BLOCK = 16  # rows per read if files are decoded; a photo takes several MB


_PRIVATE = re.compile("_(?!_|repr_|ipython_)")

# used by loaders and adapters, and hidden from `dir`
_PLUMBING = {
    *(
        "contents",
        "decoding",
        "encoded",
        "encoded_images",
        "files",
        "gather",
        "image_columns",
        "lengths",
    ),
    *("numbers", "pixels", "positions", "row_identity", "row_range"),
}


@dataclass(frozen=True, eq=False)
class RowView(plugins.FrameworkMethods):
    """Base class of `Dataset` with the methods that read rows and columns.

    Attributes:
        decoding: decoder of images, and the order of their channels; see `decode`.
    """

    _source: Source
    _selection: Selection
    _names: tuple[str, ...]
    _supervised: Pair | None = None
    _decoded: bool = True
    decoding: Decoding = DEFAULT
    _verb: ClassVar = "rows"

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle, without cached values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def files(self) -> Sequence[Path]:
        """Arrow files of the prepared tables; empty for your own data."""
        return self._source.files

    @property
    def row_range(self) -> range | None:
        """Range of source rows in this view, or None if they are not consecutive."""
        rows = self._selection
        if isinstance(rows, range) and rows.step == 1:
            return range(rows.start, rows.start + len(rows))
        return None

    def __len__(self) -> int:
        return len(self._selection)

    @cached_property
    def features(self) -> Features:
        """Features by column name, in column order."""
        return Features((name, self._source.features[name]) for name in self._names)

    @property
    def manifest(self) -> Manifest | None:
        """Manifest with name, version, license and citation, or None for your own data."""
        return self._source.manifest

    @property
    def supervised(self) -> Pair | None:
        """Columns that become `(x, y)`, or None if one of them is missing."""
        return usable(self._supervised, self._names)

    @property
    def image_columns(self) -> list[str]:
        """Columns that contain pixels, not encoded image files."""
        return [
            name
            for name, kind in self.features.items()
            if isinstance(kind, ImageFeature) and (self._decoded or not is_encoded(kind))
        ]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the rows and columns, for example to log with results.

        Views created in the same way have the same fingerprint. Fingerprints of views with equal
        rows can differ, such as those of ``ds.take(3)`` and ``ds.select([0, 1, 2])``.
        """
        identity = self._source.identity
        if self._decoded and self.decoding.order != "rgb":
            identity = [*identity, self.decoding.order]
        return fingerprint(identity, self._selection, self._names, decoded=self._decoded)

    def __repr__(self) -> str:
        return f"<Dataset {self._title}: {len(self):,} rows of {', '.join(self._names)}>"

    @property
    def _title(self) -> str:
        title = self.manifest.identifier if self.manifest is not None else "own data"
        return f"{title}, synthetic" if is_synthetic(self.manifest) else title

    def _repr_html_(self) -> str:
        """Show the first rows in a notebook, or the error that reading them raises."""
        try:
            rows = self._slice(slice(SHOWN))._span()
        except DshubError as error:
            return failed_html(self._title, str(error))
        return rows_html(self._title, self.features, rows, len(self))

    def _ipython_key_completions_(self) -> list[str]:
        """Complete ``ds["`` with column names."""
        return list(self._names)

    def __dir__(self) -> list[str]:
        names = super().__dir__()
        return [name for name in names if name not in _PLUMBING and not _PRIVATE.match(name)]

    def show(self, count: int = 32) -> None:
        """Show the images of the first rows with their classes.

        In a notebook, this shows a grid of images, the same as ``dshub preview --png``. In a
        terminal, it draws them in colored characters. ``ds.shuffle().show()`` shows random rows.

        Args:
            count: maximum number of images.

        Raises:
            ArgumentError: `count` is less than 1.
            DshubError: the dataset has no images.
        """
        show(cast("Dataset", self), whole("count", count, least=1))

    @overload
    def __getitem__(self, key: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, key: str) -> Any: ...  # an array, or a sequence for text and files
    @overload
    def __getitem__(self, key: slice | Sequence[int] | np.ndarray) -> Batch: ...
    def __getitem__(self, key: Any) -> Any:
        """Return a row (integer), a column (name), or several rows (slice, list or mask).

        Raises:
            IndexError: a row is out of range.
            UnknownNameError: the column does not exist.
        """
        if isinstance(key, str):
            return self._column(key)
        if isinstance(key, slice):
            return self._slice(key)._span()
        if isinstance(key, list | tuple) or np.ndim(key):
            return self.gather(positions_of(key, len(self)))
        row = self.gather(position_of(key, len(self)))
        return {name: item(values[0]) for name, values in row.items()}

    def __getitems__(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """Return several rows for torch's `DataLoader`; faster than reading them one by one."""
        columns = self[list(rows)]
        return [
            {name: item(values[i]) for name, values in columns.items()} for i in range(len(rows))
        ]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for start in range(0, len(self), self._block):
            columns = self[start : start + self._block]
            for i in range(min(self._block, len(self) - start)):
                yield {name: item(values[i]) for name, values in columns.items()}

    def gather(self, rows: np.ndarray) -> Batch:
        """Read the rows at the passed positions, in that order, into new arrays.

        Args:
            rows: int64 positions from 0 to len - 1, which are not checked.
        """
        return self._read(self.numbers(rows))

    def positions(self, key: Any) -> np.ndarray:
        """Return the positions of the rows that a key of `__getitem__` selects, int64."""
        if isinstance(key, slice):
            return np.arange(len(self), dtype=np.int64)[key]
        several = isinstance(key, list | tuple) or np.ndim(key) > 0
        return positions_of(key, len(self)) if several else position_of(key, len(self))

    def without(self, names: Sequence[str]) -> Self:
        """Return a view without the named columns."""
        return replace(self, _names=tuple(name for name in self._names if name not in names))

    def columns(self, names: Sequence[str]) -> Self:
        """Return a view with only the named columns, in that order.

        Raises:
            UnknownNameError: a column does not exist.
            ArgumentError: a column is named twice.
        """
        return replace(self, _names=check_columns(names, self._names, self.manifest))

    def decode(self, on: bool | str = True, *, channels: Order = "rgb") -> Self:  # noqa: FBT001, FBT002  # `decode(False)` reads well
        """Return a view that decodes images and audio, or returns their files.

        ``ds.decode("opencv", channels="bgr")`` gives images as OpenCV's functions expect them.

        Args:
            on: `False` for undecoded files; `simplejpeg`, `opencv`, `torchcodec` or `pillow` for
                a library that decodes images; `auto` or True for the fastest installed ones.
                Pillow decodes files that the library does not read.
            channels: order of the color channels of decoded images, `rgb` or `bgr`.

        Raises:
            ArgumentError: the decoder is unknown or not installed, or `channels` is `bgr` and the
                dataset has no encoded images.
        """
        order = choice("channels", channels, ("rgb", "bgr"))
        is_flag = isinstance(on, bool | np.bool_)
        name = "auto" if is_flag else check_decoder(on)
        view = replace(self, _decoded=bool(on), decoding=Decoding(name, order))
        if order != "rgb" and not view.encoded_images:
            expected = "'rgb', because the dataset has no encoded images"
            hint = "reverse the channels of arrays in ds.map(…)"
            raise ArgumentError(name="channels", value=channels, expected=expected, hint=hint)
        return view

    def pixels(self, name: str) -> np.ndarray | ImageBlocks | None:
        """Return raw images of all source rows, or None if they are not stored as arrays."""
        feature = self.features[name]
        if not isinstance(feature, ImageFeature) or feature.encoding != "raw":
            return None
        array = self._source.contiguous(name)
        return self._source.blocks(name) if array is None else array

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """Return the source row number of each position, int64."""
        return rows_at(self._selection, rows)

    def lengths(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Return the length of each text (characters), file (bytes) or list (values), int64.

        The length of a missing value is 0.
        """
        values = self._source.read(name, self.numbers(rows))
        lengths = (0 if value is None else len(value) for value in values)
        return np.fromiter(lengths, np.int64, len(rows))

    def _column(self, name: str) -> np.ndarray | Sequence[Any]:
        view = self.columns([name])
        if name in self.encoded:
            return LazyColumn(cast("Dataset", view), name)
        return cast("Values", view._span()[name])

    def _span(self) -> Batch:
        """Read all rows, as views if they are consecutive."""
        return self._read(self._source_rows())

    def _source_rows(self) -> range | np.ndarray:
        rows = self.row_range
        return self.numbers(np.arange(len(self), dtype=np.int64)) if rows is None else rows

    def _read(self, rows: range | np.ndarray) -> Batch:
        """Read source rows, and decode encoded columns."""
        return self.decoded(self._source.batch(self._names, rows), rows)

    def decoded(self, batch: Batch, rows: range | np.ndarray) -> Batch:
        """Decode the encoded columns of a batch of source rows."""
        for name in self.encoded:
            feature, where = cast("Encoded", self.features[name]), partial(self._where, rows, name)
            batch[name] = decode_all(batch[name], feature, where, self.decoding)
        return batch

    def _where(self, rows: range | np.ndarray, name: str, index: int) -> str:
        return self._source.describe(int(rows[index]), name)

    def contents(self, name: str, rows: np.ndarray) -> Sequence[bytes | memoryview]:
        """Return the files of an encoded column at positions, without copies if possible."""
        return self._source.contents(name, self.numbers(rows))

    @property
    def encoded_images(self) -> list[str]:
        """Columns of image files, including masks, that are decoded when rows are read."""
        return [name for name in self.encoded if is_image_file(self.features[name])]

    @cached_property
    def encoded(self) -> list[str]:
        """Columns that are decoded when rows are read."""
        return [name for name in self._names if self._decoded and is_encoded(self.features[name])]

    @property
    def _block(self) -> int:
        """Number of rows per read when iterating or filtering."""
        return DECODED_BLOCK if self.encoded else BLOCK

    def _slice(self, positions: slice) -> Self:
        return replace(self, _selection=slice_positions(self._selection, positions))

    def torch(
        self,
        *,
        supervised: bool | AnyPair = False,
        transform: AnyTransform | Sequence[AnyTransform] | None = None,
        layout: Layout = "hwc",
    ) -> "TorchRows":
        """Return rows of PyTorch tensors for a `DataLoader`; see `dshub.adapters.torch.rows`."""
        options = {"supervised": supervised, "transform": transform, "layout": layout}
        return cast("TorchRows", self.to("torch", **options))

    def tf(self, *, supervised: bool | AnyPair = False) -> "tf.data.Dataset[Any]":
        """Return a `tf.data.Dataset` of rows; see `dshub.adapters.tf.rows`."""
        return self.to("tf", supervised=supervised)

    def where(self, row: int, column: str = "") -> str:
        """Describe a row for an error message, with one of its columns if it is passed.

        An example is `flowers@1.0.0, split train, row 3 (rose/4.jpg), column image`.
        """
        return self._source.describe(int(self.numbers(np.array([row]))[0]), column)

    @overload
    def numpy(self, *, supervised: Literal[False] = ...) -> Batch: ...

    @overload
    def numpy(self, *, supervised: Literal[True] | AnyPair) -> tuple[Any, Any]: ...

    def numpy(self, *, supervised: bool | AnyPair = False) -> Batch | tuple[Any, Any]:
        """Return whole columns, as views of the memory map if possible.

        Args:
            supervised: True or a pair of columns to get `(x, y)` instead of a dict.
        """
        if supervised is not False:
            return cast("tuple[Any, Any]", self.to("numpy", supervised=supervised))
        lazy = {name: self._column(name) for name in self.encoded}
        arrays = self.columns([name for name in self._names if name not in lazy])._span()
        return {name: lazy[name] if name in lazy else arrays[name] for name in self._names}

    def arrow(self) -> pa.Table:
        """Return a `pyarrow.Table`, with images and audio as encoded files.

        Consecutive rows are not copied. Other rows are copied, for example after `shuffle`.
        """
        return arrow_table(self._source, self._names, self._source_rows())
