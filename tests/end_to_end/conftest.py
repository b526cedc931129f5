import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def place() -> Iterator[Path]:
    """Yield a folder that every user can enter, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory(prefix="dshub-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
