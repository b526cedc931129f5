"""Names on disk that are one process's alone, and telling those whose process is no more."""

import os
import platform
import re
import secrets
import sys
from functools import cache
from pathlib import Path

_NAME = re.compile(r"(\w+)-(\d+)-([0-9a-f]{8,24})")
_TOKEN = secrets.token_hex(4)  # of this process and its forks, which differ in number
_FIRST_SPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO of Linux's proc_ns.h


def own_name(stem: str) -> str:
    """A name that nobody can guess: `stem.host-4711-` and 24 digits, new ones each time."""
    return f"{stem}.{_host()}-{os.getpid()}-{_TOKEN}{secrets.token_hex(8)}"


def owner(path: Path) -> tuple[str, int] | None:
    """Host (empty where it is this machine) and number of the process that has such a name."""
    match = _NAME.fullmatch(path.name.partition(".")[2])
    if match is None:
        return None
    return "" if match[1] == _host() else match[1], int(match[2])


def is_orphan(path: Path) -> bool:
    """Whether a path has such a name, of a process of this machine that is no more.

    A process of another machine cannot be asked, so what it left is never an orphan here. A name
    with the number of this process that it has not given is of an earlier one: in containers each
    process may be number 1.
    """
    found = owner(path)
    if found is None or found[0] or path.is_symlink():
        return False
    if found[1] == os.getpid():
        return not path.name.rpartition("-")[2].startswith(_TOKEN)
    return not _lives(found[1])


if sys.platform == "win32":  # there, signal 0 ends the process that it only asks elsewhere

    def _lives(pid: int) -> bool:
        """As the documentation of OpenProcess and GetExitCodeProcess has it; yes in doubt."""
        import ctypes

        query_limited, invalid_parameter, still_active = 0x1000, 87, 259
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = ctypes.c_void_p
        handle = ctypes.c_void_p(kernel.OpenProcess(query_limited, 0, ctypes.c_ulong(pid)))
        if not handle:
            return ctypes.get_last_error() != invalid_parameter
        try:
            code = ctypes.c_ulong()
            told = kernel.GetExitCodeProcess(handle, ctypes.byref(code))
            return not told or code.value == still_active
        finally:
            kernel.CloseHandle(handle)

else:

    def _lives(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except OSError:
            pass  # somebody else's process
        return True


@cache
def _host() -> str:
    """This machine; a container that has numbers of processes to itself is one of its own."""
    name = re.sub(r"[^A-Za-z0-9]", "_", platform.node())
    try:
        space = str(Path("/proc/self/ns/pid").readlink())  # pid_namespaces(7)
    except OSError:  # not Linux
        return name
    return name if space == _FIRST_SPACE else name + "_" + re.sub(r"\D", "", space)
