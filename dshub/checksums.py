"""Compute and compare checksums of files, streams and bytes."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Self

Algorithm = Literal["sha256", "md5"]

HEX_DIGITS = {"sha256": 64, "md5": 32}
CHUNK = 1 << 20  # bytes per read, large enough to make Python's overhead negligible


@dataclass(frozen=True)
class Digest:
    """A checksum with its algorithm. `str` formats it as `sha256:3aede38d…`."""

    algorithm: Algorithm
    hex: str

    def __post_init__(self) -> None:
        if not is_hex(self.algorithm, self.hex):
            digits = HEX_DIGITS[self.algorithm]
            kind = f"{self.algorithm} checksum of {digits} lowercase hexadecimal digits"
            raise ValueError(f"{self.hex!r} is not a {kind}")

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"

    @property
    def short(self) -> str:
        """The algorithm and the first twelve digits."""
        return f"{self.algorithm}:{self.hex[:12]}…"

    @classmethod
    def of_file(cls, path: Path, algorithm: Algorithm = "sha256") -> Self:
        """Return the checksum of a file.

        Raises:
            OSError: the file cannot be read.
        """
        with path.open("rb") as file:
            return cls(algorithm, hashlib.file_digest(file, algorithm).hexdigest())

    @classmethod
    def of_stream(
        cls, stream: BinaryIO, algorithm: Algorithm, advance: Callable[[int], object]
    ) -> Self:
        """Return the checksum of the remaining bytes of a stream.

        Args:
            stream: stream to read.
            algorithm: hash algorithm.
            advance: callback for the number of bytes of each read.
        """
        hasher = hashlib.new(algorithm)
        while chunk := stream.read(CHUNK):
            hasher.update(chunk)
            advance(len(chunk))
        return cls(algorithm, hasher.hexdigest())

    @classmethod
    def of_bytes(cls, data: bytes, algorithm: Algorithm = "sha256") -> Self:
        """Return the checksum of bytes."""
        return cls(algorithm, hashlib.new(algorithm, data).hexdigest())

    def fits(self, path: Path) -> bool:
        """Return True if a file has this checksum.

        Raises:
            OSError: the file cannot be read.
        """
        return self.of_file(path, self.algorithm) == self


def is_hex(algorithm: str, text: str) -> bool:
    """Return True if a string is a checksum of the algorithm in lowercase hexadecimal."""
    return len(text) == HEX_DIGITS[algorithm] and re.fullmatch(r"[0-9a-f]+", text) is not None
