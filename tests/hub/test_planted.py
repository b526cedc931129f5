"""Replace cache files by named pipes, because reading a pipe without a writer never ends."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dshub.cache.paths import import_path, pin_path, reference_path, synthetic_path, terms_path
from dshub.checksums import Digest

if TYPE_CHECKING:
    from tests.hub.conftest import World

if not hasattr(os, "mkfifo"):
    pytest.skip("makes named pipes", allow_module_level=True)


@pytest.fixture(autouse=True)
def fail_when_hanging() -> Iterator[None]:
    """Raise TimeoutError when a test waits for a pipe."""

    def raise_timeout(*_: object) -> None:
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, raise_timeout)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def planted(world: "World") -> "World":
    """Return a cache in which every file is a pipe."""
    world.hub.load("solo", split="train")
    notes = [
        terms_path("solo"),
        pin_path("solo"),
        synthetic_path("solo", "0123"),
        import_path("solo", "folders"),
        reference_path(Digest.of_bytes(b"elsewhere")),
    ]
    for note in notes:
        (world.root / note).parent.mkdir(parents=True, exist_ok=True)
        (world.root / note).touch()
    for path in filter(Path.is_file, list(world.root.rglob("*"))):
        path.unlink()
        os.mkfifo(path)
    return world


def test_cache_full_of_pipes_can_be_inspected(planted: "World") -> None:
    cache = planted.cache
    assert cache.items()
    assert list(cache.verify())
    cache.gc()
    cache.gc(partial=True)


def test_dataset_loads_despite_pipes(planted: "World") -> None:
    assert len(planted.hub.load("solo", split="train")) == 1000
