"""Pictures and recordings as files: what kind each is, and PNG of raw pixels."""

import io
from typing import cast

import numpy as np
from PIL import Image

from dshub.manifest import AudioFeature, Feature, ImageFeature

_ENDINGS = {  # how each kind of file begins, as its own format says
    b"\xff\xd8\xff": "jpg",
    b"\x89PNG": "png",
    b"GIF8": "gif",
    b"BM": "bmp",
    b"II*\0": "tif",
    b"MM\0*": "tif",
    b"fLaC": "flac",
}


def is_picture(feature: Feature) -> bool:
    """Whether a column can be written as files of pictures: kept so, or what PNG can hold."""
    if not isinstance(feature, ImageFeature):
        return False
    raw = feature.dtype == "uint8" and feature.shape[2:] in {(1,), (3,), (4,)}
    return feature.encoding != "raw" or raw


def is_file(feature: Feature) -> bool:
    """Whether a column can be written as files."""
    return is_picture(feature) or isinstance(feature, AudioFeature)


def as_file(value: bytes | np.ndarray) -> bytes:
    """The file of a row: as it is kept, or a PNG of raw pixels, (height, width, 1, 3 or 4)."""
    if isinstance(value, bytes):
        return value
    sink = io.BytesIO()
    Image.fromarray(value[:, :, 0] if value.shape[2] == 1 else value).save(sink, "PNG")
    return sink.getvalue()


def ending(data: bytes) -> str:
    """How the name of a file ends, told by its content."""
    if data[:4] == b"RIFF":
        return "webp" if data[8:12] == b"WEBP" else "wav"
    found = (name for start, name in _ENDINGS.items() if data.startswith(start))
    return next(found, "bin")


def files_of(values: object) -> list[bytes]:
    """The files of a column of a block."""
    return [as_file(value) for value in cast("list[bytes]", values)]
