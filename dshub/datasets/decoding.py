"""Pictures and recordings out of the files that they are kept as, when a row is read.

Pictures are uint8 (height, width, channels), upright, with the 3 channels red, green and blue, or
with 1 where the feature's shape says so. Recordings are int16 (samples,), or (samples, channels)
where there are several channels.
"""

import io
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, Protocol, overload

import numpy as np
from PIL import Image, UnidentifiedImageError

from dshub.catalog.features import AudioFeature, ImageFeature
from dshub.datasets import images
from dshub.errors import DshubError, MissingExtraError, ReadError, SchemaError

Encoded = ImageFeature | AudioFeature

ALWAYS_SAMPLES = 1 << 25  # of all channels: any file may hold so many, 64 MiB
SAMPLES_PER_BYTE = 250  # above that; FLAC of music has one, speech at 6 kbit/s has 64
_HINT = "`ds.decode(False)` hands out the files as they are"
_TURNS: Mapping[int, Image.Transpose] = {  # its values, and what puts the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_all(
    files: Sequence[bytes], feature: Encoded, where: Callable[[int], str]
) -> np.ndarray | list[np.ndarray]:
    """Several files: one array (files, …) where the feature has a shape, or a list of arrays.

    Args:
        files: as they are kept.
        feature: what they hold.
        where: dataset, row and column of a file by its place in `files`, for errors.

    Raises:
        ReadError: a file is damaged, or of no kind that is known.
        SchemaError: it holds another picture or recording than the feature says.
        MissingExtraError: a recording needs soundfile, which is not installed.
    """
    if not isinstance(feature, ImageFeature) or not feature.shape:
        return [_decoded(data, feature, where, i) for i, data in enumerate(files)]
    pictures = np.empty((len(files), *feature.shape), np.uint8)
    for i, data in enumerate(files):
        pictures[i] = _decoded(data, feature, where, i)
    return pictures


def _decoded(data: bytes, feature: Encoded, where: Callable[[int], str], place: int) -> np.ndarray:
    with _translated(lambda: where(place)):
        if isinstance(feature, ImageFeature):
            found, got = _pixels(data, feature.shape)
            expected = _shape(feature.shape) if feature.shape else got
        else:
            found, rate = recording(data)
            expected = f"{feature.channels} channel(s) at {feature.rate} Hz"
            got = f"{found.shape[1] if found.ndim > 1 else 1} channel(s) at {rate} Hz"
    if got != expected or found is None:
        raise SchemaError(where=where(place), expected=expected, got=got, hint=_HINT)
    return found


@contextmanager
def _translated(where: Callable[[], str]) -> Iterator[None]:
    """What a library says of a file it cannot read, as ReadError."""
    try:
        yield
    except DshubError:
        raise
    except UnidentifiedImageError as error:
        reason = f"it is no picture of a kind that dshub reads: {', '.join(images.formats())}"
        raise ReadError(file=where(), reason=reason, hint=_HINT) from error
    except Exception as error:  # on damaged bytes, these libraries raise whatever they meet
        reason = f"it cannot be decoded: {str(error) or type(error).__name__}"
        raise ReadError(file=where(), reason=reason, hint=_HINT) from error


def recording_feature(data: bytes, where: str) -> AudioFeature:
    """What a recording is, told by its file; raises ReadError where that is no WAV or FLAC."""
    if data[:4] not in {b"RIFF", b"fLaC"}:
        reason = f"it is neither WAV nor FLAC: it begins with {data[:8]!r}"
        raise ReadError(file=where, reason=reason)
    with _translated(lambda: where):
        samples, rate = recording(data)
    channels = samples.shape[1] if samples.ndim > 1 else 1
    encoding: Literal["wav", "flac"] = "wav" if data[:4] == b"RIFF" else "flac"
    return AudioFeature(rate=rate, channels=channels, encoding=encoding)


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _pixels(data: bytes, shape: Sequence[int]) -> tuple[np.ndarray | None, str]:
    """The pixels of a file, upright, uint8 (height, width, channels), and their shape in words.

    Transparency is left out, of 16 bits the upper 8 are taken, and grey is the luma of ITU-R
    BT.601. Of several pictures it is the first.

    Args:
        data: the file, in a format of `dshub.datasets.images`.
        shape: of the pixels, where the feature has one. A file whose header says something else
            is not decoded: its pixels are None.

    Raises:
        ValueError: its values have no range, as floats; it promises too much, or ends early.
        Exception: whatever Pillow raises where the file is damaged.
    """
    height, width, channels = shape or (0, 0, 3)
    stream = io.BytesIO(data)
    with images.open_image(stream, len(data), expected=(width, height)) as opened:
        if shape and opened.size not in {(width, height), (height, width)}:
            return None, _shape((opened.height, opened.width, channels))
        images.load(opened, stream)
        image = _in_mode(opened, "L" if channels == 1 else "RGB")
        turn = _TURNS.get(images.orientation(opened))
    pixels = np.array(image if turn is None else image.transpose(turn))
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return pixels, _shape(pixels.shape)


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == mode:
        return image
    if image.mode == "F":
        raise ValueError("its values are floats, of which nobody says what white is")
    if image.mode.startswith("I"):  # 16 bits, which Pillow's own conversion would cut off at 255
        image = Image.fromarray((np.asarray(image).clip(0, 0xFFFF) >> 8).astype(np.uint8))
    if "transparency" in image.info or image.mode in {"PA", "RGBa"}:  # has no way of its own
        image = image.convert("RGBA")
    return image.convert(mode)


def recording(data: bytes) -> tuple[np.ndarray, int]:
    """The samples of a WAV or FLAC file, int16 (samples,) or (samples, channels), and the rate.

    Of 24 and 32 bits the upper 16 are taken; 8 bits become the upper ones; floats from -1 to 1
    become the whole range.

    Raises:
        MissingExtraError: it is FLAC, and soundfile is not installed.
        ValueError: it is damaged, or WAV of a kind that the standard library does not read.
        Exception: whatever soundfile raises where the file is damaged.
    """
    samples, rate = _wav(data) if data[:4] == b"RIFF" else _by_soundfile(data)
    return (samples[:, 0] if samples.shape[1] == 1 else samples), rate


def _wav(data: bytes) -> tuple[np.ndarray, int]:
    """(samples, channels) int16, and samples a second."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            channels, width, rate, count = file.getparams()[:4]
            values = file.readframes(count)
    except EOFError:
        raise ValueError("it ends too soon") from None
    except wave.Error as error:  # PCM is all that the standard library knows
        try:
            return _by_soundfile(data)
        except MissingExtraError:
            told = f"{error}; more kinds are read with `pip install 'dshub[audio]'`"
            raise ValueError(told) from None
    if len(values) != channels * width * count:
        held = len(values) // (channels * width)
        raise ValueError(f"its header promises {count:,} samples, but {held:,} follow")
    return _upper_bits(values, width).reshape(-1, channels), rate


def _upper_bits(values: bytes, width: int) -> np.ndarray:
    """Little-endian PCM of so many bytes as int16: unsigned where it is one byte."""
    if width == 1:
        return (np.frombuffer(values, np.uint8).astype(np.int16) - 128) << 8
    upper = np.frombuffer(values, np.uint8).reshape(-1, width)[:, -2:]
    return np.ascontiguousarray(upper).view("<i2")[:, 0].astype(np.int16)


def _by_soundfile(data: bytes) -> tuple[np.ndarray, int]:
    """(samples, channels) int16, and samples a second."""
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtraError(package="soundfile", extra="audio") from error
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        allowed = max(ALWAYS_SAMPLES, SAMPLES_PER_BYTE * len(data))
        if file.frames * file.channels > allowed:
            told = f"{file.frames:,} samples for each of {file.channels} channels"
            raise ValueError(f"its header promises {told}, but its bytes may hold {allowed:,}")
        is_float = file.subtype in {"FLOAT", "DOUBLE"}
        values = file.read(dtype="float64" if is_float else "int16", always_2d=True)
        if len(values) != file.frames:
            raise ValueError(f"it promises {file.frames:,} samples, but {len(values):,} follow")
        if is_float:
            values = np.clip(np.rint(values * 0x8000), -0x8000, 0x7FFF).astype(np.int16)
        return values, int(file.samplerate)


class _View(Protocol):
    """Rows of one column, as a dataset gives them."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[dict[str, Any]]: ...
    def __getitem__(self, key: int, /) -> dict[str, Any]: ...
    def select(self, rows: np.ndarray, /) -> "_View": ...


class LazyColumn(Sequence[Any]):
    """A whole column of files, each decoded when it is asked for and kept by nobody.

    ``ds["image"][3]`` is a picture; ``ds["image"][10:20]`` is such a column again. ``np.array``
    decodes all of it, which needs the memory for all, and rows of one shape.

    Args:
        view: a dataset with that column alone.
        name: of the column.
        made: what is done to each row before it is handed out, one after the other.
    """

    def __init__(self, view: _View, name: str, made: tuple[Callable[[Any], Any], ...] = ()) -> None:
        self._view, self._name, self._made = view, name, made

    def __len__(self) -> int:
        return len(self._view)

    @overload
    def __getitem__(self, key: int) -> Any: ...
    @overload
    def __getitem__(self, key: slice) -> "LazyColumn": ...
    def __getitem__(self, key: int | slice) -> Any:
        if isinstance(key, slice):
            rows = np.arange(len(self))[key]
            return LazyColumn(self._view.select(rows), self._name, self._made)
        return self._row(self._view[key])

    def _row(self, row: dict[str, Any]) -> Any:
        value = row[self._name]
        for made in self._made:
            value = made(value)
        return value

    def __iter__(self) -> Iterator[Any]:
        return map(self._row, self._view)

    def mapped(self, made: Callable[[Any], Any]) -> "LazyColumn":
        """The same column, each row of which becomes something else when it is asked for.

        It pickles, for the workers of a `DataLoader`, if `made` does.
        """
        return LazyColumn(self._view, self._name, (*self._made, made))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:  # noqa: FBT001  # NumPy's protocol
        if copy is False:
            raise ValueError("what is decoded is always new")
        shapes = set()
        rows = []
        for row in self._view:
            rows.append(row[self._name])
            shapes.add(rows[-1].shape)
            if len(shapes) > 1:
                told = " and ".join(_shape(shape) for shape in sorted(shapes))
                raise ValueError(f"rows of column {self._name} have several shapes, {told}")
        return np.array(rows, dtype)

    def __repr__(self) -> str:
        return f"<LazyColumn {self._name}: {len(self):,} rows, decoded one by one>"
