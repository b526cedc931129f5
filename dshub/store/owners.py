"""Names on disk that are one process's alone, and telling those whose process is no more."""

import os
import platform
import re
import secrets
from pathlib import Path
from typing import Literal

Holder = Literal["nobody", "dead", "alive", "unknown"]
"""What became of the process that a name belongs to."""


def own_name(stem: str) -> str:
    """A name that no other process uses: `stem.host-4711-0123abcd`."""
    return f"{stem}.{_host()}-{os.getpid()}-{secrets.token_hex(4)}"


def holder(path: Path) -> Holder:
    """What became of the process whose name a path bears; `nobody` where it bears none.

    A process of another machine cannot be asked, and on Windows none can: `unknown`.
    """
    match = re.fullmatch(r"(\w+)-(\d+)-[0-9a-f]{8}", path.name.partition(".")[2])
    if match is None:
        return "nobody"
    if match[1] != _host() or os.name == "nt":
        return "unknown"  # on Windows, signal 0 would not only ask, but interrupt the process
    try:
        os.kill(int(match[2]), 0)
    except ProcessLookupError:
        return "dead"
    except OverflowError:
        return "unknown"  # no number of a process: not a name of ours
    except OSError:
        pass  # somebody else's process: it lives
    return "alive"


def is_orphan(path: Path) -> bool:
    """Whether a path has such a name, of a process of this machine that is no more.

    A process of another machine cannot be asked, so what it left is never an orphan here.
    """
    return not path.is_symlink() and holder(path) == "dead"


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", platform.node())
