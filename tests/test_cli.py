"""Run the `dshub` program and check its exit codes and errors."""

import os
import signal
import subprocess
import sys
import time

import pytest

from dshub import __version__


def run(*arguments: str, **variables: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "dshub", *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_version_is_printed() -> None:
    assert run("--version")[:2] == (0, f"dshub, version {__version__}\n")


def test_traceback_is_shown_only_with_debug() -> None:
    code, _, plain = run("info", "fashion-mnits")
    assert (code, "Traceback" in plain) == (3, False)
    assert "hint: did you mean fashion-mnist?" in plain
    assert "Traceback" in run("--debug", "info", "fashion-mnits")[2]


def test_characters_that_the_output_cannot_encode_are_replaced() -> None:
    code, output, errors = run("list", PYTHONIOENCODING="ascii")
    assert (code, errors) == (0, "")
    assert "fashion-mnist" in output


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize(
    ("number", "code", "words"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_signals_end_with_their_exit_codes(number: int, code: int, words: str) -> None:
    script = (
        "import sys, time; from dshub import cli; "
        "cli.Settings.read = lambda *a, **k: (print('ready', flush=True), time.sleep(60)); "
        "sys.argv = ['dshub', 'list']; cli.main()"
    )
    waiting = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == "ready\n"
    time.sleep(0.1)
    waiting.send_signal(number)
    _, errors = waiting.communicate(timeout=60)
    assert waiting.returncode == code
    assert f"{words}; downloaded bytes are kept" in errors
