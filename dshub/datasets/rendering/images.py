"""Arrange images in sheets, and draw images in terminals with half blocks."""

import os
import sys
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dshub.display import is_utf8, one_line

WHITE, INK, GRAY = (255, 255, 255), (23, 24, 28), (110, 115, 125)

_LINE_HEIGHT = 20  # pixels
_FONT_SIZE = 13  # pixels
_MIN_TILE, _MAX_TILE = 10, 16  # characters per image in a terminal


def sheet(images: Sequence[Image.Image], *, side: int, columns: int, gap: int) -> Image.Image:
    """Return a grid of images, each scaled to a square of `side` pixels."""
    return _arrange([_fit(image, side) for image in images], columns, gap)


def captioned(
    images: Sequence[Image.Image],
    captions: Sequence[str],
    *,
    side: int,
    columns: int,
    note: str,
) -> Image.Image:
    """Return a grid of images with a truncated caption below each one and a note at the bottom."""
    tiles = []
    for image, text in zip(images, captions, strict=True):
        tile = Image.new("RGB", (side, side + _LINE_HEIGHT), WHITE)
        tile.paste(_fit(image, side), (0, 0))
        _write(tile, text, (side // 2, side + _LINE_HEIGHT // 2), max_width=side, color=INK)
        tiles.append(tile)
    grid = _arrange(tiles, columns, 12)
    size = grid.width + 32, grid.height + 32 + _LINE_HEIGHT * bool(note)
    canvas = Image.new("RGB", size, WHITE)
    canvas.paste(grid, (16, 16))
    if note:
        center = canvas.width // 2, canvas.height - 16
        _write(canvas, note, center, max_width=canvas.width - 32, color=GRAY)
    return canvas


def _arrange(tiles: Sequence[Image.Image], columns: int, gap: int) -> Image.Image:
    """Return a grid of images of equal size."""
    (width, height), columns = tiles[0].size, min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    size = columns * (width + gap) - gap, rows * (height + gap) - gap
    canvas = Image.new("RGB", size, WHITE)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        canvas.paste(tile, (column * (width + gap), row * (height + gap)))
    return canvas


def _fit(image: Image.Image, side: int) -> Image.Image:
    """Scale an image to fit a square, and preserve its aspect ratio.

    Small images keep sharp pixels.
    """
    scale = side / max(image.size)
    size = [max(1, round(length * scale)) for length in image.size]
    method = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS
    square = Image.new("RGB", (side, side), WHITE)
    resized = image.convert("RGB").resize((size[0], size[1]), method)
    square.paste(resized, ((side - size[0]) // 2, (side - size[1]) // 2))
    return square


def _write(
    image: Image.Image,
    text: str,
    center: tuple[int, int],
    *,
    max_width: int,
    color: tuple[int, int, int],
) -> None:
    """Write text around a center point, truncated to `max_width` pixels."""
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(_FONT_SIZE)
    shown = text
    while shown and draw.textlength(shown, font=font) > max_width:
        shown = shown[:-2].rstrip("…") + "…" if len(shown) > 2 else ""
    draw.text(center, shown, fill=color, font=font, anchor="mm")


def escaped(text: str, style: str) -> str:
    """Apply an ISO 6429 style such as `38;5;240` to text."""
    return f"\x1b[{style}m{text}\x1b[0m"


def captioned_blocks(
    images: Sequence[Image.Image],
    captions: Sequence[str],
    width: int,
    painted: Callable[[str, str], str] = escaped,
) -> str:
    """Return images in at least two rows for a terminal, with a caption below each image.

    Args:
        images: images to draw.
        captions: a text per image, truncated to the width of an image.
        width: maximum number of characters per line.
        painted: applies a style to text.
    """
    columns = min(max(-(-len(images) // 2), 4), len(images), max(width // (_MIN_TILE + 2), 1))
    side = max(min((width + 2) // columns - 2, _MAX_TILE), 1)
    tiles = []
    for image, text in zip(images, captions, strict=True):
        caption = one_line(text)
        caption = caption if len(caption) <= side else caption[: side - 1] + "…"
        drawn = blocks(_fit(image, 2 * side), side, painted).split("\n")
        tiles.append([*drawn, f"{caption:^{side}}"])
    rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    lines = ("  ".join(parts).rstrip() for row in rows for parts in zip(*row, strict=True))
    return "\n".join(lines)


def terminal_can_show() -> bool:
    """Return True if standard output is a terminal that can show colors and half blocks."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return sys.stdout.isatty() and is_utf8() and not is_plain


def blocks(image: Image.Image, width: int, painted: Callable[[str, str], str] = escaped) -> str:
    """Return an image as lines of half blocks, with two pixels per character.

    Args:
        image: image to draw, in gray if the terminal does not support 24-bit color.
        width: characters per line.
        painted: applies a style to text.
    """
    height = max(1, round(image.height * width / image.width / 2)) * 2
    image = image.convert("RGB").resize((width, height), Image.Resampling.BOX)
    paint = _in_color if os.environ.get("COLORTERM") in {"truecolor", "24bit"} else _in_gray
    rows = paint(image)
    lines = []
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        pairs = zip(upper, lower, strict=True)
        lines.append("".join(painted("▀", f"38;{a};48;{b}") for a, b in pairs))
    return "\n".join(lines)


def _in_color(image: Image.Image) -> list[list[str]]:
    """Return the 24-bit color of each pixel as in ISO 8613-6: `2;red;green;blue`."""
    pixels = np.asarray(image).tolist()
    return [[f"2;{red};{green};{blue}" for red, green, blue in row] for row in pixels]


def _in_gray(image: Image.Image) -> list[list[str]]:
    """Return the color of each pixel among the 24 grays of the 256-color palette."""
    pixels = np.asarray(image.convert("L")).astype(int)
    return [[f"5;{232 + value * 23 // 255}" for value in row] for row in pixels.tolist()]
