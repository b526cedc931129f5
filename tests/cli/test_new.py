"""Test `dshub new`: write manifests from local files."""

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dshub import Hub, Registry
from tests.independent.own_files import write_audio, write_image, write_text

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Return the path of the working folder."""
    return tmp_path / "work"


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """Write class folders of images."""
    folder = tmp_path / "My Flowers"
    for i in range(3):
        write_image(folder / "train" / "rose" / f"{i}.png", i)
        write_image(folder / "train" / "tulip" / f"{i}.png", 3 + i)
        write_image(folder / "test" / "rose" / f"{i}.png", 6 + i)
    return folder


def test_folder_of_images_becomes_a_dataset(
    dshub: Run, flowers: Path, work: Path, hub: Hub
) -> None:
    done = dshub("new", str(flowers))
    assert done.returncode == 0, done.stderr
    for text_shown in (
        "rose (6), tulip (3)",
        "image, 8 x 9 x 3, PNG",
        "train  6 rows",
        "dshub check",
    ):
        assert text_shown in done.stdout
    assert "packing copies of 9 files" in done.stderr
    manifest = work / "own" / "my-flowers" / "1.0.0.toml"
    assert dshub("check", str(manifest)).returncode == 0
    assert list(hub.load(str(manifest), "train")["label"][:]) == [0, 0, 0, 1, 1, 1]
    named = Hub(settings=hub.settings, registry=Registry([work]))
    assert named.load("own/my-flowers", "test")[0]["image"].shape == (8, 9, 3)
    for field in ("spdx", "[[citations]]", "urls"):
        assert f"# {field}" in manifest.read_text("utf-8")
    assert sorted(path.name for path in manifest.parent.iterdir()) == [
        "1.0.0.toml",
        "my-flowers.tar",
    ]


def test_json_answer_has_the_whole_outline(dshub: Run, tmp_path: Path) -> None:
    write_text(tmp_path / "train.csv", "words,label\n" + "a,x\nb,y\n" * 3)
    done = dshub("new", str(tmp_path / "train.csv"), "--name", "me/words", "--json")
    answer = json.loads(done.stdout)
    assert answer["schema"] == 1
    assert answer["features"]["label"] == {"kind": "label", "names": ["x", "y"]}
    assert answer["splits"]["train"]["rows"] == 6
    assert answer["splits"]["train"]["figures"] == {"label-counts": [3, 3]}
    assert answer["resources"]["train"]["size"] == (tmp_path / "train.csv").stat().st_size
    assert Path(answer["manifest"]) == Path("me") / "words" / "1.0.0.toml"
    assert (answer["packed"], answer["imported"]) == (None, True)
    assert answer["next"]


def test_existing_files_are_replaced_only_with_force(dshub: Run, flowers: Path, work: Path) -> None:
    assert dshub("new", str(flowers)).returncode == 0
    manifest = work / "own" / "my-flowers" / "1.0.0.toml"
    manifest.write_text("mine")
    done = dshub("new", str(flowers))
    assert (done.returncode, "already exists" in done.stderr) == (1, True)
    assert manifest.read_text() == "mine"
    assert dshub("new", str(flowers), "--force").returncode == 0
    assert dshub("check", str(manifest)).returncode == 0
    manifest.unlink()
    done = dshub("new", str(flowers))
    assert (done.returncode, "my-flowers.tar already exists" in done.stderr) == (1, True)


def test_no_import_leaves_the_cache_empty(
    dshub: Run, tmp_path: Path, work: Path, cache: Path, hub: Hub
) -> None:
    write_text(tmp_path / "data" / "train.csv", "n,word\n1,a\n2,b\n")
    done = dshub("new", str(tmp_path / "data"), "--no-import")
    assert done.returncode == 0, done.stderr
    assert not cache.exists()
    manifest = work / "own" / "data" / "1.0.0.toml"
    assert f"dshub import {manifest.relative_to(work)}" in done.stdout.replace("\\", "/")
    assert dshub("import", str(manifest), str(tmp_path / "data")).returncode == 0
    assert list(hub.load(str(manifest), "train")["n"][:]) == [1, 2]


def test_dry_run_writes_nothing(dshub: Run, flowers: Path, work: Path, cache: Path) -> None:
    done = dshub("new", str(flowers), "--dry-run")
    assert (done.returncode, "rose (6), tulip (3)" in done.stdout) == (0, True)
    assert not list(work.iterdir())
    assert not cache.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "missing argument"),
        (("{data}", "--name", "My Set"), 2, "a-z 0-9"),
        (("{data}", "--name", "mnist"), 1, "already has a dataset named mnist"),
        (("{data}", "-o", "x.json"), 2, "must end with .toml"),
        (("{data}", "-o", "{data}/1.0.0.toml"), 1, "would be inside the data"),
        (("{data}", "--split", "train"), 2, "is not NAME=PATH"),
        (("--split", "My Train={data}"), 2, "is not a split name"),
        (("{data}/nothing.csv",), 2, "does not exist"),
    ],
)
def test_invalid_arguments_are_rejected(
    dshub: Run, flowers: Path, work: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = dshub("new", *(item.format(data=flowers) for item in arguments))
    assert done.returncode == code
    assert message in done.stderr
    assert not list(work.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and sparse files")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interruption_leaves_no_files(tmp_path: Path, work: Path, number: int, code: int) -> None:
    work.mkdir()
    for name in ("yes", "no"):
        path = tmp_path / "speech" / name / "1.wav"
        write_audio(path, 1)
        os.truncate(path, 400_000_000)
    command = [sys.executable, "-m", "dshub", "new", str(tmp_path / "speech")]
    with subprocess.Popen(command, cwd=work, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 60
        while not list(work.glob("own/speech/.*")) and time.monotonic() < until:
            assert process.poll() is None, process.stderr and process.stderr.read()
        process.send_signal(number)
        assert process.wait(60) == code
    assert not list(work.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX resource limits")
def test_ten_thousand_files_need_few_file_descriptors(
    tmp_path: Path, work: Path, cache: Path, hub: Hub
) -> None:
    """Systems allow a few hundred open files per process."""
    work.mkdir()
    write_image(tmp_path / "one.png", 1, size=(2, 2))
    content = (tmp_path / "one.png").read_bytes()
    for name in ("cat", "dog"):
        folder = tmp_path / "animals" / name
        folder.mkdir(parents=True)
        for i in range(5000):
            (folder / f"{i}.png").write_bytes(content)
    shell = f'ulimit -n 100; exec "{sys.executable}" -m dshub new "{tmp_path / "animals"}" --json'
    done = subprocess.run(
        ["sh", "-c", shell], cwd=work, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["splits"]["train"]["figures"] == {"label-counts": [5000, 5000]}
    with tarfile.open(work / answer["packed"]) as archive:
        assert len(archive.getnames()) == 10_000
    assert len(hub.load(str(work / answer["manifest"]), "train")) == 10_000
