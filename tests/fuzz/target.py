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

STRETCHED = 0.03  # of all inputs


@dataclass(frozen=True)
class Target:
    """A parser under test: any input gives a result or a `DshubError`, soon and in little memory.

    Attributes:
        name: also that of its folder in `corpus/`.
        run: parses an input as dshub does, and uses the result.
        seeds: valid inputs by file name, from our own writers.
        mutate: makes another input of one: for formats with checksums or a grammar.
        tokens: words of the format, which the fuzzer puts in.
        share: of the runner's seconds: less for a tiny grammar.
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
        """Run one input; whatever is raised here is a finding."""
        with suppress(DshubError):
            self.run(data)


@cache
def _scratch() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="dshub-fuzz-")


def scratch(name: str = "input") -> Path:
    """A path in a folder that goes with the process."""
    return Path(_scratch().name) / name


def written(data: bytes, name: str = "input") -> Path:
    """A file with these bytes."""
    path = scratch(name)
    path.write_bytes(data)
    return path


def text_of(data: bytes) -> str:
    """An input as text: every input is one."""
    return data.decode("utf-8", "replace")


tried = suppress(DshubError)
"""For one of several parsers that are given the same input."""
