"""Name files after the process that writes them, and check whether that process is alive."""

import os
import platform
import re
import secrets
import sys
from functools import cache
from pathlib import Path
from typing import Literal

Holder = Literal["none", "dead", "alive", "unknown"]

_NAME = re.compile(r"(\w+)-(\d+)-([0-9a-f]{8,24})")
_TOKEN = secrets.token_hex(4)  # shared with forks of this process, which have other pids
_HOST_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO in Linux's proc_ns.h


def own_name(stem: str) -> str:
    """Return an unpredictable name, `stem.host-pid-` with 24 hexadecimal digits appended."""
    return f"{stem}.{_host()}-{os.getpid()}-{_TOKEN}{secrets.token_hex(8)}"


def owner(path: Path) -> tuple[str, int] | None:
    """Return the host (empty for this machine) and pid from an `own_name`; None for other names."""
    match = _NAME.fullmatch(path.name.partition(".")[2])
    if match is None:
        return None
    return "" if match[1] == _host() else match[1], int(match[2])


def holder(path: Path) -> Holder:
    """Return the state of the process that a path is named after.

    A name with the pid of this process can come from an earlier process, because pid 1 is common
    in containers. The earlier process counts as dead.

    Returns:
        `none` if the path is not named after a process; `unknown` for a process on another machine.
    """
    process = owner(path)
    if process is None:
        return "none"
    host, pid = process
    if host:
        return "unknown"
    if pid == os.getpid():
        is_alive = path.name.rpartition("-")[2].startswith(_TOKEN)
    else:
        is_alive = _is_alive(pid)
    return "alive" if is_alive or path.is_symlink() else "dead"


def is_orphan(path: Path) -> bool:
    """Return whether a path is named after a dead process on this machine and is not a symlink."""
    return holder(path) == "dead"


if sys.platform == "win32":  # os.kill(pid, 0) terminates the process on Windows

    def _is_alive(pid: int) -> bool:
        """Ask OpenProcess and GetExitCodeProcess; return True if in doubt."""
        import ctypes

        query_limited, invalid_parameter, still_active = 0x1000, 87, 259
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = ctypes.c_void_p
        handle = ctypes.c_void_p(kernel.OpenProcess(query_limited, 0, ctypes.c_ulong(pid)))
        if not handle:
            return ctypes.get_last_error() != invalid_parameter
        try:
            code = ctypes.c_ulong()
            succeeded = kernel.GetExitCodeProcess(handle, ctypes.byref(code))
            return not succeeded or code.value == still_active
        finally:
            kernel.CloseHandle(handle)

else:

    def _is_alive(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except OSError:
            pass  # the process belongs to another user
        return True


@cache
def _host() -> str:
    """Return the name of this machine, unique for every container with its own pid namespace."""
    name = re.sub(r"[^A-Za-z0-9]", "_", platform.node())
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())  # pid_namespaces(7)
    except OSError:  # not Linux
        return name
    return name if namespace == _HOST_NAMESPACE else name + "_" + re.sub(r"\D", "", namespace)
