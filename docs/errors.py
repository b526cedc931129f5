"""Write docs/errors.md: each error as a person sees it, by running what leads to it.

    python docs/errors.py           writes the page
    python docs/errors.py --check   fails if the page is not what would be written

Addresses and folders that differ from run to run are given names; nothing else is edited.
"""

import argparse
import io
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dshub.cache.paths import blob_path
from dshub.checksums import Digest
from dshub.mirrors.serve.server import serving

PAGE = Path(__file__).with_suffix(".md")
LABELS = struct.pack(">2xBBI", 8, 1, 1000) + bytes([0, 1]) * 500
HEAD = """# What errors look like

Made by running each (`python docs/errors.py`), so this is what a person sees. An error says what
happened and to which thing, its hint what to do next. Exit codes are listed in
[settings.md](settings.md#exit-codes).
"""

MANIFEST = """schema = 1
name = "digits"
version = "1.0.0"
title = "Digits"
summary = "A thousand labels."
task = "none"
homepage = "https://data.example"

[resources.labels]
{source}
sha256 = "{sha256}"
size = {size}

[features.label]
kind = "label"
names = ["even", "odd"]

[splits.train]
rows = {rows}
reader = {{ format = "idx" }}
files = {{ label = "labels{member}" }}
{more}"""


@dataclass
class Scene:
    """One error, and how it comes about.

    Attributes:
        title: what has happened, for the heading.
        command: what the person runs.
        served: what the source of the dataset answers with; None for a 404.
        content: what its manifest describes.
        name: of the file.
        member: of the file, where it is an archive.
        source: the line of the manifest in place of an address.
        rows: what the manifest promises.
        variables: of the environment.
        first: a command that is run before, without being shown.
        more: lines of the manifest behind all others.
        edit: what is replaced in the manifest after that, and by what.
        damage: whether the file in the cache changes after that.
        dead: whether nobody answers at the source's address.
    """

    title: str
    command: str = "fetch digits"
    served: bytes | None = LABELS
    content: bytes = LABELS
    name: str = "labels.idx"
    member: str = ""
    source: str = ""
    rows: int = 1000
    variables: dict[str, str] = field(default_factory=dict)
    first: str = ""
    more: str = ""
    edit: tuple[str, str] = ("", "")
    damage: bool = False
    dead: bool = False


def hostile() -> bytes:
    """A zip with a member that leads out of it."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr(zipfile.ZipInfo("labels.idx"), LABELS)
        archive.writestr(zipfile.ZipInfo("../../.bashrc"), b"rm -rf ~")
    return sink.getvalue()


LOGIN = b"<!DOCTYPE html><title>Campus network: sign in</title><form>Password"
QUOTA = b"<html><title>Quota exceeded</title><p>Too many users have viewed this file."
PROMISE = struct.pack(">2xBBI", 8, 1, 1 << 30)
ANEW = LABELS[:-1] + b"\0"

SCENES = [
    Scene("A name that is not known", "fetch digit"),
    Scene("A setting that cannot be used", variables={"DSHUB_JOBS": "many"}),
    Scene(
        "A sign in the password of a mirror",
        variables={"DSHUB_MIRROR": "https://user:pass/word@mirror.example"},
    ),
    Scene("The host does not answer", dead=True),
    Scene("The file is not there", served=None),
    Scene("A page to sign in comes instead", served=LOGIN),
    Scene("A page about a quota comes instead", served=QUOTA),
    Scene("The file is cut short", served=LABELS[:600]),
    Scene("The file is longer", served=LABELS + bytes(5), content=b"\1" + LABELS[1:]),
    Scene("Other bytes of the right size", served=ANEW),
    Scene("Offline, and not in the cache", variables={"DSHUB_OFFLINE": "1"}),
    Scene(
        "A file that a person must get",
        source='filename = "labels.idx"\naccess = "manual"\n'
        'instructions = "Sign the form at https://data.example/terms, then download labels.idx."',
    ),
    Scene(
        "Terms that a person must accept",
        more='[license]\nterms = "for research only; see https://data.example/terms"\n',
    ),
    Scene("What dshub.lock pins has changed", first="lock digits", edit=("= 1000", "= 1001")),
    Scene("The cache cannot be written", variables={"DSHUB_CACHE": "registry/digits/1.0.0.toml"}),
    Scene("A file in the cache has changed", "verify digits", first="fetch digits", damage=True),
    Scene(
        "An archive that must not be touched",
        served=hostile(),
        content=hostile(),
        name="labels.zip",
        member=":labels.idx",
    ),
    Scene(
        "A small file that promises gigabytes", "prepare digits", served=PROMISE, content=PROMISE
    ),
    Scene("The data do not fit their manifest", rows=1001),
    Scene(
        "A manifest with faults", "check digits", source='url = "https://data.example/labels.idx"'
    ),
]


@contextmanager
def source_of(scene: Scene, folder: Path) -> Iterator[str]:
    """The address at which the scene's file is, or is not."""
    folder.mkdir()
    if scene.dead:
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            yield f"http://127.0.0.1:{held.getsockname()[1]}"
        return
    if scene.served is not None:
        (folder / scene.name).write_bytes(scene.served)
    with serving(folder) as url:
        yield url


def play(scene: Scene, folder: Path) -> str:
    """What a terminal shows."""
    with source_of(scene, folder / "upstream") as url:
        manifest = folder / "registry" / "digits" / "1.0.0.toml"
        manifest.parent.mkdir(parents=True)
        digest = Digest.of_bytes(scene.content)
        manifest.write_text(
            MANIFEST.format(
                source=scene.source or f'urls = ["{url}/{scene.name}"]',
                sha256=digest.hex,
                size=len(scene.content),
                rows=scene.rows,
                member=scene.member,
                more=scene.more,
            )
        )
        if scene.first:
            run(scene, scene.first, folder)
        manifest.write_text(manifest.read_text().replace(*scene.edit))
        if scene.damage:
            (folder / "cache" / blob_path(digest)).write_bytes(ANEW)
        done = run(scene, scene.command, folder)
    lines = done.stdout.splitlines() + shown(done.stderr)
    text = "\n".join(line.rstrip() for line in lines)
    text = text.replace(url, "https://data.example").replace(url.partition("//")[2], "data.example")
    return f"{text.replace(str(folder), '/data')}\n(exit code {done.returncode})"


def shown(errors: str) -> list[str]:
    """Standard error, without sizes, free space and progress, which differ from run to run."""
    passing = re.compile(r" to fetch, | are free in |^fetching: ")
    return [line for line in errors.splitlines() if not passing.search(line)]


def run(scene: Scene, command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run dshub as a person would, with nothing of this person's settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DSHUB_")}
    variables = {"DSHUB_CACHE": "cache", "DSHUB_TIMEOUT": "2", "DSHUB_REGISTRY": "registry"}
    return subprocess.run(
        [sys.executable, "-m", "dshub", *command.split()],
        env={**kept, "NO_COLOR": "1", **variables, **scene.variables},
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for scene in SCENES:
        with tempfile.TemporaryDirectory() as name:
            told = play(scene, Path(name).resolve())
        settings = "".join(f"{key}={value} " for key, value in scene.variables.items())
        command = f"$ {settings}dshub {scene.command}"
        parts.append(f"## {scene.title}\n\n```console\n{command}\n{told}\n```\n")
    return "\n".join(parts)


def main() -> None:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it differs")
    made = page()
    if not parser.parse_args().check:
        PAGE.write_text(made, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != made:
        sys.exit(f"{PAGE} is not what `python docs/errors.py` writes")


if __name__ == "__main__":
    main()
