"""Pictures in terminals that show them: kitty, iTerm2, sixel; half blocks in all others.

Sources: https://sw.kovidgoyal.net/kitty/graphics-protocol/ ·
https://iterm2.com/documentation-images.html · VT330/VT340 Programmer Reference Manual, volume 2,
chapter 14 (sixels).
"""

import base64
import io
import os
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Literal

import numpy as np
from PIL import Image

from dshub.cli import _pictures

Protocol = Literal["kitty", "iterm2", "sixel", "blocks", "none"]

_PIECE = 4096  # bytes of base64 that kitty takes at a time
_SIXEL_TERMS = ("foot", "mlterm", "contour", "yaft", "xterm-sixel")


def protocol(environment: Mapping[str, str] = os.environ) -> Protocol:
    """How pictures can be shown on standard output, as far as the environment tells."""
    if not _pictures.terminal_can_show():
        return "none"
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if environment.get("TMUX") or term.startswith(("screen", "tmux")):
        return "blocks"  # what stands between passes no pictures on
    if "KITTY_WINDOW_ID" in environment or term in {"xterm-kitty", "xterm-ghostty"}:
        return "kitty"
    if program in {"iTerm.app", "WezTerm", "mintty"} or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm2"
    return "sixel" if term.startswith(_SIXEL_TERMS) else "blocks"


def drawn(image: Image.Image, how: Protocol, *, width: int) -> str:
    """A picture as what a terminal is sent; empty for `none`.

    Args:
        image: what to show.
        how: the protocol.
        width: columns that it may take.
    """
    if how == "kitty":
        return _kitty(image, width)
    if how == "iterm2":
        return _iterm2(image, width)
    if how == "sixel":
        return _sixel(image)
    return _pictures.blocks(np.asarray(image.convert("RGB")), width) if how == "blocks" else ""


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _kitty(image: Image.Image, width: int) -> str:
    data = base64.b64encode(_png(image)).decode("ascii")
    pieces = [data[start : start + _PIECE] for start in range(0, len(data), _PIECE)]
    sent = []
    for number, piece in enumerate(pieces):
        keys = f"a=T,f=100,q=2,c={width}," if number == 0 else ""
        more = int(number < len(pieces) - 1)
        sent.append(f"\x1b_G{keys}m={more};{piece}\x1b\\")
    return "".join(sent)


def _iterm2(image: Image.Image, width: int) -> str:
    data = _png(image)
    text = base64.b64encode(data).decode("ascii")
    return f"\x1b]1337;File=inline=1;size={len(data)};width={width}:{text}\x07"


def _sixel(image: Image.Image) -> str:
    indexed = image.convert("RGB").quantize(255, dither=Image.Dither.NONE)
    pixels = np.asarray(indexed)
    palette = np.array(indexed.getpalette()).reshape(-1, 3)
    used = np.unique(pixels).tolist()
    height, width = pixels.shape
    percent = np.rint(palette * (100 / 255)).astype(int).tolist()
    colors = "".join(f"#{i};2;{percent[i][0]};{percent[i][1]};{percent[i][2]}" for i in used)
    bands = "-".join("$".join(_band(pixels[top : top + 6])) for top in range(0, height, 6))
    return f'\x1bPq"1;1;{width};{height}{colors}{bands}\x1b\\'


def _band(rows: np.ndarray) -> Iterator[str]:
    """Up to six rows of pixels, a line of sixels for each colour in them."""
    weights = 1 << np.arange(len(rows))
    for color in np.unique(rows).tolist():
        sixels = ((rows == color) * weights[:, None]).sum(axis=0).tolist()
        yield f"#{color}" + "".join(_run(value, len([*same])) for value, same in groupby(sixels))


def _run(value: int, length: int) -> str:
    sign = chr(63 + value)
    return f"!{length}{sign}" if length > 3 else sign * length
