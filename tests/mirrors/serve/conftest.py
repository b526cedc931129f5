import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dshub.mirrors.serve.server import serving
from dshub.mirrors.serve.sockets import Limits

DATA = bytes(range(256)) * 1000
LARGE = 64 << 20  # bytes; more than the operating system buffers per connection


@pytest.fixture
def data() -> bytes:
    return DATA


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Create a folder with files and links, next to a secret file."""
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "data").write_bytes(DATA)
    (folder / "empty").touch()
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path, target_is_directory=True)
    (folder / "inside").symlink_to(Path("sub", "data"))
    (folder / "loop").symlink_to("loop")
    return folder


@pytest.fixture
def large(folder: Path) -> Path:
    """Write a large file into the folder."""
    path = folder / "large"
    with path.open("wb") as file:
        for _ in range(LARGE >> 20):
            file.write(os.urandom(1 << 20))
    return path


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    """Serve the folder and yield its URL."""
    with serving(folder) as address:
        yield address


@pytest.fixture
def hasty(folder: Path) -> Iterator[str]:
    """Serve the folder with short time limits and yield its URL."""
    limits = Limits(head=0.5, idle=0.5, stall=0.5, farewell=1.0, clients=32)
    with serving(folder, limits=limits) as address:
        yield address
