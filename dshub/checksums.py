"""Names of bytes: a checksum with its algorithm, and hashing while copying."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, Self

Algorithm = Literal["sha256", "md5"]


class Sink(Protocol):
    """Something that bytes are written to."""

    def write(self, piece: bytes, /) -> object:
        """Take bytes, all of them."""


HEX_DIGITS = {"sha256": 64, "md5": 32}
CHUNK = 1 << 20  # bytes read at a time: large enough that Python's overhead disappears


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
        """The first twelve digits, for messages."""
        return f"{self.algorithm}:{self.hex[:12]}…"

    @classmethod
    def of_file(cls, path: Path, algorithm: Algorithm = "sha256") -> Self:
        """The checksum of a file's bytes; raises OSError where it cannot be read."""
        with path.open("rb") as file:
            return cls(algorithm, hashlib.file_digest(file, algorithm).hexdigest())

    def fits(self, path: Path) -> bool:
        """Whether a file's bytes have this checksum; raises OSError where it cannot be read."""
        return self.of_file(path, self.algorithm) == self

    @classmethod
    def of_bytes(cls, data: bytes, algorithm: Algorithm = "sha256") -> Self:
        """The checksum of some bytes."""
        return cls(algorithm, hashlib.new(algorithm, data).hexdigest())


def is_hex(algorithm: str, text: str) -> bool:
    """Whether `text` is a checksum of that algorithm in lower-case hexadecimal digits."""
    return len(text) == HEX_DIGITS[algorithm] and re.fullmatch(r"[0-9a-f]+", text) is not None


def copy(source: BinaryIO, sink: Sink, *, algorithm: Algorithm) -> Digest:
    """Copy `source` to `sink` to its end and return the checksum of what was copied."""
    hasher = hashlib.new(algorithm)
    while piece := source.read(CHUNK):
        hasher.update(piece)
        sink.write(piece)
    return Digest(algorithm, hasher.hexdigest())
