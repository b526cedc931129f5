"""Test exit codes and messages of failures."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "message"),
    [
        ("info mnits", {}, 3, "did you mean mnist?"),
        ("fetch fashion_mnits", {}, 3, "did you mean fashion-mnist?"),
        ("prepare quite-unknown", {}, 3, "dshub list"),
        ("verify emnist-letters", {}, 3, "did you mean emnist/letters?"),
        ("check mnits", {}, 3, "did you mean mnist?"),
        ("cache rm mnits", {}, 3, "did you mean mnist?"),
        ("cache ls mnits", {}, 3, "did you mean mnist?"),
        ("cache pin mnits", {}, 3, "did you mean mnist?"),
        ("import mnits .", {}, 3, "did you mean mnist?"),
        ("info mnist@9.9.9", {}, 3, "1.0.0"),
        ("info nowhere.toml", {}, 1, "nowhere.toml"),
        ("serch digits", {}, 2, "Did you mean `dshub search`?"),
        ("download mnist", {}, 2, "Did you mean `dshub fetch`?"),
        ("load mnist", {}, 2, "Did you mean `dshub fetch`?"),
        ("rm mnist", {}, 2, "Did you mean `dshub cache rm`?"),
        ("pin my-data.toml", {}, 2, "Did you mean `dshub checksum`?"),
        ("help fetch", {}, 2, "Did you mean `dshub fetch --help`?"),
        ("quite-unknown", {}, 2, "dshub --help"),
        ("list digits", {}, 2, "dshub search digits"),
        ("fetch mnist:train", {}, 3, "did you mean mnist?"),
        ("fetch MNIST cifer10", {}, 3, "did you mean cifar-10?"),
        ("info hf:squad", {}, 3, "did you mean squad? names with hf: work only with `load`"),
        ("info imagenett", {}, 3, "did you mean imagenette or"),
        ("info cats_vs_dogs", {}, 3, 'load("hf:owner/name")'),
        ("preview mnist --split val", {"DSHUB_SYNTHETIC": "9"}, 3, "choose from train, test"),
        ("fetch", {}, 2, "name datasets or families"),
        ("fetch mnist --jobs 0", {}, 2, "jobs"),
        ("fetch mnist --speed 3", {}, 2, "--speed"),
        ("cache rm", {}, 2, "--all"),
        ("cache rm --raw", {}, 2, "--all"),
        ("cache rm mnist --all", {}, 2, "--all"),
        ("cache rm mnist@1.0.0", {}, 1, "use the name without the version: mnist"),
        ("cache prune", {}, 2, "--max-size"),
        ("cache prune --max-size much", {}, 2, "1.5GB"),
        ("cache prune --max-size -1", {}, 2, "1.5GB"),
        ("cache prune --max-size 5", {}, 2, "MB, GB, TB, GiB"),
        ("mirror m mnist --limit-rate 5", {}, 2, "MB, GB, TB, GiB"),
        ("export mnist --to csv out --shard-size 500", {}, 2, "MB, GB, TB, GiB"),
        ("cache prune --older-than 30", {}, 2, "30d"),
        ("cache prune --keep nothing", {}, 2, "prepared"),
        ("import mnist nowhere", {}, 2, "nowhere"),
        ("list", {"DSHUB_JOBS": "many"}, 2, "DSHUB_JOBS"),
        ("fetch mnist", {"DSHUB_OFFLINE": "1"}, 6, "DSHUB_OFFLINE"),
        ("prepare mnist", {"DSHUB_OFFLINE": "1"}, 6, "train-images"),
    ],
)
def test_failures_have_exit_codes_and_next_steps(
    dshub: Run, arguments: str, variables: dict[str, str], code: int, message: str
) -> None:
    done = dshub(*arguments.split(), **variables)
    assert done.returncode == code
    assert message in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("fetch mnist --speed 3", ["no such option '--speed'", "run `dshub fetch --help`"]),
        (
            "cache rm --raw",
            ["name a dataset, or use --partial or --all", "run `dshub cache rm --help`"],
        ),
        ("info mnits", ["there is no dataset named 'mnits'", "did you mean mnist?"]),
    ],
)
def test_all_errors_have_the_same_two_lines(
    dshub: Run, arguments: str, expected: list[str]
) -> None:
    message, hint = expected
    lines = dshub(*arguments.split()).stderr.splitlines()
    assert lines[0].startswith(f"error: {message}")
    assert lines[1:] == [f"hint: {hint}"]


def test_json_errors_are_the_last_line_on_standard_error(dshub: Run, registry: Path) -> None:
    usage = dshub("cache", "rm", "--raw", "--json")
    assert json.loads(usage.stderr) == {
        "schema": 1,
        "type": "UsageError",
        "message": "name a dataset, or use --partial or --all",
        "hint": "run `dshub cache rm --help`",
        "exit_code": 2,
        "details": [],
    }
    failed = dshub("fetch", "tiny/one", "--from", str(registry), "--json")
    assert failed.stdout == ""
    error = json.loads(failed.stderr.splitlines()[-1])
    assert (error["type"], error["exit_code"], failed.returncode) == ("FetchError", 4, 4)
    assert error["message"] == "could not download 2 files of tiny/one"
    assert error["details"][0] == "images (28 B)"


def test_failing_sources_have_exit_codes(dshub: Run, registry: Path, upstream: Path) -> None:
    """Exit code 4 means a missing file, and 5 a file with a wrong checksum."""
    (upstream / "labels-one.idx").write_bytes(b"other bytes")
    done = dshub("fetch", "tiny/one")
    assert done.returncode == 5
    assert "labels" in done.stderr
    (upstream / "labels-one.idx").unlink()
    done = dshub("fetch", "tiny/one")
    assert done.returncode == 4
    assert "404" in done.stderr


def test_manual_file_shows_its_instructions(dshub: Run, registry: Path) -> None:
    path = registry / "tiny" / "one" / "1.0.0.toml"
    lines = [line for line in path.read_text().splitlines() if "labels-one" not in line]
    text = "\n".join(lines).replace(
        "size = 11", 'access = "manual"\ninstructions = "Write a letter."\nfilename = "l.idx"'
    )
    path.write_text(text)
    done = dshub("fetch", "tiny/one")
    assert done.returncode == 7
    assert "Write a letter." in done.stderr
    assert "dshub import tiny/one" in done.stderr


def test_wrong_row_count_is_rejected(dshub: Run, registry: Path, cache: Path) -> None:
    path = registry / "tiny" / "one" / "1.0.0.toml"
    path.write_text(path.read_text().replace("rows = 3", "rows = 4"))
    done = dshub("fetch", "tiny/one")
    assert done.returncode == 9
    assert "4 rows" in done.stderr
    assert not list(cache.glob("tables-v1/**/table.json"))


def test_conflicting_manifests_are_an_error(dshub: Run, registry: Path) -> None:
    other = registry.parent / "second" / "tiny" / "one" / "1.0.0.toml"
    other.parent.mkdir(parents=True)
    text = (registry / "tiny" / "one" / "1.0.0.toml").read_text()
    other.write_text(text.replace("Three", "Forged"))
    done = dshub("list", DSHUB_REGISTRY=f"{registry}:{registry.parent / 'second'}")
    assert done.returncode == 1
    assert str(other) in done.stderr
    assert str(registry / "tiny" / "one" / "1.0.0.toml") in done.stderr


def test_debug_shows_the_traceback(dshub: Run) -> None:
    assert "registry.py" not in dshub("info", "mnits").stderr
    done = dshub("--debug", "info", "mnits")
    assert done.returncode == 3
    assert "registry.py" in done.stderr


def test_log_shows_the_response_of_each_source(dshub: Run, registry: Path) -> None:
    del registry
    done = dshub("fetch", "tiny/one", DSHUB_LOG="info", DSHUB_MIRROR="http://127.0.0.1:9")
    assert "dshub: http://127.0.0.1:9/blobs-v1/" in done.stderr
