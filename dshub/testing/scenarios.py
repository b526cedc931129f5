"""A scenario: what a source does, and which outcome is right."""

import gzip
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dshub.testing.answers import Fault

Outcome = Literal[
    "passes",  # the right file must arrive from this source alone
    "lasts",  # a clear error, and nothing at the final path
    "legal",  # no fault: the file must arrive at the first try
]
Place = Literal[
    "http",
    "https",  # with a certificate of an authority that the stage names
    "self-signed",  # with one of an authority that nobody trusts
    "other-name",  # with one of the trusted authority, for another host
    "expired",  # with one that was valid until yesterday
    "refused",  # nobody listens
    "backlog",  # somebody listens, and never accepts a connection
    "unknown-host",  # a name that no resolver knows
]

FILE_SIZE = 2_000_000  # bytes, about


@dataclass(frozen=True)
class Scenario:
    """One way in which a source behaves.

    Attributes:
        name: what it does, in words.
        outcome: which end is right.
        faults: what goes wrong with each request of a path, one after the other.
        place: where the source is.
        says: for `lasts`, a pattern that the reason must match, whatever its case.
        code: for `lasts`, the exit code: 4 where no file came, 5 where wrong bytes did.
        most: files' worth of bytes that have to be received at most, from all sources together.
        requests: for `legal`, requests for each file at most; 0 where splitting a file is fair.
        files: how many are asked for at once.
        patient: the server counts on clients that wait before they try again.
        login: the address carries a name and a password.
    """

    name: str
    outcome: Outcome
    faults: tuple[Fault, ...] = ()
    place: Place = "http"
    says: str = ""
    code: int = 4
    most: float = 2.0
    requests: int = 1
    files: int = 1
    patient: bool = False
    login: bool = False

    def __str__(self) -> str:
        return self.name


def write_files(folder: Path, count: int = 1) -> dict[str, bytes]:
    """Write the files to serve, `data-0.gz` and so on; returns their bytes by name."""
    files = {}
    for i in range(count):
        data = random.Random(i).randbytes(FILE_SIZE)  # noqa: S311  # no secret
        files[f"data-{i}.gz"] = gzip.compress(data, compresslevel=0, mtime=0)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return files


HALF = FILE_SIZE // 2


def header(name: str, value: str) -> tuple[tuple[str, str], ...]:
    """One header in place of the answer's own."""
    return ((name, value),)


def passes(name: str, *faults: Fault, most: float = 2.0, patient: bool = False) -> Scenario:
    """The right file must arrive."""
    return Scenario(name, "passes", faults, most=most, patient=patient)


def lasts(
    name: str, fault: Fault | Place, says: str, *, code: int = 4, most: float = 2.0
) -> Scenario:
    """There must be an error that matches `says`."""
    if isinstance(fault, Fault):
        return Scenario(name, "lasts", (fault,), says=says, code=code, most=most)
    return Scenario(name, "lasts", place=fault, says=says, code=code)


def legal(name: str, *faults: Fault, most: float = 1.0, requests: int = 1) -> Scenario:
    """The file must arrive at the first try."""
    return Scenario(name, "legal", faults, most=most, requests=requests)
