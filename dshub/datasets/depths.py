"""Find the dtype of the pixels of image files, and whether images are masks."""

import io
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np

from dshub.catalog.features import ImageFeature, MaskFeature
from dshub.errors import DshubError, SchemaError
from dshub.loading.decoding import images, values
from dshub.loading.decoding.pixels import DEFAULT, decode_image

SAMPLE = 100  # headers to read before those of all files
FEW = 5  # files to read completely
_DEEP = (".png", ".tif", ".tiff", ".pgm", ".ppm", ".pnm", ".pfm", ".jp2", ".j2k")
_PNG = b"\x89PNG\r\n\x1a\n"


def image_feature(root: Path, files: Sequence[str], dtype: str | None = None) -> ImageFeature:
    """Return the feature of image files of any size.

    Args:
        root: folder of the files.
        files: paths of the files below the folder.
        dtype: dtype of the pixels; None for the one in the headers of the files.

    Raises:
        SchemaError: some files have pixels of 8 bits, and others of more.
    """
    found = _dtypes(root, files) if dtype is None else {dtype: ""}
    if len(found) > 1 and "uint8" in found:
        wide = common(found)
        got = " and ".join(f"{name} ({file})" for name, file in found.items())
        raise SchemaError(
            where=str(root),
            expected="pixels of one type",
            got=got,
            hint=f'pass dtype="uint8" to reduce pixels to 8 bits, or dtype="{wide}" to keep values',
        )
    return msgspec.convert(
        {"kind": "image", "encoding": "any", "dtype": common(found)}, ImageFeature
    )


def mask_feature(root: Path, files: Sequence[str]) -> MaskFeature | ImageFeature:
    """Return the feature of mask files of any size; masks of colors are images."""
    found = common(_dtypes(root, files)).replace("float32", "int32")
    feature = msgspec.convert({"kind": "mask", "encoding": "any", "dtype": found}, MaskFeature)
    is_mask = all(holds_classes((root / file).read_bytes()) for file in evenly(files, FEW))
    return feature if is_mask else ImageFeature(encoding="any")


def holds_classes(data: bytes) -> bool:
    """Return False for an image of colors; damaged files are reported when they are read."""
    feature = MaskFeature(encoding="any", dtype="int32")
    try:
        decode_image(data, feature, DEFAULT, str)
    except SchemaError:
        return False
    except DshubError:
        pass
    return True


def header_dtype(file: BinaryIO, size: int) -> str:
    """Return the dtype of the pixels of an image file: uint8, uint16, int32 or float32.

    Args:
        file: file of `size` bytes, at its beginning.
        size: size of the file.
    """
    head = file.read(32)
    if head[:8] == _PNG and head[24:25] <= b"\x08":
        return "uint8"
    file.seek(0)
    try:
        with images.open_image(file, size) as image:
            return values.dtype_of(image)
    except Exception:  # noqa: BLE001  # damaged files are reported when they are read
        return "uint8"


def dtype_of_files(files: Iterable[bytes]) -> Any:
    """Return the dtype of the pixels of image files: uint8 if any of them has 8 bits."""
    found = {header_dtype(io.BytesIO(data), len(data)) for data in files}
    return "uint8" if "uint8" in found else common(found)


def common(dtypes: Iterable[str]) -> str:
    """Return the dtype that holds the values of all dtypes."""
    kinds: list[Any] = [np.dtype(name) for name in dtypes]
    widest = np.result_type(*kinds) if kinds else np.dtype(np.uint8)
    # msgspec omits a default only if it is the same object
    return "float32" if widest.kind == "f" else sys.intern(widest.name)


def _dtypes(root: Path, files: Sequence[str]) -> Mapping[str, str]:
    """Return the dtypes in the headers of files, each with the first file that has it.

    Only a sample is read if all its files have 8 bits.
    """
    deep = [file for file in files if file.lower().endswith(_DEEP)]
    found = _read(root, evenly(deep, SAMPLE))
    if found.keys() <= {"uint8"}:
        return {"uint8": files[0]} if files else {}
    others = [file for file in files if not file.lower().endswith(_DEEP)]
    return _read(root, deep) | ({"uint8": others[0]} if others else {})


def _read(root: Path, files: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in files:
        try:
            with (root / file).open("rb") as opened:
                size = os.fstat(opened.fileno()).st_size
                found.setdefault(header_dtype(opened, size), file)
        except OSError:  # reported when the file is read
            continue
    return found


def evenly(files: Sequence[str], count: int) -> Sequence[str]:
    """Return files at equal distances, including the first one."""
    return files[:: -(-len(files) // count)] if files else files
