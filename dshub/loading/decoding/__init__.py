"""Decode image files with the fastest library that is installed.

A decoder is a module of this package with a function `decode` (see `ImageDecoder`).
`dshub.loading.decoding.choosing` asks one or more of them in order, and Pillow last. All of them
return the same upright pixels as Pillow, within the tolerance in `docs/howto/images.md`.
"""

from typing import Protocol

from dshub.loading.decoding.request import Decoded, Request


class ImageDecoder(Protocol):
    """Protocol of decoders, which are modules of this package."""

    def decode(self, data: memoryview, request: Request) -> Decoded | None:
        """Decode an image file.

        Args:
            data: contents of the file.
            request: pixels to return.

        Returns:
            The upright pixels, or None if the next decoder should decode this kind of file.

        Raises:
            Exception: the file cannot be decoded, and Pillow decides whether it is damaged.
        """
