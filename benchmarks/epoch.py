"""How fast an epoch is fed: `python benchmarks/epoch.py [--small] [--rounds N]`.

50,000 shuffled images of 32x32, like CIFAR-10's, in batches of 512 and of 128. Every
candidate runs once uncounted, then once per round, in a new random order; those
that are not through within four seconds are stopped there. The tables show medians. On a machine
that others use too, "a CPU-s", images per second of processor time, and ratios of one run say
more than images per second.

"+ numba" has the extra `fast`. Peers run under the interpreter that DSHUB_BENCH_PEERS names.
"""

import argparse
import importlib.util
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from plots import bars

CANDIDATES = Path(__file__).parent / "epochs" / "candidates.py"
PEERS = os.environ.get("DSHUB_BENCH_PEERS")
ROWS = 50_000

# what is to be compared, and how much of the second the first should reach
GOALS = [
    ("dshub NumPy, uint8", "bare: NumPy take, uint8", 0.8),
    ("dshub NumPy, normalised", "bare: NumPy take, multiply, add", 0.8),
    ("dshub torch, normalised", "bare: torch operators", 0.8),
    ("dshub NumPy, normalised + numba", "bare: one fused loop by numba", 0.8),
    ("dshub torch, normalised + numba", "bare: one fused loop by numba", 0.8),
    ("dshub torch, normalised + numba", "torchvision, workers=0", 100),
    ("dshub torch, normalised + numba", "torchvision, workers=2", 100),
    ("dshub torch, normalised + numba", "FFCV", 3),
    ("dshub torch, normalised + numba", "tf.data, rows", 5),
    ("dshub torch, normalised + numba", "tf.data, gathered", 5),
    ("dshub torch, crop + flip + numba", "torchvision, crop + flip, workers=0", 60),
    ("dshub torch, crop + flip + numba", "FFCV, crop + flip", 5),
    ("DataLoader(ds.torch()), uint8", "torchvision, workers=0", 20),
    ("DataLoader(ds.torch(), collate), uint8", "torchvision, workers=0", 20),
    ("ds.torch().loader(), uint8", "torchvision, workers=0", 20),
    ("dshub tf, normalised", "tf.data, rows", 2),
    ("dshub tf, normalised", "tf.data, gathered", 2),
]


class Served:
    """The candidates of a package, in a process of their own."""

    def __init__(self, interpreter: str, group: str, names: list[str], folder: Path) -> None:
        self.names = names
        command = [interpreter, str(CANDIDATES), group, str(folder)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def feed(self, name: str, size: int) -> list[float] | str:
        """Images, seconds and processor seconds; or what went wrong."""
        assert self._process.stdin is not None
        try:
            print(json.dumps([name, size]), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            return "the process ended"
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = json.loads(line) if line else "the process ended"
        return found if isinstance(found, list) else str(found)

    def end(self) -> None:
        """Stop the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()


def start(folder: Path) -> list[Served]:
    """Everything that is installed."""
    found = []
    for group, interpreter in (
        ("bare", sys.executable),
        ("numba", sys.executable),
        ("peers", PEERS),
    ):
        if interpreter is None or (group == "numba" and not importlib.util.find_spec("numba")):
            continue
        told = subprocess.check_output([interpreter, str(CANDIDATES), group])
        packages = json.loads(told).values()
        found += [Served(interpreter, group, names, folder) for names in packages]
    return found


@dataclass
class Line:
    """Result of a candidate: images per second, and per second of processor time."""

    speed: float
    thrift: float


def measure(served: list[Served], rounds: int) -> dict[tuple[str, int], Line]:
    """The medians of every candidate, at both batch sizes of dshub and of bare loops."""
    owner = {name: one for one in served for name in one.names}
    found: dict[tuple[str, int], list[list[float]]] = {
        (name, size): []
        for name in owner
        for size in ([512, 128] if name.startswith(("dshub", "bare")) else [512])
    }
    for number in range(rounds + 1):
        for key in random.sample(list(found), len(found)):
            figures = owner[key[0]].feed(*key)
            if isinstance(figures, str):
                print(f"{key[0]}, batches of {key[1]}, left out: {figures.strip()[:300]}")
                del found[key]
            elif number:
                found[key].append(figures)
    return {
        key: Line(
            median(images / wall for images, wall, _ in runs),
            median(images / cpu for images, _, cpu in runs),
        )
        for key, runs in found.items()
    }


def show(found: dict[tuple[str, int], Line], size: int) -> None:
    """One table, fastest first."""
    lines = {name: line for (name, batch), line in found.items() if batch == size}
    width = max(map(len, lines))
    best = max(line.thrift for line in lines.values())
    print(f"\nBatches of {size}\n{'':{width}}  {'images/s':>12}{'a CPU-s':>12}{'of best':>10}")
    for name, line in sorted(lines.items(), key=lambda item: -item[1].thrift):
        cells = f"{line.speed:12,.0f}{line.thrift:12,.0f}{line.thrift / best:10.3f}"
        print(f"{name:{width}}  {cells}")


def compare(found: dict[tuple[str, int], Line]) -> None:
    """Ratios that are aimed at: of images per second, and per second of processors."""
    rows = [(one, 512, other, 512, goal) for one, other, goal in GOALS]
    names = [name for name, size in found if size == 128 and name.startswith("dshub")]
    rows += [(name, 128, name, 512, 0.75) for name in names]
    told = {
        f"{a}{'' if b != a else f', {size} of {other}'} / {b if b != a else ''}".rstrip(" /"): (
            found[a, size],
            found[b, other],
            goal,
        )
        for a, size, b, other, goal in rows
        if (a, size) in found and (b, other) in found
    }
    width = max(map(len, told), default=0)
    print(f"\n{'Ratios':{width}}  {'images/s':>10}{'a CPU-s':>10}{'goal':>10}")
    for words, (one, other, goal) in told.items():
        speed, thrift = one.speed / other.speed, one.thrift / other.thrift
        print(f"{words:{width}}  {speed:10.2f}{thrift:10.2f}{goal:10.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="fewer images, one round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write charts there")
    options = parser.parse_args()
    rows, rounds = (ROWS // 10, 1) if options.small else (ROWS, options.rounds)
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        folder, draw = Path(name), np.random.default_rng(0)
        np.save(folder / "images.npy", draw.integers(0, 256, (rows, 32, 32, 3), np.uint8))
        np.save(folder / "labels.npy", draw.integers(0, 10, rows))
        served = start(folder)
        try:
            found = measure(served, rounds)
        finally:
            for one in served:
                one.end()
    show(found, 512)
    show(found, 128)
    compare(found)
    speeds = {name: line.speed for (name, size), line in found.items() if size == 512}
    bars(options.plots, "epoch", "Shuffled batches of 512 images, 32x32", "images/s", speeds)


if __name__ == "__main__":
    main()
