"""Test that `dshub check` finds faults in readers without downloading files."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.test_check import HEAD, manifest, resource, split

__all__ = ["manifest"]  # a fixture that tests use by name

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_faults_of_readers_are_reported(dshub: Run, manifest: Path) -> None:
    text = HEAD + resource("file", "https://data.example/file")
    text += split("a", '{ format = "lines", speed = 3 }', '{ text = "file" }')
    text += split("b", '{ format = "delimited", columns = ["x", "x"] }', '{ text = "file" }')
    text += split("c", '{ format = "idx", transpose = ["imag"] }', '{ text = "file" }')
    text += split("d", '{ format = "lines" }', '{ text = "file", other = "file" }')
    step = '[[splits.e.steps]]\nstep = "match"\npart = "list"\non = ["x"]\n'
    step += 'reader = { format = "json" }\n'
    text += split("e", '{ format = "lines" }', '{ text = "file", list = "file:a" }', step)
    manifest.write_text(text)
    done = dshub("check", str(manifest), "--json")
    assert done.returncode == 1
    (answer,) = json.loads(done.stdout)["manifests"]
    lines = text.splitlines()
    expected = {
        "splits.a.reader": "speed",
        "splits.b.reader": "twice",
        "splits.c.reader": "imag",
        "splits.d.reader": "one part",
        "splits.e.steps[0].reader": "columns",
    }
    assert len(answer["faults"]) == len(expected)
    for fault, (expected_place, word) in zip(answer["faults"], expected.items(), strict=True):
        place, _, message = fault.partition(": ")
        number, _, reported = place.partition(", ")
        assert reported == expected_place
        assert word in message
        assert lines[int(number.removeprefix("line ")) - 1].startswith("reader = ")


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ('{ text = "file:" }', "splits.a.files.text"),
        ('{ text = "file:./" }', "splits.a.files.text"),
        ('{ text = "file:inner.tar:" }', "splits.a.files.text"),
        ('{ text = ["file:a", "file::b"] }', "splits.a.files.text"),
        ('{ text = "file", images = "file:jpg/*.png" }', "splits.a.steps[0].path"),
        ('{ text = "file", images = "file:png/*.jpg" }', "splits.a.steps[0].path"),
        ('{ text = "file", images = "file" }', "splits.a.steps[0].path"),
    ],
)
def test_impossible_members_are_faults(dshub: Run, manifest: Path, files: str, place: str) -> None:
    step = '[[splits.a.steps]]\nstep = "attach"\npart = "images"\ncolumn = "x"\n'
    step += 'path = "jpg/{text}.jpg"\n'
    text = HEAD + resource("file", "https://data.example/file")
    manifest.write_text(
        text + split("a", '{ format = "lines" }', files, step if "images" in files else "")
    )
    done = dshub("check", str(manifest))
    assert done.returncode == 1
    assert f", {place}: " in done.stdout


@pytest.mark.parametrize("member", ["jpg/*.jpg", "*", "jpg/1.jpg", "jpg/*/*.jpg", "jpg/[ab]*"])
def test_possible_members_are_accepted(dshub: Run, manifest: Path, member: str) -> None:
    step = '[[splits.a.steps]]\nstep = "attach"\npart = "images"\ncolumn = "x"\n'
    step += 'path = "jpg/{text}.jpg"\n'
    files = f'{{ text = "file", images = "file:{member}" }}'
    text = HEAD + resource("file", "https://data.example/file")
    manifest.write_text(text + split("a", '{ format = "lines" }', files, step))
    assert dshub("check", str(manifest)).returncode == 0
