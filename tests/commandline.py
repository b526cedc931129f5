"""Run `dshub` in a process forked from one that has already imported everything.

Starting an interpreter costs half a second of CPU, a fork a few milliseconds. The command gets a
new interpreter if a fork is not safe, or if a variable changes how Python starts.
"""

import atexit
import gc
import importlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import traceback
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

SECONDS = 120
STARTUP = ("PYTHON", "LC_", "LANG")  # prefixes of variables that affect the start of Python

Done = subprocess.CompletedProcess[str]


def run_dshub(folder: Path, *arguments: str, **variables: str) -> Done:
    """Run the command in a folder, with variables added to the environment.

    Fails if the output contains a traceback.
    """
    environment = os.environ | variables
    forks = sys.platform == "linux" and _startup(environment) == _startup(dict(os.environ))
    run = _run_forked if forks else _run_interpreter
    done = run(folder, list(arguments), environment)
    assert "--debug" in arguments or "Traceback" not in done.stderr, done.stderr
    return done


def run_on_terminal(*arguments: str, typed: str = "", **variables: str) -> Done:
    """Run the command on a POSIX pseudo-terminal; `stdout` is everything shown.

    Standard input is a terminal only if `typed` is not empty.
    """
    import pty

    dropped = {"COLORTERM", "COLUMNS", "NO_COLOR"}
    environment = {name: text for name, text in os.environ.items() if name not in dropped}
    environment |= {"TERM": "xterm-256color", "DSHUB_PROGRESS": "off"} | variables
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "dshub", *arguments]
    stdin = theirs if typed else subprocess.DEVNULL  # a prompt without an answer would block
    with subprocess.Popen(
        command, stdin=stdin, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b""
        with suppress(OSError):  # Linux raises an error when the program has ended
            while part := os.read(ours, 1 << 16):
                shown += part
    os.close(ours)
    text = shown.decode().replace("\r\n", "\n")
    return subprocess.CompletedProcess(["dshub", *arguments], process.returncode, text, "")


def _startup(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(STARTUP)}


def _run_interpreter(folder: Path, arguments: list[str], environment: dict[str, str]) -> Done:
    return subprocess.run(
        [sys.executable, "-m", "dshub", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )


def _run_forked(folder: Path, arguments: list[str], environment: dict[str, str]) -> Done:
    address = _server(tuple(sorted(_startup(environment).items())))
    with tempfile.TemporaryDirectory() as outputs, socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(address)
        request = {"arguments": arguments, "folder": str(folder), "environment": environment}
        connection.sendall(json.dumps(request | {"outputs": outputs}).encode() + b"\n")
        code = int(connection.makefile().readline())
        out, err = (Path(outputs, name).read_text("utf-8") for name in ("out", "err"))
    return subprocess.CompletedProcess(["dshub", *arguments], code, out, err)


@cache
def _server(startup: tuple[tuple[str, str], ...]) -> str:
    """Start a process to fork from and return its address; it ends with this process."""
    del startup  # only the cache key: one server per set of variables
    folder = tempfile.TemporaryDirectory()
    address = str(Path(folder.name) / "socket")
    process = subprocess.Popen(
        [sys.executable, __file__, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    atexit.register(folder.cleanup)
    atexit.register(process.communicate)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return address


def serve(address: str) -> None:
    """Fork for each connection until standard input closes."""
    from dshub import cli, plugins

    for name in ("numpy", "pyarrow"):
        importlib.import_module(name)
    for name in plugins.names("cli"):
        plugins.module("cli", name)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)  # noqa: T201  # read by the parent process
        gc.freeze()  # keeps the garbage collector of a child from copying pages
        children: set[int] = set()
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            child = os.fork()
            if child == 0:
                _answer(connection, cli.main)
            connection.close()
            children.add(child)
            children = {pid for pid in children if os.waitpid(pid, os.WNOHANG) == (0, 0)}


def _answer(connection: socket.socket, main: Any) -> None:
    request = json.loads(connection.makefile().readline())
    child = os.fork()
    if child == 0:
        os._exit(_call(main, request))
    _, status = os.waitpid(child, 0)
    connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _call(main: Any, request: dict[str, Any]) -> int:
    """Run `main` as a new interpreter would, and return its exit code."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["dshub", *request["arguments"]]
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    for number, name in ((1, "out"), (2, "err")):
        with Path(request["outputs"], name).open("wb") as file:
            os.dup2(file.fileno(), number)
    code: Any = 0
    try:
        main()
    except SystemExit as error:
        code = error.code or 0
    except BaseException:  # noqa: BLE001  # an interpreter prints the traceback too
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return int(code)


if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))  # absent when running `python -m dshub`
    serve(sys.argv[1])
