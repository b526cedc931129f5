import html
from typing import Any

import numpy as np
import pytest

from dshub.catalog.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    MaskFeature,
    NumberFeature,
    TextFeature,
)
from dshub.datasets.rendering.cells import (
    colored,
    encode,
    items,
    markdown_table,
    to_rgb,
    waveform,
    words,
)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.array([[[100], [300]]], np.uint16), [[0, 255]]),
        (np.array([[[0.5, 9], [1.5, 9], [np.nan, 9]]], np.float32)[:, :, :1], [[85, 255, 0]]),
        (np.arange(8, dtype=np.uint8).reshape(1, 4, 2), [[0, 2, 4, 6]]),
        (np.arange(8, dtype=np.uint8).reshape(1, 2, 4), [[[0, 1, 2], [4, 5, 6]]]),
    ],
)
def test_images_of_any_dtype_and_channels_become_rgb(
    image: np.ndarray, expected: list[Any]
) -> None:
    """Values other than 8-bit are scaled, and extra channels are dropped."""
    assert np.asarray(to_rgb(image)).tolist() == expected


@pytest.mark.parametrize(
    ("value", "feature", "expected"),
    [
        (1, LabelFeature(names=("cat", "dog")), "dog"),
        (7, LabelFeature(names=("cat", "dog")), "7"),
        (0.1234567, NumberFeature(dtype="float64"), "0.123457"),
        (np.arange(3), NumberFeature(dtype="int64", shape=(3,)), "[0, 1, 2]"),
        (np.eye(3), NumberFeature(dtype="float64", shape=(3, 3)), "[1, 0, 0, 0, 1, 0, …] 3 × 3"),
        (["a", "b"], ListFeature(of=TextFeature()), "a · b"),
        (np.zeros((2, 3, 1)), ImageFeature(shape=(2, 3, 1)), "2×3×1"),
        (np.zeros(4000), AudioFeature(rate=8000), "0.5 s"),
    ],
)
def test_values_are_formatted_as_text(value: Any, feature: Feature, expected: str) -> None:
    assert words(value, feature) == expected


def test_long_list_is_cut() -> None:
    assert items(["x"] * 50, ListFeature(of=TextFeature()))[-2:] == ["x", "… 10 more"]


@pytest.mark.parametrize(("side", "kind", "shown"), [(48, "png", 48), (400, "webp", 160)])
def test_large_images_are_reduced(side: int, kind: str, shown: int) -> None:
    media = encode(np.zeros((side, side, 3), np.uint8), ImageFeature(encoding="any"))
    assert media.source.startswith(f"data:image/{kind};base64,")
    assert (media.width, media.height, media.is_small) == (shown, shown, kind == "png")
    assert media.title == f"{side} × {side} pixels"


@pytest.mark.parametrize("samples", [np.zeros(0, np.int16), np.zeros((9, 2), np.int16)])
def test_waveform_of_silence_is_flat(samples: np.ndarray) -> None:
    assert waveform(samples, points=2) == "M0 0.96V1.04M1 0.96V1.04"


def test_markdown_tables_show_plain_text() -> None:
    """Punctuation is escaped, line breaks become spaces, and long cells are cut."""
    table = markdown_table(["a|b", "c"], [["*x*\n<y>", "z" * 400]])
    header, rule, row = table.splitlines()
    assert rule == "|---|---|"
    assert html.unescape(header) == "| a|b | c |"
    assert html.unescape(row) == f"| *x* <y> | {'z' * 299}… |"
    assert not set("*<>") & set(row)
    assert header.count("|") == 3


def test_masks_have_the_colors_of_pascal_voc() -> None:
    """The first colors of the palette, and the one of 255, are known from its files."""
    palette = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 15: (192, 128, 128)}
    palette |= {20: (0, 64, 128), 255: (224, 224, 192), 257: (128, 0, 0)}
    mask = np.array([list(palette)], np.int32)
    assert list(map(tuple, colored(mask)[0].tolist())) == list(palette.values())
    media = encode(mask, MaskFeature(shape=(1, 7), dtype="int32"))
    assert media.title == "7 × 1 pixels"
    assert words(mask, MaskFeature(encoding="png")) == "1×7"
