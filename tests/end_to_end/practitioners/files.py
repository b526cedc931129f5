"""Write files of data sets."""

import io
import json
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

Make = Callable[[Path], None]


def write(path: Path, content: bytes | str) -> None:
    """Write a file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def files(**contents: bytes | str) -> Make:
    """Return a function that writes files; `/` in names is `__`, and `.` is `_dot_`."""
    return tree({name.replace("__", "/").replace("_dot_", "."): c for name, c in contents.items()})


def tree(contents: dict[str, Any]) -> Make:
    """Return a function that writes files by path; values are the content or functions of it."""

    def make(folder: Path) -> None:
        for name, content in contents.items():
            write(folder / name, content() if callable(content) else content)

    return make


def text(name: str, *lines: str, encoding: str = "utf-8", end: str = "\n") -> Make:
    """Return a function that writes a file of lines."""
    return tree({name: "".join(line + end for line in lines).encode(encoding)})


def parquet(name: str, table: Callable[[], pa.Table]) -> Make:
    """Return a function that writes a Parquet file."""

    def make(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table(), folder / name)

    return make


def both(*makers: Make) -> Make:
    """Return a function that writes the files of several functions."""

    def make(folder: Path) -> None:
        for maker in makers:
            maker(folder)

    return make


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    """Return an image file."""
    sink = io.BytesIO()
    image.save(sink, form, **options)
    return sink.getvalue()


def solid(size: tuple[int, int], color: Any, form: str = "PNG", mode: str = "RGB") -> bytes:
    """Return an image file of one color; `size` is (height, width)."""
    return encoded(Image.new(mode, size[::-1], color), form)


def array_file(values: Any, dtype: str, form: str = "PNG") -> bytes:
    """Return a gray image file with the values of an array (height, width)."""
    return encoded(Image.fromarray(np.asarray(values, dtype)), form)


def palette(values: Sequence[Sequence[int]]) -> bytes:
    """Return a PNG file with a palette, as the masks of Pascal VOC are."""
    image = Image.fromarray(np.asarray(values, np.uint8))
    image.putpalette([number * 7 % 256 for number in range(768)])
    return encoded(image, "PNG")


def ramp(samples: int, channels: int = 1, step: int = 10) -> np.ndarray:
    """Return rising samples, int16 (samples, channels)."""
    return np.repeat(np.arange(samples, dtype=np.int16)[:, None] * step, channels, 1).astype("<i2")


def wav(samples: int, rate: int = 8000, channels: int = 1, *, ffmpeg: bool = False) -> bytes:
    """Return a 16-bit WAV file of rising samples.

    Args:
        samples: number of samples.
        rate: samples per second.
        channels: number of channels.
        ffmpeg: whether to add a LIST chunk before the samples, and to leave the sizes unset, as
            ffmpeg does when it writes to a pipe.
    """
    data = ramp(samples, channels).tobytes()
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * 2 * channels, 2 * channels, 16)
    chunks = [b"fmt " + struct.pack("<I", len(form)) + form]
    if ffmpeg:
        info = b"INFOISFT\x0e\0\0\0Lavf60.16.100\0"
        chunks.append(b"LIST" + struct.pack("<I", len(info)) + info)
    length = 0xFFFFFFFF if ffmpeg else len(data)
    body = b"WAVE" + b"".join(chunks) + b"data" + struct.pack("<I", length) + data
    return b"RIFF" + struct.pack("<I", 0xFFFFFFFF if ffmpeg else len(body)) + body


def jsonl(name: str, *rows: Any) -> Make:
    """Return a function that writes a file of JSON Lines."""
    return text(name, *(json.dumps(row, ensure_ascii=False) for row in rows))
