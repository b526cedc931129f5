"""Read bytes as an archive."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dshub.archives import open_files
from dshub.catalog.manifest import Limits

Read = Callable[..., dict[str, bytes]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read bytes as the resource `data`; returns every file that a reference means."""

    def read(data: bytes, member: str = "", limits: Limits | None = None) -> dict[str, bytes]:
        path = tmp_path / "f"
        path.write_bytes(data)
        found = {}
        with open_files(path, title="data", member=member, limits=limits) as files:
            for file in files:
                with file.open() as stream:
                    found[file.member] = stream.read()
        return found

    return read
