"""Decode image and audio files when their rows are read.

`dshub.loading.decoding` decodes images to upright uint8 arrays (height, width, channels), with 1
channel if the feature's shape has 1, or else with 3. Images of other types and masks keep their
values. Audio becomes int16 (samples,), or (samples,
channels) if there are several channels.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from dshub.catalog.features import AudioFeature, ImageFeature, MaskFeature
from dshub.datasets.audio import decode_audio, probe
from dshub.loading.decoding.images import decoding_errors
from dshub.loading.decoding.pixels import DEFAULT, Decoding, decode_image, shape_text

if TYPE_CHECKING:
    from dshub.datasets.dataset import Dataset

Encoded = ImageFeature | MaskFeature | AudioFeature


def decode_all(
    files: Sequence[bytes | None],
    feature: Encoded,
    where: Callable[[int], str],
    decoding: Decoding = DEFAULT,
) -> np.ndarray | list[Any]:
    """Decode files into one array (files, …) if the feature has a shape, or else into a list.

    If files are missing, the result is a list with None for them.

    Args:
        files: contents of the files; None for a missing file.
        feature: feature of the column.
        where: function that describes the row and column of a file by its index, for errors.
        decoding: decoder of images.

    Raises:
        ReadError: a file is damaged, or has an unsupported format.
        SchemaError: an image or audio file does not fit the feature.
        MissingExtraError: an audio file needs soundfile, which is not installed.
    """
    present = [i for i, data in enumerate(files) if data is not None]
    if len(present) == len(files):
        return _decode_present(cast("Sequence[bytes]", files), feature, where, decoding)
    values: list[Any] = [None] * len(files)
    contents = cast("Sequence[bytes]", [files[i] for i in present])
    decoded = _decode_present(contents, feature, lambda i: where(present[i]), decoding)
    for i, value in zip(present, decoded, strict=True):
        values[i] = value
    return values


def _decode_present(
    files: Sequence[bytes], feature: Encoded, where: Callable[[int], str], decoding: Decoding
) -> np.ndarray | list[np.ndarray]:
    if isinstance(feature, AudioFeature):
        return [_decode_audio(data, feature, partial(where, i)) for i, data in enumerate(files)]
    if not feature.shape:
        return [
            decode_image(data, feature, decoding, partial(where, i)) for i, data in enumerate(files)
        ]
    decoded = np.empty((len(files), *feature.shape), feature.dtype)
    for i, data in enumerate(files):
        decoded[i] = decode_image(data, feature, decoding, partial(where, i), reuse=True)
    return decoded


def _decode_audio(data: bytes, feature: AudioFeature, where: Callable[[], str]) -> np.ndarray:
    with decoding_errors(where, data=data):
        return decode_audio(data, feature, where)


def detect_audio(data: bytes, where: str) -> AudioFeature:
    """Infer the feature of an audio file; raise ReadError for a cut file or another format."""
    with decoding_errors(lambda: where, hint="", data=data):
        return probe(data)


class LazyColumn(Sequence[Any]):
    """A column of image or audio files, decoded on access and not cached.

    ``ds["image"][3]`` is an image, and ``ds["image"][10:20]`` is another lazy column. ``np.array``
    decodes all rows, which must have the same shape and fit in memory.

    Args:
        view: dataset with only this column.
        name: name of the column.
        functions: functions to apply to each decoded row, in order.
    """

    def __init__(
        self, view: "Dataset", name: str, functions: tuple[Callable[[Any], Any], ...] = ()
    ) -> None:
        self._view, self._name, self._functions = view, name, functions

    def __len__(self) -> int:
        return len(self._view)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            rows = np.arange(len(self))[key]
            return LazyColumn(self._view.select(rows), self._name, self._functions)
        return self._value(self._view[key])

    def _value(self, row: dict[str, Any]) -> Any:
        value = row[self._name]
        for function in self._functions:
            value = function(value)
        return value

    def __iter__(self) -> Iterator[Any]:
        return map(self._value, self._view)

    def map(self, function: Callable[[Any], Any]) -> "LazyColumn":
        """Return the column with `function` applied to each row on access.

        `DataLoader` workers can receive the result if `function` can be pickled.
        """
        return LazyColumn(self._view, self._name, (*self._functions, function))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:  # noqa: FBT001  # NumPy's protocol
        if copy is False:
            raise ValueError(
                "a lazy column cannot become an array without a copy; leave out copy=False"
            )
        rows: list[np.ndarray] = []
        for row in self._view:
            rows.append(row[self._name])
            if rows[-1].shape != rows[0].shape:
                shapes = " and ".join(sorted(shape_text(rows[i].shape) for i in (0, -1)))
                raise ValueError(
                    f"rows of column {self._name} have different shapes, such as {shapes}"
                )
        return np.array(rows, dtype)

    def __repr__(self) -> str:
        return f"<LazyColumn {self._name}: {len(self):,} rows, decoded on access>"
