"""Taking something out of a cache, so that no name is ever left with half of its content."""

import shutil
from contextlib import suppress
from pathlib import Path

from dshub.store import layout
from dshub.store.faults import disk_faults
from dshub.store.owners import own_name


def remove(root: Path, path: Path) -> bool:
    """Remove a file or a folder of the cache at `root`; False where it is gone already.

    A folder is renamed away before its files go: another process finds it whole or not at all,
    and what an interruption leaves has the name of a dead process, which `dshub cache gc` clears.

    Raises:
        StoreError: the cache cannot be written, or a program holds the file open on Windows.
    """
    with disk_faults(path, "remove"):
        try:
            if path.is_symlink() or not path.is_dir():
                path.unlink()
                return True
            aside = root / layout.PARTIAL / own_name("removed")
            aside.parent.mkdir(exist_ok=True)
            path.rename(aside)
        except FileNotFoundError:
            return False
        shutil.rmtree(aside)
    return True


def clear(path: Path) -> None:
    """Remove what is at a path of `partial-v1`, as well as it goes.

    A folder is renamed away before its files go: who takes it over at this moment has it whole.
    """
    with suppress(OSError):
        if path.is_symlink() or not path.is_dir():
            path.unlink()
            return
        aside = path.with_name(own_name("removed"))
        path.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
