"""Names on disk that are one process's alone, and telling those whose process is no more."""

import os
import platform
import re
import secrets
from pathlib import Path


def own_name(stem: str) -> str:
    """A name that no other process uses: `stem.host-4711-0123abcd`."""
    return f"{stem}.{_host()}-{os.getpid()}-{secrets.token_hex(4)}"


def is_orphan(path: Path) -> bool:
    """Whether a path has such a name, of a process of this machine that is no more.

    A process of another machine cannot be asked, so what it left is never an orphan here.
    """
    match = re.fullmatch(r"(\w+)-(\d+)-[0-9a-f]{8}", path.name.partition(".")[2])
    if match is None or match[1] != _host() or path.is_symlink():
        return False
    if os.name == "nt":
        return False  # signal 0, which only asks elsewhere, would interrupt the process there
    try:
        os.kill(int(match[2]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # somebody else's process: it lives
    return False


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", platform.node())
