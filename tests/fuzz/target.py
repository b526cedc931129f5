"""The definition of a fuzz target."""

import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from dshub.errors import DshubError

from .mutations import Bytes, Mutate, bytewise, stretched

STRETCHED = 0.03  # share of all inputs


@dataclass(frozen=True)
class Target:
    """A parser under test.

    Any input must give a result or a `DshubError`, within the limits on time and memory.

    Attributes:
        name: name of the target and of its folder in `corpus/`.
        run: function that parses an input as dshub does, and uses the result.
        seeds: function that returns valid inputs by file name.
        mutate: mutation for formats with checksums or a grammar.
        tokens: words of the format for the fuzzer to insert.
        share: fraction of the run's seconds; lower for a tiny grammar.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Mapping[str, bytes]]
    mutate: Mutate = bytewise
    tokens: tuple[bytes, ...] = ()
    share: float = 1.0

    def mutated(self, data: bytes, random: Random, change: Bytes) -> bytes:
        """Mutate an input; sometimes make it very long, to expose superlinear time."""
        other = self.mutate(data, random, change)
        return stretched(other, random) if random.random() < STRETCHED else other

    def __call__(self, data: bytes) -> None:
        """Run one input; any exception raised here is a finding."""
        with suppress(DshubError):
            self.run(data)


@cache
def _scratch() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="dshub-fuzz-")


def scratch(name: str = "input") -> Path:
    """Return a path in a temporary folder that is removed when the process exits."""
    return Path(_scratch().name) / name


def written(data: bytes, name: str = "input") -> Path:
    """Write bytes to a scratch file and return its path."""
    path = scratch(name)
    path.write_bytes(data)
    return path


def text_of(data: bytes) -> str:
    """Decode an input as UTF-8, replacing invalid bytes."""
    return data.decode("utf-8", "replace")


tried = suppress(DshubError)
"""Ignores the errors that dshub raises, so that further parsers can run on the same input."""
