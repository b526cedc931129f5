"""Sheets of images, and images as half blocks in terminals."""

import os
import sys
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dshub.cli import _screen

PAPER, INK, SOFT = (255, 255, 255), (23, 24, 28), (110, 115, 125)

_LINE = 20  # pixels of a line of text
_SIZE = 13  # of the font


def sheet(images: Sequence[Image.Image], *, side: int, columns: int, gap: int) -> Image.Image:
    """Images in squares of `side` pixels, in rows, on white."""
    return _arranged([_fitted(image, side) for image in images], columns, gap)


def captioned(
    images: Sequence[Image.Image],
    captions: Sequence[str],
    *,
    side: int,
    columns: int,
    note: str,
) -> Image.Image:
    """A sheet with a caption below each image, cut to its width, and a note below all."""
    tiles = []
    for image, text in zip(images, captions, strict=True):
        tile = Image.new("RGB", (side, side + _LINE), PAPER)
        tile.paste(_fitted(image, side), (0, 0))
        _write(tile, text, (side // 2, side + _LINE // 2), most=side, color=INK)
        tiles.append(tile)
    grid = _arranged(tiles, columns, 12)
    whole = Image.new("RGB", (grid.width + 32, grid.height + 32 + _LINE * bool(note)), PAPER)
    whole.paste(grid, (16, 16))
    if note:
        middle = whole.width // 2, whole.height - 16
        _write(whole, note, middle, most=whole.width - 32, color=SOFT)
    return whole


def _arranged(tiles: Sequence[Image.Image], columns: int, gap: int) -> Image.Image:
    """Tiles of one size in rows."""
    (width, height), columns = tiles[0].size, min(columns, len(tiles))
    lines = -(-len(tiles) // columns)
    size = columns * (width + gap) - gap, lines * (height + gap) - gap
    whole = Image.new("RGB", size, PAPER)
    for number, tile in enumerate(tiles):
        line, column = divmod(number, columns)
        whole.paste(tile, (column * (width + gap), line * (height + gap)))
    return whole


def _fitted(image: Image.Image, side: int) -> Image.Image:
    """An image scaled to a square, with its shape preserved; a small one keeps sharp pixels."""
    scale = side / max(image.size)
    size = [max(1, round(length * scale)) for length in image.size]
    method = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS
    square = Image.new("RGB", (side, side), PAPER)
    resized = image.convert("RGB").resize((size[0], size[1]), method)
    square.paste(resized, ((side - size[0]) // 2, (side - size[1]) // 2))
    return square


def _write(
    image: Image.Image,
    text: str,
    middle: tuple[int, int],
    *,
    most: int,
    color: tuple[int, int, int],
) -> None:
    """Write text around a point, cut to a width in pixels."""
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(_SIZE)
    shown = text
    while shown and draw.textlength(shown, font=font) > most:
        shown = shown[:-2].rstrip("…") + "…" if len(shown) > 2 else ""
    draw.text(middle, shown, fill=color, font=font, anchor="mm")


def terminal_can_show() -> bool:
    """Whether standard output is a terminal with colors and half blocks."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return sys.stdout.isatty() and _screen.is_utf8() and not is_plain


def blocks(image: Image.Image, width: int) -> str:
    """An image as lines of half blocks, two pixels a character: in 24-bit color, or in grays.

    Args:
        image: the image.
        width: characters per line.
    """
    height = max(1, round(image.height * width / image.width / 2)) * 2
    image = image.convert("RGB").resize((width, height), Image.Resampling.BOX)
    paint = _in_color if os.environ.get("COLORTERM") in {"truecolor", "24bit"} else _in_gray
    rows = paint(image)
    lines = []
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        pairs = zip(upper, lower, strict=True)
        lines.append("".join(_screen.painted("▀", f"38;{a};48;{b}") for a, b in pairs))
    return "\n".join(lines)


def _in_color(image: Image.Image) -> list[list[str]]:
    """Each pixel as ISO 8613-6 names its color: `2;red;green;blue`."""
    pixels = np.asarray(image).tolist()
    return [[f"2;{red};{green};{blue}" for red, green, blue in row] for row in pixels]


def _in_gray(image: Image.Image) -> list[list[str]]:
    """Each pixel as one of the 24 grays of the 256-color palette."""
    pixels = np.asarray(image.convert("L")).astype(int)
    return [[f"5;{232 + value * 23 // 255}" for value in row] for row in pixels.tolist()]
