"""Checksums, and hashing of files and streams."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Self

Algorithm = Literal["sha256", "md5"]

HEX_DIGITS = {"sha256": 64, "md5": 32}
CHUNK = 1 << 20  # bytes to read at a time; makes Python's overhead negligible


@dataclass(frozen=True)
class Digest:
    """A checksum: `Digest("sha256", "3aede38d…")`, written `sha256:3aede38d…`."""

    algorithm: Algorithm
    hex: str

    def __post_init__(self) -> None:
        if not is_hex(self.algorithm, self.hex):
            raise ValueError(f"{self.hex!r} is not a {self.algorithm} in lower-case hexadecimal")

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"

    @property
    def short(self) -> str:
        """The algorithm and the first twelve digits, for messages."""
        return f"{self.algorithm}:{self.hex[:12]}…"

    @classmethod
    def of_file(cls, path: Path, algorithm: Algorithm = "sha256") -> Self:
        """Hash a file; raises OSError if it cannot be read."""
        with path.open("rb") as file:
            return cls(algorithm, hashlib.file_digest(file, algorithm).hexdigest())

    @classmethod
    def of_stream(
        cls, stream: BinaryIO, algorithm: Algorithm, advance: Callable[[int], object]
    ) -> Self:
        """Hash a stream to its end, and report the bytes of each read to `advance`."""
        hasher = hashlib.new(algorithm)
        while piece := stream.read(CHUNK):
            hasher.update(piece)
            advance(len(piece))
        return cls(algorithm, hasher.hexdigest())

    @classmethod
    def of_bytes(cls, data: bytes, algorithm: Algorithm = "sha256") -> Self:
        """Hash bytes."""
        return cls(algorithm, hashlib.new(algorithm, data).hexdigest())

    def fits(self, path: Path) -> bool:
        """True if a file has this checksum; raises OSError if it cannot be read."""
        return self.of_file(path, self.algorithm) == self


def is_hex(algorithm: str, text: str) -> bool:
    """True if `text` is a checksum of that algorithm in lower-case hexadecimal."""
    return len(text) == HEX_DIGITS[algorithm] and re.fullmatch(r"[0-9a-f]+", text) is not None
