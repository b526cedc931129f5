"""Measure how fast verified files arrive: `python benchmarks/fetch.py [--small]`.

Each client runs in its own process, fetches into a new folder on the same disk and verifies a
checksum. The script then compares every file. Clients run in a new random order each round, and the
tables show medians. For clients written in Python, the clock starts after imports; "whole s" is the
time of the complete process. DSHUB_BENCH_PEERS names the interpreter for Python peers; by default,
they run in this one. A peak below this script's own memory (29 MB here) cannot be measured.

The server is nginx, or dshub's own if nginx is not installed. A relay between client and server
simulates two slow connections. One is limited to 10 MB/s (nginx's `limit_rate` would let each
request burst). The other has a round trip of 50 ms and a window that starts at 14 KiB and doubles
in each round trip up to 4 MiB.
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

# Programs fetch `files`, a list of dicts with name, url, sha256, md5 and size.
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
    """One file on the server."""

    name: str
    sha256: str
    md5: str
    size: int


@dataclass(frozen=True)
class Run:
    """Cost of one process.

    Attributes:
        fetch: seconds of the fetch itself.
        whole: seconds of the process.
        cpu: CPU seconds.
        peak: peak memory in bytes.
    """

    fetch: float
    whole: float
    cpu: float
    peak: float


Client = Callable[[Path, str, Sequence[File]], list[str]]


@cache
def works(package: str) -> bool:
    """Return True if the peers' interpreter can import a package."""
    command = [PEERS, "-c", f"import {package}"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def write(folder: Path, prefix: str, count: int, size: int) -> list[File]:
    """Write files of random bytes."""
    files = []
    for i in range(count):
        sha256, md5 = hashlib.sha256(), hashlib.md5()
        with (folder / f"{prefix}-{i}").open("wb") as file:
            for begin in range(0, size, MIB):
                piece = os.urandom(min(MIB, size - begin))
                file.write(piece)
                sha256.update(piece)
                md5.update(piece)
        files.append(File(f"{prefix}-{i}", sha256.hexdigest(), md5.hexdigest(), size))
    return files


def python(name: str) -> Client:
    """Return a client that runs one of `PROGRAMS`."""
    interpreter = sys.executable if name == "dshub" else PEERS
    imports, body = PROGRAMS[name]
    code = FRAME.format(imports=imports, body=body)

    def command(folder: Path, url: str, files: Sequence[File]) -> list[str]:
        spec = folder.parent / "files.json"
        spec.write_text(json.dumps([vars(file) | {"url": f"{url}/{file.name}"} for file in files]))
        return [interpreter, "-c", code, str(folder), str(spec)]

    return command


def curl(options: str, check: str) -> Client:
    """Return a client that runs curl, then `check` to print a checksum per file."""

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
    """Return a client that runs aria2c with checksums."""

    def command(folder: Path, url: str, files: Sequence[File]) -> list[str]:
        lines = [f"{url}/{f.name}\n checksum=sha-256={f.sha256}\n out={f.name}\n" for f in files]
        (folder.parent / "list").write_text("".join(lines))
        fixed = ["aria2c", "-q", "--file-allocation=none", "-d", str(folder)]
        return [*fixed, "-i", str(folder.parent / "list"), *options.split()]

    return command


def whole_command(folder: Path, url: str, files: Sequence[File]) -> list[str]:
    """Run `dshub fetch` with its own registry, and link the blob to the expected path."""
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
    """Return the available hash commands, fastest first.

    Some builds of sha256sum do not use the processor's SHA-256 instructions and are slow.
    """
    times = {}
    for command in ("openssl dgst -sha256 -r", "sha256sum"):
        if shutil.which(command.partition(" ")[0]):
            began = time.perf_counter()
            subprocess.run([*command.split(), path], check=True, capture_output=True)
            times[command] = time.perf_counter() - began
    return sorted(times, key=lambda command: times[command])


def run(client: Client, url: str, files: Sequence[File], place: Path) -> Run:
    """Run a client and verify the files it fetched."""
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
    """Serve a folder; yield the name of the server and its URL."""
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
    """Run each client `rounds` times, print a table, and return the runs."""
    runs_by_client: dict[str, list[Run]] = {name: [] for name in clients}
    for _ in range(rounds):
        for name in random.sample(list(clients), len(clients)):
            runs_by_client[name].append(run(clients[name], url, files, place))
    unit = "MiB/s" if len(files) == 1 else "files/s"
    amount = files[0].size / MIB if len(files) == 1 else len(files)
    width = max(len(name) for name in clients)
    words = [unit, "of dshub", "s", "whole s", "CPU s", "peak MB"]
    print(f"\n{title}\n{'':{width}}  " + "".join(f"{word:>10}" for word in words))
    base = median(run.fetch for run in runs_by_client["dshub"])
    for name, runs in runs_by_client.items():
        fetch = median(run.fetch for run in runs)
        figures = [amount / fetch, base / fetch, fetch]
        figures += [median(getattr(run, key) for run in runs) for key in ("whole", "cpu")]
        figures.append(median(run.peak for run in runs) / 1e6)
        print(f"{name:{width}}  " + "".join(f"{figure:10.2f}" for figure in figures), flush=True)
    return runs_by_client


def hash_rate() -> float:
    """Measure SHA-256 over memory in a new process, in MiB/s."""
    code = (
        "import hashlib, time; data = bytes(1 << 26); began = time.perf_counter()\n"
        "for _ in range(8): hashlib.sha256(data)\n"
        "print(512 / (time.perf_counter() - began))"
    )
    return float(subprocess.check_output([sys.executable, "-c", code]))


def measure(place: Path, *, small: bool, rounds: int, plots: Path | None) -> None:
    """Run all comparisons with files below `place`."""
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
        runs_by_client = compare(
            f"{title}: {name}", clients, url, files, place=place, rounds=rounds
        )
        if len(clients) > 1:
            times = {
                name: median(run.fetch for run in runs) for name, runs in runs_by_client.items()
            }
            amount = sum(file.size for file in files) / MIB
            speeds = {name: amount / seconds for name, seconds in times.items()}
            bars(plots, _slug(f"fetch {title} {len(files)}"), f"{title}: {name}", "MiB/s", speeds)

    with server(folder) as (served_by, url):
        print(f"served by {served_by}; SHA-256 over memory: {hash_rate():,.0f} MiB/s")
        table("Loopback", one, url, large)
        table("Loopback", each, url, many)
        table("Loopback, for the peak memory with a smaller file", ours, url, middle)
        for kind, title in (("rate", "10 MB/s a connection"), ("far", "50 ms away")):
            with relay(kind, int(url.rpartition(":")[2])) as port:
                table(title, slow_one, f"http://127.0.0.1:{port}", middle)
                table(title, slow_each, f"http://127.0.0.1:{port}", many)


def _slug(text: str) -> str:
    """Return a file name of letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())


def main() -> None:
    """Measure the clients and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="use small files and one round")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write charts to this folder")
    options = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "torch")
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    programs = [name for name in ("nginx", "curl", "openssl", "aria2c") if not shutil.which(name)]
    packages = [name for name in PROGRAMS if name != "dshub" and not works(name)]
    print(f"not installed, skipped: {', '.join([*programs, *packages]) or 'none'}")
    with ExitStack() as stack:
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=memory)))
        rounds = 1 if options.small else options.rounds
        measure(place, small=options.small, rounds=rounds, plots=options.plots)


if __name__ == "__main__":
    main()
