"""Test sheets of images and half blocks; tests/cli/test_preview.py tests the commands."""

import pytest
from PIL import Image

from dshub.datasets.rendering.images import blocks, sheet


def test_sheet_keeps_aspect_ratios_and_centers_images() -> None:
    grid = sheet([Image.new("RGB", (2, 1), "black")] * 3, side=4, columns=2, gap=1)
    assert grid.size == (9, 9)
    column = [grid.getpixel((0, y)) for y in range(4)]
    assert column == [(255, 255, 255), (0, 0, 0), (0, 0, 0), (255, 255, 255)]


def test_block_shows_two_pixels_in_the_style_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    image = Image.new("RGB", (1, 2), "white")
    image.putpixel((0, 1), (1, 2, 3))
    drawn = blocks(image, 1, lambda text, style: f"{text} {style}")
    assert drawn == "▀ 38;2;255;255;255;48;2;1;2;3"
