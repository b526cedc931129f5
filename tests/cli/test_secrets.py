"""Test that passwords and tokens stay out of answers, errors, logs and files."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dshub.cli import main

Run = Callable[..., subprocess.CompletedProcess[str]]
Call = Callable[..., str]

SECRET = "hunter2"

# nothing listens on port 9
SPELLINGS = [
    f"http://user:{SECRET}@127.0.0.1:9/",
    f"http://{SECRET}@127.0.0.1:9",
    f"http://127.0.0.1:9/?token={SECRET}",
    f"http://user:a/{SECRET}@127.0.0.1:9/mirror",
    f"http://user:a@{SECRET}@127.0.0.1:9",
    f"http://user:a {SECRET}@127.0.0.1:9",
    f"user:{SECRET}@127.0.0.1:9/mirror",
    f"http:/user:{SECRET}@127.0.0.1:9",
    f"s3://key:{SECRET}/a@bucket/mirror",
    f"http://user:{SECRET}@127.0.0.1:9 nowhere http://other:{SECRET}@127.0.0.1:9",
]


@pytest.fixture
def run_command(
    registry: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Call]:
    """Return a function that runs a command in this process and returns its output."""
    before = signal.getsignal(signal.SIGTERM)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["dshub", *arguments])
        with pytest.raises(SystemExit):
            main()
        printed = capsys.readouterr()
        return printed.out + printed.err

    yield run
    signal.signal(signal.SIGTERM, before)


def files_with_secret(*folders: Path) -> list[Path]:
    """Return files with the secret in their content or name."""
    files = [path for folder in folders for path in folder.rglob("*")]
    return [
        path
        for path in files
        if SECRET in path.name or (path.is_file() and SECRET.encode() in path.read_bytes())
    ]


@pytest.mark.parametrize("address", SPELLINGS)
def test_no_command_shows_the_password_of_a_mirror(
    run_command: Call, address: str, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DSHUB_MIRROR", address)
    for command in ("list", "--debug info tiny/three", "fetch tiny/one", "doctor"):
        printed = run_command(*command.split())
        assert printed
        assert SECRET not in printed, command
        assert "Traceback" not in printed or "--debug" in command
    assert files_with_secret(cache, tmp_path / "work") == []


def test_no_file_contains_the_password_of_a_mirror(
    run_command: Call, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DSHUB_MIRROR", f"http://u:{SECRET}@127.0.0.1:9/?k={SECRET}")
    for command in (
        "--debug fetch tiny/two --json",
        "lock tiny/one",
        "mirror out tiny/one",
        "site pages tiny/one",
        "cache ls --json",
        "croissant tiny/one -o document.json",
    ):
        printed = run_command(*command.split())
        assert "error: " not in printed
        assert SECRET not in printed, command
    assert files_with_secret(cache, tmp_path / "work") == []


@pytest.mark.parametrize(
    "config",
    [
        f'mirrors = ["http://user:{SECRET}@127.0.0.1:9", 5]',
        f'mirrors = {{ url = "http://user:{SECRET}@h", password = "{SECRET}" }}',
        f'mirror = "http://user:{SECRET}@127.0.0.1:9"',
        f'password = "{SECRET}"',
        f'cache = "http://user:{SECRET}@127.0.0.1:9"',
        f'registry = "http://user:{SECRET}@127.0.0.1:9"',
        f'jobs = "http://user:{SECRET}@127.0.0.1:9"',
        f'[tool]\nmirrors = "{SECRET}"',
    ],
)
def test_invalid_config_value_is_not_shown(
    run_command: Call, config: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "home" / "config" / "dshub" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(config)
    monkeypatch.delenv("DSHUB_CACHE")
    monkeypatch.delenv("DSHUB_REGISTRY")
    printed = run_command("list")
    assert "error: " in printed
    assert "config.toml" in printed
    assert SECRET not in printed


@pytest.mark.parametrize(
    "command",
    [
        f"mirror http://user:{SECRET}@127.0.0.1:9/ tiny/one",
        f"mirror http://127.0.0.1:9/?sig={SECRET} tiny/one",
        f"mirror s3://key:{SECRET}@bucket/x tiny/one",
        f"mirror s3://key:a/{SECRET}@bucket/x --verify",
        f"fetch tiny/one --from http://user:{SECRET}@127.0.0.1:9/",
        f"fetch tiny/one --from http://127.0.0.1:9/?sig={SECRET}",
        f"serve . --upstream user:{SECRET}@127.0.0.1:9",
        f"croissant tiny/one --mirror http://user:{SECRET}@127.0.0.1:9/",
    ],
)
def test_password_in_an_argument_is_not_shown(run_command: Call, command: str) -> None:
    printed = run_command("--debug", *command.split())
    assert "rror" in printed
    assert SECRET not in printed


@pytest.mark.parametrize(
    "proxy",
    [f"http://user:{SECRET}@127.0.0.1:9", f"user:a/{SECRET}@127.0.0.1:9", f"{SECRET}@127.0.0.1:9"],
)
def test_password_of_a_proxy_is_not_shown(
    run_command: Call, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, proxy)
    for command in ("--debug fetch tiny/one", "doctor", "--debug list"):
        assert SECRET not in run_command(*command.split())


def test_log_does_not_show_a_password(dshub: Run, registry: Path) -> None:
    done = dshub(
        "list", DSHUB_LOG="debug", DSHUB_MIRROR=f"http://u:{SECRET}@127.0.0.1:9/?k={SECRET}"
    )
    assert "dshub: http://…@127.0.0.1:9/" in done.stderr
    assert SECRET not in done.stdout + done.stderr
