"""Choose the decoders of image files by name or by the installed packages."""

import threading
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

from dshub.errors import ArgumentError, DshubError
from dshub.loading.decoding import ImageDecoder, pillow, values
from dshub.loading.decoding.request import Decoded, Request

_AUTOMATIC = ("simplejpeg", "opencv")  # decoders that `auto` uses if they are installed
_PACKAGES: Mapping[str, str] = {  # module to import, by decoder
    "simplejpeg": "simplejpeg",
    "opencv": "cv2",
    "torchcodec": "torchcodec",
    "pillow": "PIL",
}
_INSTALL: Mapping[str, str] = {
    "simplejpeg": "pip install 'dshub[fast]'",
    "opencv": "pip install opencv-python-headless",
    "torchcodec": "pip install torchcodec",
}
CHOICES = ("auto", *_PACKAGES)


class Decoder:
    """Decoders that are asked in order; Pillow is the last one.

    Attributes:
        name: name of the decoders, such as `simplejpeg+pillow`.
        fallbacks: number of files in this process that only Pillow accepted, although another
            decoder reads their format.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.name = "+".join(dict.fromkeys([*names, "pillow"]))
        self.fallbacks = 0
        self._names = [name for name in names if name != "pillow"]
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Decoder {self.name}>"

    def decode(self, data: bytes | memoryview, request: Request) -> Decoded:
        """Decode an image file to upright pixels, or to values by Pillow.

        Raises:
            ValueError: the file is damaged, or declares more pixels than it can hold.
            Exception: any exception that Pillow raises for a damaged file.
        """
        view = memoryview(data)
        if request.kind != "pixels":
            return values.decode(view, request)
        decoded = self.try_decode(view, request)
        return pillow.decode(view, request) if decoded is None else decoded

    def try_decode(self, data: memoryview, request: Request) -> Decoded | None:
        """Decode an image file without Pillow, or return None."""
        for name in self._names:
            module = _module(name)
            if module is None:
                continue
            try:
                decoded = module.decode(data, request)
            except DshubError:
                raise
            except Exception:  # noqa: BLE001  # Pillow decides whether the file is damaged
                with self._lock:
                    self.fallbacks += 1
                return None
            if decoded is not None:
                return decoded
        return None


@cache
def decoder(name: str = "auto") -> Decoder:
    """Return a decoder by name.

    Args:
        name: `auto` for the fastest installed decoders, `simplejpeg`, `opencv`, `torchcodec` or
            `pillow`. Pillow decodes files that the named decoder does not read.

    Raises:
        ArgumentError: the name is unknown, or the decoder is not installed.
    """
    if name == "auto":
        return _chain(tuple(filter(_is_installed, _AUTOMATIC)))
    check_decoder(name)
    return _chain((name,))


def check_decoder(name: Any) -> str:
    """Return the name of a decoder after checking it.

    Raises:
        ArgumentError: the name is unknown, or the decoder is not installed.
    """
    if not isinstance(name, str) or name not in CHOICES:
        expected = f"one of {', '.join(CHOICES)}"
        hint = f"install one with `{_INSTALL['simplejpeg']}` or `{_INSTALL['opencv']}`"
        raise ArgumentError(name="decoder", value=name, expected=expected, hint=hint)
    if name != "auto" and not (_is_installed(name) and _module(name)):
        others = ", ".join(
            choice for choice in CHOICES if choice == "auto" or _is_installed(choice)
        )
        expected = f"an installed decoder: {others}"
        hint = f"run `{_INSTALL[name]}`"
        raise ArgumentError(name="decoder", value=name, expected=expected, hint=hint)
    return name


def _is_installed(name: str) -> bool:
    try:
        return find_spec(_PACKAGES[name]) is not None
    except (ImportError, ValueError):  # `sys.modules` can hold None
        return False


@cache
def _chain(names: tuple[str, ...]) -> Decoder:
    return Decoder(names)


@cache
def _module(name: str) -> ImageDecoder | None:
    """Import a decoder on first use, because OpenCV takes long; return None if that fails."""
    try:
        return cast("ImageDecoder", import_module(f"dshub.loading.decoding.{name}"))
    except ImportError:
        return None
