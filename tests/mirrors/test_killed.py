"""Kill the writer of a mirror at random moments."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.mirrors.conftest import Lab

Run = Callable[..., subprocess.CompletedProcess[str]]

# The writer forks, so that no round waits for Python to start.
KILLER = """
import hashlib, json, os, random, shutil, signal, sys, time
from pathlib import Path
import filelock, requests
import dshub.download.transports.http, dshub.download.fetcher, dshub.mirrors.writing
from dshub.cli import group, mirror as _

start, place, rounds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
checked = {}

def reader():
    # clients rely on a complete index and on every file in it
    text = (place / "index.json").read_bytes()
    body = text[text.index(b'"datasets":') + 11 : text.rindex(b"}")]
    index = json.loads(text)
    assert hashlib.sha256(body).hexdigest() == index["sha256"]
    for entry in index["datasets"]:
        for facts in [entry["manifest"], *entry["files"]]:
            digits = facts["digest"].removeprefix("sha256:")
            path = place / "blobs-v1" / digits[:2] / digits
            status = path.stat()
            key = (digits, status.st_ino, status.st_mtime_ns, status.st_size)
            if checked.get(path) != key:
                assert hashlib.sha256(path.read_bytes()).hexdigest() == digits, path
                checked[path] = key
    return [entry["name"] for entry in index["datasets"]]

def write():
    sys.stdout = sys.stderr = open(os.devnull, "w")
    group(["mirror", str(place), "lab"], standalone_mode=False)

def begin():
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(start, place)
    checked.clear()
    pid = os.fork()
    if pid == 0:
        try:
            write()
        finally:
            os._exit(0)
    return pid

began = time.monotonic()
os.waitpid(begin(), 0)
duration = time.monotonic() - began
lengths, outcomes = set(), []
for _ in range(rounds):
    pid, end = begin(), time.monotonic() + random.uniform(0, duration)
    while time.monotonic() < end:
        lengths.add(len(reader()))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    outcomes.append((len(reader()), os.WIFSIGNALED(status)))
    done = os.fork()
    if done == 0:
        try:
            write()
        finally:
            os._exit(0)
    os.waitpid(done, 0)
    partials = [p.name for p in (place / "partial-v1").iterdir() if p.suffix != ".lock"]
    outcomes[-1] += (len(reader()), partials)
print(json.dumps({"outcomes": outcomes, "lengths": sorted(lengths)}))
"""


@pytest.mark.parametrize("rounds", [2, pytest.param(25, marks=pytest.mark.slow)])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks and kills processes")
def test_killed_writer_leaves_a_consistent_mirror(
    dshub: Run, lab: "Lab", tmp_path: Path, rounds: int
) -> None:
    """Readers see the old or the new index, and the next run completes the mirror."""
    dshub("mirror", "start", "lab/mnist")
    path = lab.registry / "lab" / "mnist" / "1.0.0.toml"
    path.write_text(path.read_text().replace("handwritten", "hand-written"))
    dshub("mirror", "reference", "lab")
    place = tmp_path / "m"
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(tmp_path / "start"), str(place), str(rounds)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert set(answer["lengths"]) <= {1, 3}  # datasets in the old and in the new index
    assert len(answer["outcomes"]) == rounds
    early = [killed and listed == 1 for listed, killed, _, _ in answer["outcomes"]]
    assert any(early) or rounds < 10  # a few kills can all come after the index is written
    for listed, _, after, partials in answer["outcomes"]:
        assert listed in {1, 3}
        assert after == 3
        assert partials == []
    for bucket in ("registry", "index.json"):
        for file in (tmp_path / "reference").rglob("*"):
            relative = file.relative_to(tmp_path / "reference")
            if file.is_file() and relative.parts[0] == bucket:
                assert (place / relative).read_bytes() == file.read_bytes()
    assert dshub("mirror", "m", "--verify").returncode == 0
