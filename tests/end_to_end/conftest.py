"""A place for tests with several users."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user can enter; pytest closes its own whenever it starts."""
    with tempfile.TemporaryDirectory(prefix="dshub-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
