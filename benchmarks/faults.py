"""Test which downloaders survive which faults: `python benchmarks/faults.py [--small]`.

Each client runs each scenario of `tests/download/scenarios.py` in its own process. It fetches one
file of 2 MB from a real server. Clients run as their documentation suggests, with the published
checksum and a timeout of 5 s if they have such options. DSHUB_BENCH_PEERS names the interpreter for
peers written in Python; by default, they run in this one.

The scenario determines the right outcome: the correct file, or an error and no file at the final
path. The script checks the file, regardless of what the client reports.

    ok      the correct file, and exit code 0
    error   another exit code, and no file at the final path
    left    another exit code, but a wrong file at the final path
    WRONG   exit code 0, but a wrong file or none at the final path
    hung    still running after the time limit; killed
    crash   ended by a signal
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

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # makes the package `tests` importable

from tests.download.scenarios import SCENARIOS
from tests.download.stage import Scenario, play, write_files

NAME = "data-0.gz"
PEERS = os.environ.get("DSHUB_BENCH_PEERS", sys.executable)
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
RIGHT = {"transient": "ok", "valid": "ok", "permanent": "error"}

# Programs get the arguments url, folder, name, sha256, md5, size and write to folder/name.
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
    """Return True if the peers' interpreter can import a package."""
    code = f"import {package}"
    command = [PEERS, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True)
    return done.returncode == 0


def python(interpreter: str, code: str) -> list[str]:
    """Return the start of a command line that takes the six arguments."""
    return [interpreter, "-c", HEAD + code]


def clients() -> dict[str, list[str] | None]:
    """Return the command of each client; None if it is not installed."""
    commands: dict[str, list[str] | None] = {"dshub": python(sys.executable, DSHUB)}
    packages = {
        "pooch": ("pooch", POOCH),
        "torchvision": ("torchvision", TORCHVISION),
        "keras": ("keras", KERAS),
        "hf": ("huggingface_hub", HUGGINGFACE),
    }
    for name, (package, code) in packages.items():
        commands[name] = python(PEERS, code) if works(package) else None
    commands["curl"] = ["bash", "-c", CURL, "curl"] if shutil.which("curl") else None
    aria2 = (
        "aria2c -q --connect-timeout=5 --timeout=5 --max-tries=5 --retry-wait=1 "
        '--lowest-speed-limit=1000 --checksum=sha-256="$4" -d "$2" -o "$3" "$1"'
    )
    commands["aria2"] = ["bash", "-c", aria2, "aria2"] if shutil.which("aria2c") else None
    return commands


@dataclass(frozen=True)
class Result:
    """Result of one client in one scenario.

    Attributes:
        scenario: name of the scenario.
        client: name of the client.
        outcome: one of the words in the module's docstring.
        right: True if the scenario expects this outcome.
        bytes: bytes of response bodies sent by servers, as a multiple of the file's size.
        seconds: run time of the client.
    """

    scenario: str
    client: str
    outcome: str
    right: bool
    bytes: float
    seconds: float


def attempt(scenario: Scenario, client: str, command: Sequence[str], limit: float) -> Result:
    """Run a client in a scenario."""
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
        return Result(scenario.name, client, outcome, right, sent / len(content), seconds)


def run(command: Sequence[str], environment: dict[str, str], limit: float) -> int | None:
    """Return the exit code of a process; None if it had to be killed."""
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
    """Classify an exit code and the file at the final path."""
    exists = os.path.lexists(target)
    right = target.is_file() and target.stat().st_size == len(content)
    right = right and target.read_bytes() == content
    if code is None:
        return "hung"
    if code == 0:
        return "ok" if right else "WRONG"
    if exists and not right:
        return "left"
    return "crash" if code < 0 or code > 128 else "error"


def matrix(results: Sequence[Result], names: Sequence[str], chosen: Sequence[Scenario]) -> None:
    """Print a line per scenario with the outcome of each client; `!` marks a wrong outcome."""
    by_key = {(result.scenario, result.client): result for result in results}
    width = max(len(scenario.name) for scenario in chosen)
    print(f"\n{'scenario':{width}}  {'expect':7}" + "".join(f"{name:>22}" for name in names))
    for scenario in chosen:
        cells = []
        for name in names:
            result = by_key[scenario.name, name]
            mark = " " if result.right else "!"
            cost = f"{result.bytes:5.1f}x {result.seconds:5.1f}s"
            cells.append(f"{mark}{result.outcome:>6} {cost}".rjust(22))
        print(f"{scenario.name:{width}}  {RIGHT[scenario.outcome]:7}" + "".join(cells))


def summary(results: Sequence[Result], names: Sequence[str]) -> None:
    """Print a line per client."""
    words = ["right", "of", "WRONG", "left", "hung", "crash", "gave up", "bytes", "median s"]
    print(f"\n{'client':14}" + "".join(f"{word:>10}" for word in words))
    for name in names:
        own = [result for result in results if result.client == name]
        counts = [
            sum(result.right for result in own),
            len(own),
            *(
                sum(result.outcome == word for result in own)
                for word in ("WRONG", "left", "hung", "crash")
            ),
            sum(result.outcome == "error" and not result.right for result in own),
        ]
        cells = "".join(f"{count:10}" for count in counts)
        print(
            f"{name:14}{cells}{max(result.bytes for result in own):9.1f}x"
            f"{median(result.seconds for result in own):10.1f}"
        )
    print("gave up: an error although the file was available; bytes: maximum for one file")


SMALL = (
    "nothing odd",
    "reset in the body, three times",
    "always a flipped bit",
    "a page, once",
    "103, then the response",
)


def main() -> None:
    """Run the scenarios and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="run five scenarios only")
    parser.add_argument(
        "--limit", type=float, default=20.0, help="seconds before a client is killed"
    )
    parser.add_argument("--only", default="", help="comma-separated names of clients")
    parser.add_argument("--json", type=Path, help="write all results to this file")
    parser.add_argument(
        "--jobs", type=int, default=2, help="number of processes to run in parallel"
    )
    options = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "torch")
    all_clients = clients()
    commands = {name: command for name, command in all_clients.items() if command is not None}
    if options.only:
        commands = {name: commands[name] for name in options.only.split(",")}
    single = [scenario for scenario in SCENARIOS if scenario.files == 1]
    chosen = [item for item in single if not options.small or item.name in SMALL]
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    missing = [name for name, command in all_clients.items() if command is None]
    print(f"not installed, skipped: {', '.join(missing) or 'none'}")
    print(f"{len(chosen)} scenarios, one file of 2 MB, killed after {options.limit:.0f} s")
    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(
            pool.map(
                lambda pair: attempt(pair[0], pair[1], commands[pair[1]], options.limit),
                [(scenario, name) for scenario in chosen for name in commands],
            )
        )
    matrix(results, list(commands), chosen)
    summary(results, list(commands))
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=1))


if __name__ == "__main__":
    main()
