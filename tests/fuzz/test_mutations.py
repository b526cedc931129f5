"""Test mutations without atheris, which provides the byte mutations."""

from random import Random

import pytest

from . import mutations
from .targets import TARGETS

REPAIRS = {
    "archive-tar": mutations.tar_sums,
    "archive-zip": mutations.zip_sums,
    "archive-gz": mutations.gz_sums,
    "image": mutations.png_sums,
}


def flipped(data: bytes) -> bytes:
    """Flip one bit near the end."""
    at = len(data) * 3 // 4
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] if data else b"x"


@pytest.mark.parametrize("name", REPAIRS)
def test_repairs_do_not_change_valid_files(name: str) -> None:
    for data in TARGETS[name].seeds().values():
        assert REPAIRS[name](data) == data


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_every_target_can_mutate_its_seeds(name: str) -> None:
    target = TARGETS[name]
    for data in target.seeds().values():
        inputs = [target.mutated(data, Random(i), flipped) for i in range(8)]
        assert inputs == [target.mutated(data, Random(i), flipped) for i in range(8)]
