"""Names on disk that are one process's alone, and telling those whose process is no more."""

import os
import platform
import re
import secrets
from pathlib import Path

_NAME = re.compile(r"(\w+)-(\d+)-[0-9a-f]{8}")


def own_name(stem: str) -> str:
    """A name that no other process uses: `stem.host-4711-0123abcd`."""
    return f"{stem}.{_host()}-{os.getpid()}-{secrets.token_hex(4)}"


def owner(path: Path) -> tuple[str, int] | None:
    """Host (empty where it is this machine) and number of the process that has such a name."""
    match = _NAME.fullmatch(path.name.partition(".")[2])
    if match is None:
        return None
    return "" if match[1] == _host() else match[1], int(match[2])


def is_orphan(path: Path) -> bool:
    """Whether a path has such a name, of a process of this machine that is no more.

    A process of another machine cannot be asked, so what it left is never an orphan here.
    """
    found = owner(path)
    if found is None or found[0] or path.is_symlink():
        return False
    if os.name == "nt":
        return False  # signal 0, which only asks elsewhere, would interrupt the process there
    try:
        os.kill(found[1], 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        pass  # somebody else's process: it lives
    return False


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", platform.node())
