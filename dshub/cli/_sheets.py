"""Pictures of rows side by side, with or without a line of words below each."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

PAPER, INK, SOFT = (255, 255, 255), (23, 24, 28), (110, 115, 125)

_LINE = 20  # pixels of a line of words
_SIZE = 13  # of the letters


def sheet(pictures: Sequence[Image.Image], *, side: int, columns: int, gap: int) -> Image.Image:
    """Pictures in squares of so many pixels, in rows, on white."""
    return _laid_out(pictures, (side, side), columns, gap)


def captioned(
    pictures: Sequence[Image.Image],
    words: Sequence[str],
    *,
    side: int,
    columns: int,
    note: str,
) -> Image.Image:
    """The same with words below each picture, cut where they are too long, and a note below all."""
    tiles = []
    for picture, text in zip(pictures, words, strict=True):
        tile = Image.new("RGB", (side, side + _LINE), PAPER)
        tile.paste(_fitted(picture, side), (0, 0))
        _write(tile, text, (side // 2, side + _LINE // 2), most=side, color=INK)
        tiles.append(tile)
    grid = _laid_out(tiles, (side, side + _LINE), columns, 12)
    whole = Image.new("RGB", (grid.width + 32, grid.height + 32 + _LINE * bool(note)), PAPER)
    whole.paste(grid, (16, 16))
    if note:
        middle = whole.width // 2, whole.height - 16
        _write(whole, note, middle, most=whole.width - 32, color=SOFT)
    return whole


def _laid_out(
    tiles: Sequence[Image.Image], size: tuple[int, int], columns: int, gap: int
) -> Image.Image:
    columns = min(columns, len(tiles)) or 1
    lines = -(-len(tiles) // columns)
    width, height = size
    whole = (columns * (width + gap) - gap, max(lines * (height + gap) - gap, 1))
    found = Image.new("RGB", whole, PAPER)
    for number, tile in enumerate(tiles):
        place = number % columns * (width + gap), number // columns * (height + gap)
        found.paste(tile if tile.size == size else _fitted(tile, width), place)
    return found


def _fitted(picture: Image.Image, side: int) -> Image.Image:
    """A picture as large as fits into a square, in its middle; small ones by whole pixels."""
    scale = side / max(picture.size)
    size = [max(1, round(length * scale)) for length in picture.size]
    method = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS
    found = Image.new("RGB", (side, side), PAPER)
    resized = picture.convert("RGB").resize((size[0], size[1]), method)
    found.paste(resized, ((side - size[0]) // 2, (side - size[1]) // 2))
    return found


def _write(
    image: Image.Image,
    text: str,
    middle: tuple[int, int],
    *,
    most: int,
    color: tuple[int, int, int],
) -> None:
    """Words around a point, cut to a width in pixels."""
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(_SIZE)
    shown = text
    while shown and draw.textlength(shown, font=font) > most:
        shown = shown[:-2].rstrip("…") + "…" if len(shown) > 2 else ""
    draw.text(middle, shown, fill=color, font=font, anchor="mm")
