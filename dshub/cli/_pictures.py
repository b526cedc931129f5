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
    """A sheet as lines of half blocks: two pixels a character, in 24 steps of grey.

    Args:
        sheet: uint8 (height, width, channels).
        width: characters in a line.
    """
    height = max(1, round(sheet.shape[0] * width / sheet.shape[1] / 2)) * 2
    grey = Image.fromarray(sheet.mean(axis=2).astype(np.uint8))
    small = np.asarray(grey.resize((width, height), Image.Resampling.BOX)).astype(int)
    steps = 232 + small * 23 // 255  # the greys of the 256-colour palette
    lines = []
    for upper, lower in zip(steps[::2], steps[1::2], strict=True):
        cells = (f"\x1b[38;5;{a};48;5;{b}m▀" for a, b in zip(upper, lower, strict=True))
        lines.append("".join(cells) + "\x1b[0m")
    return "\n".join(lines)
