"""Provide archive tests with a `read` function."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dshub.archives import open_files
from dshub.catalog.manifest import Limits

Read = Callable[..., dict[str, bytes]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a function that reads bytes as an archive and returns file contents by member."""

    def read(data: bytes, member: str = "", limits: Limits | None = None) -> dict[str, bytes]:
        path = tmp_path / "f"
        path.write_bytes(data)
        contents = {}
        with open_files(path, title="data", member=member, limits=limits) as files:
            for file in files:
                with file.open() as stream:
                    contents[file.member] = stream.read()
        return contents

    return read
