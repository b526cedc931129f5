"""How fast verified files arrive, on loopback: `python benchmarks/fetch.py [--small]`.

Every candidate is a whole client in its own process. It fetches into a new folder on the same disk
and verifies a checksum; afterwards every file is compared again. Candidates run in a new random
order each round; the tables show medians. For clients written in Python the clock runs around the
fetch, after imports, and "whole s" is the process with its start; peers among them run under
the interpreter that DSHUB_BENCH_PEERS names, or else under this one. A peak below this script's own
memory (29 MB here) cannot be seen.

The server is nginx where it is installed, else dshub's own. The slow lines are a relay between
client and server: one lets 10 MB/s through on each connection (nginx's `limit_rate` would let each
request burst), one has a round trip of 50 ms and a window that starts at 14 KiB and doubles each
round trip up to 4 MiB, and needs a round trip to connect.
"""

import argparse
import hashlib
import json
import os
import platform
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

from lines.local import nginx, relay
from plots import bars

from dshub.mirrors.serve.server import serving

PEERS = os.environ.get("DSHUB_BENCH_PEERS", sys.executable)
MIB = 1 << 20

# Programs for a list of files; `files` holds dicts of name, url, sha256, md5 and size.
FRAME = """
import json, os, sys, time
folder, files = sys.argv[1], json.load(open(sys.argv[2]))
{imports}
began = time.perf_counter()
{body}
print(json.dumps(time.perf_counter() - began))
"""
PROGRAMS = {
    "dshub": (
        """
from pathlib import Path
import requests, filelock
import dshub.download.transports.http
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.catalog.manifest import Resource
from dshub.cache.store import Store
jobs = [Job("files", f["name"], Resource(urls=(f["url"],), sha256=f["sha256"], size=f["size"]))
        for f in files]
""",
        """
for item in Fetcher(Store(Path(folder, "cache"))).fetch(jobs):
    os.link(item.path, os.path.join(folder, item.job.name))
""",
    ),
    "pooch": (
        "import pooch, requests; pooch.get_logger().setLevel('ERROR')",
        """
for f in files:
    pooch.retrieve(f["url"], "sha256:" + f["sha256"], f["name"], folder)
""",
    ),
    "torchvision": (
        "from torchvision.datasets.utils import download_url",
        """
for f in files:
    download_url(f["url"], folder, f["name"], md5=f["md5"])
""",
    ),
    "keras": (
        "from keras.utils import get_file",
        """
for f in files:
    get_file(f["name"], f["url"], file_hash=f["sha256"], hash_algorithm="sha256",
             cache_dir=folder, cache_subdir="")
""",
    ),
    "huggingface_hub": (
        "import hashlib\nfrom huggingface_hub.file_download import http_get",
        """
for f in files:
    with open(os.path.join(folder, f["name"]), "wb") as file:
        http_get(f["url"], file, expected_size=f["size"])
    with open(os.path.join(folder, f["name"]), "rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == f["sha256"]
""",
    ),
}
MANIFEST = """
schema = 1
name = "big"
version = "1.0.0"
title = "Big"
summary = "One file."
task = "none"
homepage = "https://data.example"

[resources.data]
urls = ["{url}"]
sha256 = "{sha256}"
size = {size}

[features.label]
kind = "label"
names = ["a"]

[splits.train]
rows = 1
reader = {{ format = "idx" }}
files = {{ label = "data" }}
"""


@dataclass(frozen=True)
class File:
    """One file that is served."""

    name: str
    sha256: str
    md5: str
    size: int


@dataclass(frozen=True)
class Run:
    """Cost of one process: seconds of the fetch, of the process, of processors; peak bytes."""

    fetch: float
    whole: float
    cpu: float
    peak: float


Client = Callable[[Path, str, Sequence[File]], list[str]]


@cache
def works(package: str) -> bool:
    """Whether a package can be imported by the peers' interpreter."""
    command = [PEERS, "-c", f"import {package}"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def write(folder: Path, prefix: str, count: int, size: int) -> list[File]:
    """Files of random bytes."""
    found = []
    for i in range(count):
        sha256, md5 = hashlib.sha256(), hashlib.md5()
        with (folder / f"{prefix}-{i}").open("wb") as file:
            for begin in range(0, size, MIB):
                piece = os.urandom(min(MIB, size - begin))
                file.write(piece)
                sha256.update(piece)
                md5.update(piece)
        found.append(File(f"{prefix}-{i}", sha256.hexdigest(), md5.hexdigest(), size))
    return found


def python(name: str) -> Client:
    """A client that is a program of `PROGRAMS`."""
    interpreter = sys.executable if name == "dshub" else PEERS
    imports, body = PROGRAMS[name]
    code = FRAME.format(imports=imports, body=body)

    def command(folder: Path, url: str, files: Sequence[File]) -> list[str]:
        spec = folder.parent / "files.json"
        spec.write_text(json.dumps([vars(file) | {"url": f"{url}/{file.name}"} for file in files]))
        return [interpreter, "-c", code, str(folder), str(spec)]

    return command


def curl(options: str, check: str) -> Client:
    """Curl for a list of files, then a command that prints a checksum for each."""

    def command(folder: Path, url: str, files: Sequence[File]) -> list[str]:
        lines = "".join(f'url = "{url}/{f.name}"\noutput = "{folder / f.name}"\n' for f in files)
        (folder.parent / "list").write_text(lines)
        (folder.parent / "sums").write_text("".join(f"{file.sha256}\n" for file in files))
        (folder.parent / "names").write_text("".join(f"{file.name}\n" for file in files))
        script = (
            f"curl -sSf {options} -K ../list && "
            f"xargs {check} < ../names | cut -c1-64 | cmp - ../sums"
        )
        return ["bash", "-c", f"cd '{folder}' && {script}"]

    return command


def aria2(options: str) -> Client:
    """aria2c for a list of files, with their checksums."""

    def command(folder: Path, url: str, files: Sequence[File]) -> list[str]:
        lines = [f"{url}/{f.name}\n checksum=sha-256={f.sha256}\n out={f.name}\n" for f in files]
        (folder.parent / "list").write_text("".join(lines))
        fixed = ["aria2c", "-q", "--file-allocation=none", "-d", str(folder)]
        return [*fixed, "-i", str(folder.parent / "list"), *options.split()]

    return command


def whole_command(folder: Path, url: str, files: Sequence[File]) -> list[str]:
    """`dshub fetch`, with a registry of its own; the blob is linked to where others write."""
    [file] = files
    manifest = folder.parent / "registry" / "big" / "1.0.0.toml"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    text = MANIFEST.format(url=f"{url}/{file.name}", sha256=file.sha256, size=file.size)
    manifest.write_text(text)
    script = (
        f"DSHUB_CACHE='{folder}/cache' DSHUB_REGISTRY='{folder.parent}/registry' "
        f"'{sys.executable}' -m dshub fetch big --no-prepare && "
        f"ln '{folder}'/cache/blobs-v1/*/{file.sha256} '{folder}/{file.name}'"
    )
    return ["bash", "-c", script]


@cache
def hashers(path: Path) -> list[str]:
    """The commands openssl and sha256sum, the one that is faster on this machine first.

    Both are in use; not every sha256sum knows the processor's instructions for SHA-256.
    """
    found = {}
    for command in ("openssl dgst -sha256 -r", "sha256sum"):
        if shutil.which(command.partition(" ")[0]):
            began = time.perf_counter()
            subprocess.run([*command.split(), path], check=True, capture_output=True)
            found[command] = time.perf_counter() - began
    return sorted(found, key=lambda command: found[command])


def run(client: Client, url: str, files: Sequence[File], place: Path) -> Run:
    """Start a client, wait for it, and compare what it brought."""
    with tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name, "got")
        folder.mkdir()
        command = client(folder, url, files)
        began = time.perf_counter()
        with Path(name, "out").open("w+") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            whole = time.perf_counter() - began
            out.seek(0)
            output = out.read()
        if process.returncode:
            sys.exit(f"{command[:2]} ended with {process.returncode}:\n{output}")
        for file in files:
            with (folder / file.name).open("rb") as got:
                assert hashlib.file_digest(got, "sha256").hexdigest() == file.sha256
        last = output.strip().rpartition("\n")[2]
        fetch = float(last) if last.replace(".", "").isdigit() else whole
        return Run(fetch, whole, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


@contextmanager
def server(folder: Path) -> Iterator[tuple[str, str]]:
    """Serve a folder; yields what serves it and the address."""
    if not shutil.which("nginx") or platform.system() == "Windows":
        with serving(folder) as url:
            yield "dshub.mirrors.serve.server.serving", url
        return
    with nginx(folder) as (port, _):
        yield "nginx", f"http://127.0.0.1:{port}"


def compare(
    title: str,
    clients: dict[str, Client],
    url: str,
    files: Sequence[File],
    *,
    place: Path,
    rounds: int,
) -> dict[str, list[Run]]:
    """Run every client a number of times, print a table, and return the runs."""
    found: dict[str, list[Run]] = {name: [] for name in clients}
    for _ in range(rounds):
        for name in random.sample(list(clients), len(clients)):
            found[name].append(run(clients[name], url, files, place))
    unit = "MiB/s" if len(files) == 1 else "files/s"
    amount = files[0].size / MIB if len(files) == 1 else len(files)
    width = max(len(name) for name in clients)
    words = [unit, "of dshub", "s", "whole s", "CPU s", "peak MB"]
    print(f"\n{title}\n{'':{width}}  " + "".join(f"{word:>10}" for word in words))
    base = median(run.fetch for run in found["dshub"])
    for name, runs in found.items():
        fetch = median(run.fetch for run in runs)
        figures = [amount / fetch, base / fetch, fetch]
        figures += [median(getattr(run, key) for run in runs) for key in ("whole", "cpu")]
        figures.append(median(run.peak for run in runs) / 1e6)
        print(f"{name:{width}}  " + "".join(f"{figure:10.2f}" for figure in figures), flush=True)
    return found


def hash_rate() -> float:
    """MiB/s of SHA-256 over memory, in a process of its own."""
    code = (
        "import hashlib, time; data = bytes(1 << 26); began = time.perf_counter()\n"
        "for _ in range(8): hashlib.sha256(data)\n"
        "print(512 / (time.perf_counter() - began))"
    )
    return float(subprocess.check_output([sys.executable, "-c", code]))


def measure(place: Path, *, small: bool, rounds: int, plots: Path | None) -> None:
    """Everything, with files below a folder."""
    folder = place / "served"
    folder.mkdir()
    large = write(folder, "large", 1, 8 * MIB if small else 1024 * MIB)
    middle = write(folder, "middle", 1, 2 * MIB if small else 64 * MIB)
    many = write(folder, "many", 20 if small else 200, 1 << 16 if small else MIB)
    checks = hashers(folder / middle[0].name) if shutil.which("curl") else []
    names = {check: check.split(" ", maxsplit=1)[0] for check in checks}
    with_curl = {f"curl + {names[check]}": curl("", check) for check in checks[:1]}
    with_curls = {
        f"curl -Z 16 + {names[check]}": curl("-Z --parallel-max 16", check) for check in checks
    }
    has_aria2 = shutil.which("aria2c") is not None
    peers = [name for name in ("pooch", "torchvision", "keras", "huggingface_hub") if works(name)]
    ours = {"dshub": python("dshub")}
    one: dict[str, Client] = ours | {"dshub fetch": whole_command} | with_curl
    one |= {"aria2c": aria2("-x1")} if has_aria2 else {}
    one |= {name: python(name) for name in peers}
    each: dict[str, Client] = ours | with_curls
    each |= {"aria2c -j16": aria2("-j16")} if has_aria2 else {}
    slow_each = dict(each)
    each |= {"pooch": python("pooch")} if "pooch" in peers else {}
    slow_one = ours | with_curl
    if has_aria2:
        split = "-x{0} -s{0} -k1M".format
        slow_one |= {f"aria2c -x{count}": aria2(split(count)) for count in (4, 8)}

    def table(title: str, clients: dict[str, Client], url: str, files: Sequence[File]) -> None:
        name = f"{len(files)} files of {files[0].size / MIB:g} MiB"
        name = name if len(files) > 1 else f"one file of {files[0].size / MIB:g} MiB"
        found = compare(f"{title}: {name}", clients, url, files, place=place, rounds=rounds)
        if len(clients) > 1:
            times = {name: median(run.fetch for run in runs) for name, runs in found.items()}
            amount = sum(file.size for file in files) / MIB
            speeds = {name: amount / seconds for name, seconds in times.items()}
            bars(plots, _slug(f"fetch {title} {len(files)}"), f"{title}: {name}", "MiB/s", speeds)

    with server(folder) as (served_by, url):
        print(f"served by {served_by}; SHA-256 over memory: {hash_rate():,.0f} MiB/s")
        table("Loopback", one, url, large)
        table("Loopback", each, url, many)
        table("Loopback, for the peak beside that of the larger file", ours, url, middle)
        for kind, title in (("rate", "10 MB/s a connection"), ("far", "50 ms away")):
            with relay(kind, int(url.rpartition(":")[2])) as port:
                table(title, slow_one, f"http://127.0.0.1:{port}", middle)
                table(title, slow_each, f"http://127.0.0.1:{port}", many)


def _slug(text: str) -> str:
    """A file name of letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="small files, one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write charts there")
    options = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "torch")
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    programs = [name for name in ("nginx", "curl", "openssl", "aria2c") if not shutil.which(name)]
    packages = [name for name in PROGRAMS if name != "dshub" and not works(name)]
    print(f"not installed here, left out: {', '.join([*programs, *packages]) or 'none'}")
    with ExitStack() as stack:
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=memory)))
        rounds = 1 if options.small else options.rounds
        measure(place, small=options.small, rounds=rounds, plots=options.plots)


if __name__ == "__main__":
    main()
