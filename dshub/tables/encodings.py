"""Recognize image and audio files by their first bytes, and count images of unstated formats.

ImageNet's JPEG files include a PNG, for example. They are kept and decoded like the others.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from dshub.catalog.features import Feature, is_image_file

SIGNATURES: dict[str, tuple[bytes, ...]] = {
    "jpeg": (b"\xff\xd8\xff",),
    "png": (b"\x89PNG",),
    "any": (
        b"\xff\xd8\xff",
        b"\x89PNG",
        b"GIF8",
        b"BM",
        b"RIFF",  # WebP
        b"II*\0",  # TIFF
        b"MM\0*",
    ),
    "wav": (b"RIFF", b"RF64", b"RIFX"),
    "flac": (b"fLaC",),
    "mp3": (b"ID3", *(bytes([0xFF, second]) for second in (0xE2, 0xE3, 0xF2, 0xF3, 0xFA, 0xFB))),
    "ogg": (b"OggS",),
    "aiff": (b"FORM",),
}
AUDIO = ("wav", "flac", "mp3", "ogg", "aiff")  # encodings
SIGNATURES["image"] = (  # of every format that is decoded
    *SIGNATURES["any"],
    *(b"P%c%c" % (kind, space) for kind in b"123456fF" for space in b" \n\r\t"),  # Netpbm
    b"\0\0\0\x0cjP  ",  # JPEG 2000
    b"\xff\x4f\xff\x51",
    b"II+\0",  # BigTIFF
    b"MM\0+",
    b"qoif",
    *(bytes([0, 0, 0, size]) + b"ftypavi" for size in range(0x14, 0x40, 4)),  # AVIF
)
SIGNATURES["audio"] = tuple(signature for name in AUDIO for signature in SIGNATURES[name])

_NAMES = {
    "JPEG": b"\xff\xd8\xff",
    "PNG": b"\x89PNG",
    "GIF": b"GIF8",
    "BMP": b"BM",
    "WebP": b"RIFF",
    "TIFF": b"II",
    "TIFF (big-endian)": b"MM",
}
_OTHER = "of other formats"


def other_formats(
    columns: Iterable[tuple[str, pa.Array]], features: Mapping[str, Feature]
) -> Counter[tuple[str, str]]:
    """Count files by column and format, without those of the stated encoding.

    Args:
        columns: names and files of columns; other columns are ignored.
        features: features of the columns.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for name, files in columns:
        feature = features[name]
        if not is_image_file(feature) or feature.encoding == "any":
            continue
        (expected,) = SIGNATURES[feature.encoding]
        differs = pc.invert(pc.starts_with(files, pattern=expected))
        others = files.filter(differs).drop_null()
        for kind, signature in _NAMES.items():
            counts[name, kind] += pc.sum(pc.starts_with(others, pattern=signature)).as_py() or 0
        counts[name, _OTHER] += len(others) - sum(counts[name, kind] for kind in _NAMES)
    return +counts


def sentences(
    counts: Mapping[tuple[str, str], int], features: Mapping[str, Feature]
) -> Iterator[str]:
    """Yield a sentence for each column, such as `column image: 1 PNG among the JPEG files`."""
    for column in dict.fromkeys(column for column, _ in counts):
        parts = [f"{n:,} {kind}" for (name, kind), n in sorted(counts.items()) if name == column]
        encoding = getattr(features[column], "encoding", "").upper()
        yield f"column {column}: {', '.join(parts)} among the {encoding} files"
