"""Test `dshub list`: list and filter datasets and families."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commandline import run_on_terminal

Run = Callable[..., subprocess.CompletedProcess[str]]


def names_of(dshub: Run, *options: str) -> list[str]:
    """Return the first column of the table."""
    return [line.split()[0] for line in dshub("list", *options).stdout.splitlines()[1:]]


def json_names_of(dshub: Run, *options: str) -> list[str]:
    answer = json.loads(dshub("list", "--json", *options).stdout)
    return [item["name"] for item in answer["datasets"]]


def test_family_takes_one_line(dshub: Run, registry: Path) -> None:
    head, *lines = dshub("list").stdout.splitlines()
    assert head.split() == ["NAME", "ROWS", "DOWNLOAD", "TASK", "SUMMARY"]
    (line,) = (line for line in lines if line.startswith("tiny/"))
    assert line.split() == ["tiny/*", "2", "datasets", "image-classification", "one,", "two"]
    assert any(line.startswith("mnist ") for line in lines)


def test_members_with_numbers_are_in_numerical_order(dshub: Run) -> None:
    (line,) = (line for line in dshub("list").stdout.splitlines() if line.startswith("dtd-folds"))
    assert line.endswith("  1, 2, 3, 4, 5, 6, 7, 8, 9, 10")


def test_all_and_json_list_members(dshub: Run, registry: Path) -> None:
    names = json_names_of(dshub)
    assert {"mnist", "tiny/one", "tiny/two"} <= {*names}
    assert names_of(dshub, "--all") == names


def test_family_of_one_member_is_not_grouped(dshub: Run, registry: Path) -> None:
    (registry / "tiny" / "two" / "1.0.0.toml").unlink()
    names = names_of(dshub)
    assert "tiny/one" in names
    assert "tiny/*" not in names


@pytest.mark.parametrize(
    ("options", "shown", "left_out"),
    [
        (["--task", "Tabular"], "iris", "mnist"),
        (["--task", "Image Classification"], "mnist", "iris"),
        (["--kind", "audio"], "speech-commands/v0.02", "mnist"),
        (["--license", "CC-by"], "kmnist", "tiny/one"),
        (["--license", "none"], "tiny/one", "kmnist"),
        (["--task", "image", "--license", "mit"], "fashion-mnist", "tiny/one"),
    ],
)
def test_options_filter_datasets(
    dshub: Run, registry: Path, options: list[str], shown: str, left_out: str
) -> None:
    names = json_names_of(dshub, *options)
    assert shown in names
    assert left_out not in names
    assert names_of(dshub, "--all", *options) == names


def test_no_match_says_so_on_stderr(dshub: Run) -> None:
    done = dshub("list", "--task", "nothing-has-this-task")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no dataset matches" in done.stderr
    assert json_names_of(dshub, "--task", "nothing-has-this-task") == []


def test_list_takes_no_arguments(dshub: Run) -> None:
    done = dshub("list", "trouser")
    assert done.returncode == 2
    assert "`dshub search trouser`" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
def test_every_line_fits_80_columns() -> None:
    """The list of members ends with a whole name and an ellipsis."""
    lines = run_on_terminal("list", COLUMNS="80", NO_COLOR="1").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    (line,) = (line for line in lines if line.startswith("glue/* "))
    assert " 10 datasets " in line
    members, ellipsis = line.rpartition("ax, ")[2].split(", ")[:-1], line[-3:]
    assert {*members} <= {"cola", "mnli", "mrpc", "qnli", "qqp", "rte", "sst2", "stsb", "wnli"}
    assert ellipsis == ", …"


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
@pytest.mark.parametrize(
    ("width", "shown", "left_out"),
    [
        (120, "70,000   11.6 MB  image-classification  Grayscale images of", "nothing"),
        (70, "70,000   11.6 MB  Grayscale images of", "image-classification"),
        (48, "70,000   11.6 MB", "28x28"),
    ],
)
def test_columns_without_room_are_left_out(width: int, shown: str, left_out: str) -> None:
    done = run_on_terminal("search", "mnist", COLUMNS=str(width), NO_COLOR="1")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= width
    (line,) = (line for line in lines if line.startswith("mnist "))
    assert shown in line
    assert left_out not in line
