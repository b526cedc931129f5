"""Compare `dshub serve` with nginx, and measure many clients: `python benchmarks/serve.py`.

Large files: wrk opens 64 connections from one thread over loopback. Each server runs in its own
process, the servers take turns, and the table shows medians. nginx runs with one worker process, as
dshub has one thread, and with one worker per core.

Idle clients: connections that got one response and stay open. The table shows memory and threads.

Crowd: clients request the same file at once from a server that does not have it. The upstream
server is behind a relay that limits each connection to 10 MB/s. Clients hash the bytes without
storing them. Peak memory is that of the server's process.
"""

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from lines.local import nginx, relay

from dshub.mirrors.serve.connections import Access
from dshub.mirrors.serve.routes import Folder
from dshub.mirrors.serve.server import Server
from dshub.mirrors.serve.sockets import listen, room_for_clients

MIB = 1 << 20
CONNECTIONS = 64

# Clients are threads of one process, which is enough because hashing releases the GIL.
CROWD = """
import hashlib, http.client, json, sys, threading, time
host, port, path, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
checksums, began = [], time.perf_counter()
def fetch():
    connection = http.client.HTTPConnection(host, port, timeout=600)
    connection.request("GET", path)
    answer, hasher = connection.getresponse(), hashlib.sha256()
    buffer = memoryview(bytearray(1 << 18))
    while got := answer.readinto(buffer):
        hasher.update(buffer[:got])
    checksums.append(hasher.hexdigest())
threads = [threading.Thread(target=fetch) for _ in range(count)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps([time.perf_counter() - began, checksums]))
"""

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


@dataclass
class Running:
    """A running server.

    Attributes:
        port: port of the server.
        processes: PIDs of the processes that serve requests, excluding a master process.
    """

    port: int
    processes: list[int]

    def figure(self, name: str) -> float:
        """Return the sum of a field of /proc/PID/status, in kB or as a count; NaN without /proc."""
        total = 0.0
        for pid in self.processes:
            try:
                text = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                return float("nan")
            total += float(re.findall(rf"^{name}:\s+([0-9]+)", text, re.MULTILINE)[0])
        return total

    def cpu(self) -> float:
        """Return the CPU seconds so far."""
        ticks = 0
        for pid in self.processes:
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                return float("nan")
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def ours(folder: Path, *options: str) -> Iterator[Running]:
    """Serve a folder with `dshub serve`."""
    command = [sys.executable, "-m", "dshub", "serve", str(folder), "--port", "0", "--json"]
    process = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        started = json.loads(process.stdout.readline())
        yield Running(int(started["mirror"].rpartition(":")[2]), [process.pid])
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def theirs(folder: Path, workers: str) -> Iterator[Running]:
    """Serve a folder with nginx."""
    with nginx(folder, workers) as (port, master):
        yield Running(port, children(master))


def children(pid: int) -> list[int]:
    """Return the PIDs of a process's children."""
    with suppress(OSError):
        return [int(i) for i in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


@contextmanager
def counted(folder: Path) -> Iterator[tuple[int, list[Access]]]:
    """Serve a folder in this process; yield the port and a list of accesses."""
    listening, served = listen("127.0.0.1", 0), list[Access]()
    port: int = listening.getsockname()[1]
    server = Server(listening, Folder(folder), log=served.append)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield port, served
    finally:
        server.stop()
        thread.join()


def write(folder: Path, size: int) -> str:
    """Write a blob of random bytes and return its URL path."""
    hasher, temporary = hashlib.sha256(), folder / "new"
    with temporary.open("wb") as file:
        for begin in range(0, size, MIB):
            piece = os.urandom(min(MIB, size - begin))
            file.write(piece)
            hasher.update(piece)
    digest = hasher.hexdigest()
    path = folder / "blobs-v1" / digest[:2] / digest
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary.rename(path)
    return f"/blobs-v1/{digest[:2]}/{digest}"


def throughput(folder: Path, path: str, title: str, *, seconds: int, rounds: int) -> None:
    """Print a table of the servers under wrk."""
    servers: dict[str, Callable[[], AbstractContextManager[Running]]] = {
        "dshub serve": lambda: ours(folder)
    }
    if shutil.which("nginx"):
        servers["nginx, 1 process"] = lambda: theirs(folder, "1")
        servers["nginx, auto"] = lambda: theirs(folder, "auto")
    runs_by_server: dict[str, list[tuple[float, float, float]]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, start in servers.items():
            with start() as running:
                before = running.cpu()
                rate = wrk(f"http://127.0.0.1:{running.port}{path}", seconds)
                runs_by_server[name].append(
                    (rate, running.cpu() - before, running.figure("VmHWM") / 1000)
                )
    print(f"\n{title}: {CONNECTIONS} connections, {seconds} s")
    words = ["MiB/s", "dshub is", "CPU s", "peak MB"]
    print(f"{'':18}" + "".join(f"{word:>10}" for word in words))
    base = median(figures[0] for figures in runs_by_server["dshub serve"])
    for name, runs in runs_by_server.items():
        rate, cpu, peak = (median(figures) for figures in zip(*runs, strict=True))
        print(f"{name:18}{rate / MIB:10.0f}{base / rate:9.2f}x{cpu:10.2f}{peak:10.1f}", flush=True)


def wrk(url: str, seconds: int) -> float:
    """Run wrk and return bytes per second."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "--timeout", "60s", url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    [(amount, unit)] = re.findall(r"Transfer/sec:\s+([0-9.]+)([KMGT]?B)", output)
    return float(amount) * {"B": 1, "KB": 1 << 10, "MB": MIB, "GB": 1 << 30}[unit]


def idle(folder: Path, path: str, count: int) -> None:
    """Print the cost of idle connections."""
    count = min(count, room_for_clients(count))
    print(f"\n{count} idle clients\n{'':18}{'kB each':>10}{'threads':>10}")
    servers = {"dshub serve": ours(folder)}
    if shutil.which("nginx"):
        servers["nginx, 1 process"] = theirs(folder, "1")
    for name, start in servers.items():
        with start as running:
            head(running.port, path).close()
            before = running.figure("VmRSS")
            clients = [head(running.port, path) for _ in range(count)]
            each = (running.figure("VmRSS") - before) / count
            print(f"{name:18}{each:10.1f}{running.figure('Threads'):10.0f}", flush=True)
            for client in clients:
                client.close()


def head(port: int, path: str) -> socket.socket:
    """Open a connection and complete one request."""
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert client.recv(1 << 12).startswith(b"HTTP/1.1 200")
    return client


def crowd(folder: Path, path: str, size: int) -> None:
    """Print the cost of many clients that request one file from a slow upstream."""
    print(
        f"\nA crowd requests one file of {size / MIB:g} MiB; upstream sends 10 MB/s per connection"
    )
    words = ["s", "right", "upstream", "requests", "CPU s", "peak MB"]
    print(f"{'clients':18}" + "".join(f"{word:>10}" for word in words))
    for count in (1, 50):
        with (
            counted(folder) as (origin, served),
            relay("rate", origin) as slow,
            tempfile.TemporaryDirectory(dir=folder) as cache,
            ExitStack() as stack,
        ):
            name(Path(cache), f"http://127.0.0.1:{slow}{path}", size)
            running = stack.enter_context(ours(Path(cache), "--upstream", "sources"))
            arguments = ["127.0.0.1", str(running.port), path, str(count)]
            command = [sys.executable, "-c", CROWD, *arguments]
            seconds, sums = json.loads(subprocess.check_output(command))
            cpu, peak = running.cpu(), running.figure("VmHWM") / 1000
        right = sums.count(path.rpartition("/")[2])
        times = sum(item.size for item in served) / size
        print(
            f"{count:<18}{seconds:10.1f}{right:10}{times:9.2f}x{len(served):10}{cpu:10.1f}"
            f"{peak:10.1f}",
            flush=True,
        )


def name(folder: Path, url: str, size: int) -> None:
    """Write a manifest with the upstream URL into the registry of a folder."""
    manifest = folder / "registry" / "big" / "1.0.0.toml"
    manifest.parent.mkdir(parents=True)
    sha256 = url.rpartition("/")[2]
    manifest.write_text(MANIFEST.format(url=url, sha256=sha256, size=size))


def measure(place: Path, *, small: bool, rounds: int) -> None:
    """Run all measurements with files below `place`."""
    files = {"1 MiB": write(place, MIB)}
    files["100 MiB"] = write(place, 4 * MIB if small else 100 * MIB)
    if shutil.which("wrk"):
        for name, path in files.items():
            title = f"Files of {name}"
            throughput(place, path, title, seconds=1 if small else 5, rounds=rounds)
    idle(place, files["1 MiB"], 200 if small else 5000)
    size = 8 * MIB if small else 500 * MIB
    crowd(place, write(place, size), size)


def main() -> None:
    """Measure the servers and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="use small files and one round")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds")
    options = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    programs = [name for name in ("nginx", "wrk") if not shutil.which(name)]
    print(f"not installed, skipped: {', '.join(programs) or 'none'}")
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as place:
        measure(Path(place), small=options.small, rounds=1 if options.small else options.rounds)


if __name__ == "__main__":
    main()
