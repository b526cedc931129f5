"""Pictures for a person: a grid as PNG, and in the terminal where that works."""

import os
import sys

import numpy as np
from PIL import Image


def grid(pictures: np.ndarray, columns: int, *, gap: int = 2) -> np.ndarray:
    """Pictures side by side on white.

    Args:
        pictures: uint8 (count, height, width, channels), 1 or 3 channels.
        columns: how many in a row.

    Returns:
        uint8 (height, width, channels).
    """
    count, height, width, channels = pictures.shape
    rows = -(-count // columns)
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, channels)
    sheet = np.full(shape, 255, np.uint8)
    for i, picture in enumerate(pictures):
        y, x = i // columns * (height + gap), i % columns * (width + gap)
        sheet[y : y + height, x : x + width] = picture
    return sheet


def to_png(sheet: np.ndarray, scale: int = 3) -> Image.Image:
    """A sheet as an image, each pixel `scale` times as large."""
    image = Image.fromarray(sheet[:, :, 0] if sheet.shape[2] == 1 else sheet)
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


def terminal_can_show() -> bool:
    """Whether standard output is a terminal with colours and half blocks."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return sys.stdout.isatty() and encoding == "utf8" and not plain


def blocks(sheet: np.ndarray, width: int) -> str:
    """A sheet as lines of half blocks, two pixels a character: in 24-bit colour, or in greys.

    Args:
        sheet: uint8 (height, width, channels), 1 or 3 channels.
        width: characters in a line.
    """
    height = max(1, round(sheet.shape[0] * width / sheet.shape[1] / 2)) * 2
    image = to_png(sheet, scale=1).resize((width, height), Image.Resampling.BOX)
    paint = _in_color if os.environ.get("COLORTERM") in {"truecolor", "24bit"} else _in_grey
    rows = paint(image)
    lines = []
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        cells = (f"\x1b[38;{a};48;{b}m▀" for a, b in zip(upper, lower, strict=True))
        lines.append("".join(cells) + "\x1b[0m")
    return "\n".join(lines)


def _in_color(image: Image.Image) -> list[list[str]]:
    """Each pixel as ISO 8613-6 names its colour: `2;red;green;blue`."""
    pixels = np.asarray(image.convert("RGB")).tolist()
    return [[f"2;{red};{green};{blue}" for red, green, blue in row] for row in pixels]


def _in_grey(image: Image.Image) -> list[list[str]]:
    """Each pixel as one of the 24 greys of the 256-colour palette."""
    pixels = np.asarray(image.convert("L")).astype(int)
    return [[f"5;{232 + value * 23 // 255}" for value in row] for row in pixels.tolist()]
