"""A served folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dshub.mirrors.serve.lines import Limits
from dshub.mirrors.serve.server import serving

DATA = bytes(range(256)) * 1000


@pytest.fixture
def data() -> bytes:
    """What is in `sub/data`."""
    return DATA


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files, links that lead out and to themselves, and a secret beside it."""
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
def url(folder: Path) -> Iterator[str]:
    """Its address."""
    with serving(folder) as address:
        yield address


@pytest.fixture
def hasty(folder: Path) -> Iterator[str]:
    """The address of a server of the same folder that waits for nobody long."""
    limits = Limits(head=0.5, idle=0.5, stall=0.5, farewell=1.0, clients=32)
    with serving(folder, limits=limits) as address:
        yield address
