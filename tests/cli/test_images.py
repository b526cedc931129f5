"""Test images in `dshub preview`: PNG sheets and half blocks in terminals."""

import os
import re
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commandline import run_on_terminal

Run = Callable[..., subprocess.CompletedProcess[str]]

PREVIEW = ("preview", "tiny/one", "--rows", "3")


def test_png_has_images_with_captions(dshub: Run, registry: Path, tmp_path: Path) -> None:
    dshub("fetch", "tiny/one")
    done = dshub("preview", "tiny/one", "--png", str(tmp_path / "grid.png"))
    assert done.stdout.strip() == str(tmp_path / "grid.png")
    image = np.asarray(Image.open(tmp_path / "grid.png").convert("L"))
    for number in range(3):
        left = 16 + number * (112 + 12)
        pixels = image[16 : 16 + 112, left : left + 112]
        expected = np.arange(4 * number, 4 * number + 4, dtype=np.uint8).reshape(2, 2)
        assert np.array_equal(pixels, expected.repeat(56, axis=0).repeat(56, axis=1))
        caption = image[16 + 112 : 16 + 132, left : left + 112]
        assert caption.min() < 100  # dark pixels of text
    assert image[0].min() == 255


@pytest.mark.skipif(os.name == "nt", reason="needs pseudo-terminals")
@pytest.mark.parametrize(
    ("colors", "first"),
    [("truecolor", "\x1b[38;2;0;0;0;48;2;0;0;0m▀"), ("", "\x1b[38;5;232;48;5;232m▀")],
)
def test_terminals_show_images_as_half_blocks(
    dshub: Run, registry: Path, colors: str, first: str
) -> None:
    dshub("fetch", "tiny/one")
    printed = run_on_terminal(*PREVIEW, COLORTERM=colors, COLUMNS="80").stdout
    assert printed.startswith(first)
    assert "train: 3 of 3 rows" in printed
    lines = re.sub(r"\x1b\[[\d;]*m", "", printed).splitlines()
    assert lines[:8] == ["  ".join(["▀" * 16] * 3)] * 8
    assert lines[8].split() == ["cat", "dog", "cat"]


@pytest.mark.skipif(os.name == "nt", reason="needs pseudo-terminals")
@pytest.mark.parametrize(("columns", "widths"), [("80", [16] * 4), ("50", [11] * 4)])
def test_eight_images_are_two_rows(registry: Path, columns: str, widths: list[int]) -> None:
    printed = run_on_terminal(
        "preview", "fashion-mnist", COLUMNS=columns, DSHUB_SYNTHETIC="20"
    ).stdout
    lines = re.sub(r"\x1b\[[\d;]*m", "", printed).splitlines()
    drawn = [line for line in lines if line.startswith("▀")]
    assert {tuple(map(len, line.split())) for line in drawn} == {tuple(widths)}
    captions = [line for above, line in pairwise(lines) if above in drawn and line not in drawn]
    assert len(captions) == 2


@pytest.mark.skipif(os.name == "nt", reason="needs pseudo-terminals")
@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "1"}])
def test_plain_terminals_get_no_images(
    dshub: Run, registry: Path, variables: dict[str, str]
) -> None:
    printed = run_on_terminal(*PREVIEW, **variables).stdout
    assert "train: 3 of" in printed
    assert "▀" not in printed
