"""Which downloader survives what: `python benchmarks/faults.py [--small]`.

Every scenario of `tests/download/scenarios.py` is played for every client, each time as a
process of its own that fetches one file of 2 MB from a real server, with the published checksum
where the client takes one and with time-outs of 5 s where it has that setting. A client is called
as its documentation suggests; peers written in Python run under the interpreter that
DSHUB_BENCH_PEERS names, or else under this one.

An end is right where the scenario says so: the file must be there, or there must be an error and
nothing at the final path. The file is inspected, whatever the client reports.

    ok      the right file, and exit code 0
    error   another exit code, and nothing at the final path
    left    another exit code, but other bytes at the final path
    WRONG   exit code 0, and other bytes at the final path, or nothing
    hung    still running after the limit; killed
    crash   ended by a signal of its own
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from statistics import median

from dshub.cache.paths import blob_path
from dshub.checksums import Digest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, for `tests`

from tests.download.scenarios import SCENARIOS
from tests.download.stage import Scenario, play, write_files

NAME = "data-0.gz"
PEERS = os.environ.get("DSHUB_BENCH_PEERS", sys.executable)
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
RIGHT = {"passes": "ok", "legal": "ok", "lasts": "error"}

# Programs get the arguments url, folder, name, sha256, md5, size; their file is folder/name.
HEAD = "import sys; url, folder, name, sha256, md5, size = sys.argv[1:]\n"
DSHUB = """
from pathlib import Path
from dshub.errors import DshubError
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.catalog.manifest import Resource
from dshub.cache.store import Store
job = Job("tiny", name, Resource(urls=(url,), sha256=sha256, size=int(size)))
try:
    Fetcher(Store(Path(folder)), timeout=5).fetch([job])
except DshubError as error:
    sys.exit(f"{error}")
"""
POOCH = """
import pooch
one = pooch.create(folder, base_url="", registry={name: "sha256:" + sha256}, urls={name: url},
                   retry_if_failed=5)
one.fetch(name, downloader=pooch.HTTPDownloader(timeout=5))
"""
TORCHVISION = """
import socket
socket.setdefaulttimeout(5)
from torchvision.datasets.utils import download_url
download_url(url, folder, name, md5=md5)
"""
KERAS = """
import socket
socket.setdefaulttimeout(5)
from keras.utils import get_file
get_file(name, url, file_hash=sha256, hash_algorithm="sha256", cache_dir=folder, cache_subdir="")
"""
HUGGINGFACE = """
import hashlib, os
os.environ["HF_HUB_DOWNLOAD_TIMEOUT"] = "5"
from huggingface_hub.file_download import http_get
part = os.path.join(folder, name + ".incomplete")
with open(part, "ab") as file:
    http_get(url, file, resume_size=file.tell(), expected_size=int(size))
with open(part, "rb") as file:
    if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
        os.remove(part)
        sys.exit("checksum mismatch")
os.replace(part, os.path.join(folder, name))
"""
CURL = (
    "curl -sSfL --retry 5 --retry-all-errors --connect-timeout 5 --speed-limit 1000 --speed-time 5 "
    '-C - -o "$2/$3" "$1" && echo "$4  $2/$3" | sha256sum -c --quiet'
)


@cache
def works(package: str) -> bool:
    """Whether a package can be imported by the peers' interpreter."""
    code = f"import {package}"
    command = [PEERS, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True)
    return done.returncode == 0


def python(interpreter: str, code: str) -> list[str]:
    """The beginning of a command line that takes the six arguments."""
    return [interpreter, "-c", HEAD + code]


def clients() -> dict[str, list[str] | None]:
    """The command of each client; None if it is not installed."""
    found: dict[str, list[str] | None] = {"dshub": python(sys.executable, DSHUB)}
    packages = {
        "pooch": ("pooch", POOCH),
        "torchvision": ("torchvision", TORCHVISION),
        "keras": ("keras", KERAS),
        "hf": ("huggingface_hub", HUGGINGFACE),
    }
    for name, (package, code) in packages.items():
        found[name] = python(PEERS, code) if works(package) else None
    found["curl"] = ["bash", "-c", CURL, "curl"] if shutil.which("curl") else None
    aria2 = (
        "aria2c -q --connect-timeout=5 --timeout=5 --max-tries=5 --retry-wait=1 "
        '--lowest-speed-limit=1000 --checksum=sha-256="$4" -d "$2" -o "$3" "$1"'
    )
    found["aria2"] = ["bash", "-c", aria2, "aria2"] if shutil.which("aria2c") else None
    return found


@dataclass(frozen=True)
class End:
    """How one client came out of one scenario.

    Attributes:
        bytes: of bodies that servers sent, for each byte of the file.
    """

    scenario: str
    client: str
    outcome: str
    right: bool
    bytes: float
    seconds: float


def attempt(scenario: Scenario, client: str, command: Sequence[str], limit: float) -> End:
    """Play a scenario for one client."""
    with tempfile.TemporaryDirectory() as name:
        upstream, folder = Path(name, "upstream"), Path(name, "got")
        folder.mkdir()
        [content] = write_files(upstream).values()
        sums = [hashlib.sha256(content).hexdigest(), hashlib.md5(content).hexdigest()]
        with play(scenario, upstream) as stage:
            environment = {**os.environ, "HOME": name}
            for variable in BUNDLES if stage.authority else ():
                environment[variable] = str(stage.authority)
            arguments = [f"{stage.url}/{NAME}", str(folder), NAME, *sums, str(len(content))]
            began = time.monotonic()
            code = run([*command, *arguments], environment, limit)
            seconds = time.monotonic() - began
            sent = stage.sent
        target = folder / (blob_path(Digest.of_bytes(content)) if client == "dshub" else NAME)
        outcome = judge(code, target, content)
        right = outcome == RIGHT[scenario.outcome]
        return End(scenario.name, client, outcome, right, sent / len(content), seconds)


def run(command: Sequence[str], environment: dict[str, str], limit: float) -> int | None:
    """The exit code of a process; None where it had to be killed."""
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        return None


def judge(code: int | None, target: Path, content: bytes) -> str:
    """One word for an exit code and what lies at the final path."""
    there = os.path.lexists(target)
    right = target.is_file() and target.stat().st_size == len(content)
    right = right and target.read_bytes() == content
    if code is None:
        return "hung"
    if code == 0:
        return "ok" if right else "WRONG"
    if there and not right:
        return "left"
    return "crash" if code < 0 or code > 128 else "error"


def matrix(ends: Sequence[End], names: Sequence[str], chosen: Sequence[Scenario]) -> None:
    """A line for each scenario: the outcome of each client, marked where it is not right."""
    found = {(end.scenario, end.client): end for end in ends}
    width = max(len(scenario.name) for scenario in chosen)
    print(f"\n{'scenario':{width}}  {'should':7}" + "".join(f"{name:>22}" for name in names))
    for scenario in chosen:
        cells = []
        for name in names:
            end = found[scenario.name, name]
            mark = " " if end.right else "!"
            cells.append(f"{mark}{end.outcome:>6} {end.bytes:5.1f}x {end.seconds:5.1f}s".rjust(22))
        print(f"{scenario.name:{width}}  {RIGHT[scenario.outcome]:7}" + "".join(cells))


def summary(ends: Sequence[End], names: Sequence[str]) -> None:
    """A line for each client."""
    words = ["right", "of", "WRONG", "left", "hung", "crash", "gave up", "bytes", "median s"]
    print(f"\n{'client':14}" + "".join(f"{word:>10}" for word in words))
    for name in names:
        own = [end for end in ends if end.client == name]
        counts = [
            sum(end.right for end in own),
            len(own),
            *(
                sum(end.outcome == word for end in own)
                for word in ("WRONG", "left", "hung", "crash")
            ),
            sum(end.outcome == "error" and not end.right for end in own),
        ]
        cells = "".join(f"{count:10}" for count in counts)
        print(
            f"{name:14}{cells}{max(end.bytes for end in own):9.1f}x"
            f"{median(end.seconds for end in own):10.1f}"
        )
    print("gave up: an error, though the file was to be had; bytes: the most for one file")


SMALL = (
    "nothing odd",
    "reset in the body, three times",
    "always a flipped bit",
    "a page, once",
    "103, then the response",
)


def main() -> None:
    """Play and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="five scenarios")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds before a kill")
    parser.add_argument("--only", default="", help="clients, separated by commas")
    parser.add_argument("--json", type=Path, help="a file for every single result")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    options = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "torch")
    known = clients()
    commands = {name: command for name, command in known.items() if command is not None}
    if options.only:
        commands = {name: commands[name] for name in options.only.split(",")}
    single = [scenario for scenario in SCENARIOS if scenario.files == 1]
    chosen = [item for item in single if not options.small or item.name in SMALL]
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    missing = [name for name, command in known.items() if command is None]
    print(f"not installed here, left out: {', '.join(missing) or 'none'}")
    print(f"{len(chosen)} scenarios, one file of 2 MB, killed after {options.limit:.0f} s")
    with ThreadPoolExecutor(options.jobs) as pool:
        ends = list(
            pool.map(
                lambda pair: attempt(pair[0], pair[1], commands[pair[1]], options.limit),
                [(scenario, name) for scenario in chosen for name in commands],
            )
        )
    matrix(ends, list(commands), chosen)
    summary(ends, list(commands))
    if options.json:
        options.json.write_text(json.dumps([asdict(end) for end in ends], indent=1))


if __name__ == "__main__":
    main()
