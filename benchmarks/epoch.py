"""Measure how fast loaders feed an epoch: `python benchmarks/epoch.py [--small] [--rounds N]`.

An epoch has 50,000 shuffled images of 32x32, like CIFAR-10, in batches of 512 and of 128. Every
candidate runs once as a warm-up, then once per round, in a new random order. A run stops after four
seconds. The tables show medians. On a shared machine, images per CPU second and the ratios of one
run are more reliable than images per second.

"+ numba" is dshub with the extra `fast`. Peers run in the interpreter that DSHUB_BENCH_PEERS names.
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
from feeding import CandidateProcess
from plots import bars

CANDIDATES = Path(__file__).parent / "epochs" / "candidates.py"
PEERS = os.environ.get("DSHUB_BENCH_PEERS")
ROWS = 50_000

# candidate, reference, and target for their speed ratio
GOALS = [
    ("dshub NumPy, uint8", "bare: NumPy take, uint8", 0.8),
    ("dshub NumPy, normalized", "bare: NumPy take, multiply, add", 0.8),
    ("dshub torch, normalized", "bare: torch operators", 0.8),
    ("dshub NumPy, normalized + numba", "bare: one fused loop by numba", 0.8),
    ("dshub torch, normalized + numba", "bare: one fused loop by numba", 0.8),
    ("dshub torch, normalized + numba", "torchvision, workers=0", 100),
    ("dshub torch, normalized + numba", "torchvision, workers=2", 100),
    ("dshub torch, normalized + numba", "FFCV", 3),
    ("dshub torch, normalized + numba", "tf.data, rows", 5),
    ("dshub torch, normalized + numba", "tf.data, gathered", 5),
    ("dshub torch, crop + flip + numba", "torchvision, crop + flip, workers=0", 60),
    ("dshub torch, crop + flip + numba", "FFCV, crop + flip", 5),
    ("DataLoader(ds.torch()), uint8", "torchvision, workers=0", 20),
    ("DataLoader(ds.torch(), collate), uint8", "torchvision, workers=0", 20),
    ("ds.torch().loader(), uint8", "torchvision, workers=0", 20),
    ("dshub tf, normalized", "tf.data, rows", 2),
    ("dshub tf, normalized", "tf.data, gathered", 2),
]


def start(folder: Path) -> list[CandidateProcess]:
    """Start a process for each package that is installed."""
    processes = []
    for group, interpreter in (
        ("bare", sys.executable),
        ("numba", sys.executable),
        ("peers", PEERS),
    ):
        if interpreter is None or (group == "numba" and not importlib.util.find_spec("numba")):
            continue
        output = subprocess.check_output([interpreter, str(CANDIDATES), group])
        packages = json.loads(output).values()
        processes += [
            CandidateProcess(interpreter, CANDIDATES, group, names, folder) for names in packages
        ]
    return processes


@dataclass
class Line:
    """Speed of a candidate.

    Attributes:
        speed: images per second.
        thrift: images per CPU second.
    """

    speed: float
    thrift: float


def measure(processes: list[CandidateProcess], rounds: int) -> dict[tuple[str, int], Line]:
    """Return the medians of every candidate at each batch size.

    Only dshub and bare loops also run with batches of 128.
    """
    owners = {name: process for process in processes for name in process.names}
    runs: dict[tuple[str, int], list[list[float]]] = {
        (name, size): []
        for name in owners
        for size in ([512, 128] if name.startswith(("dshub", "bare")) else [512])
    }
    for number in range(rounds + 1):
        for key in random.sample(list(runs), len(runs)):
            figures = owners[key[0]].feed(*key)
            if isinstance(figures, str):
                print(f"{key[0]}, batches of {key[1]}, skipped: {figures.strip()[:300]}")
                del runs[key]
            elif number:
                runs[key].append(figures)
    return {
        key: Line(
            median(images / wall for images, wall, _ in figures),
            median(images / cpu for images, _, cpu in figures),
        )
        for key, figures in runs.items()
    }


def show(medians: dict[tuple[str, int], Line], size: int) -> None:
    """Print one table, highest speed per CPU second first."""
    lines = {name: line for (name, batch), line in medians.items() if batch == size}
    width = max(map(len, lines))
    best = max(line.thrift for line in lines.values())
    print(f"\nBatches of {size}\n{'':{width}}  {'images/s':>12}{'per CPU-s':>12}{'of best':>10}")
    for name, line in sorted(lines.items(), key=lambda item: -item[1].thrift):
        cells = f"{line.speed:12,.0f}{line.thrift:12,.0f}{line.thrift / best:10.3f}"
        print(f"{name:{width}}  {cells}")


def compare(lines: dict[tuple[str, int], Line]) -> None:
    """Print the ratios that have a goal, in images per second and per CPU second."""
    rows = [(candidate, 512, other, 512, goal) for candidate, other, goal in GOALS]
    names = [name for name, size in lines if size == 128 and name.startswith("dshub")]
    rows += [(name, 128, name, 512, 0.75) for name in names]
    ratios = {
        f"{a}{'' if b != a else f', {size} of {other}'} / {b if b != a else ''}".rstrip(" /"): (
            lines[a, size],
            lines[b, other],
            goal,
        )
        for a, size, b, other, goal in rows
        if (a, size) in lines and (b, other) in lines
    }
    width = max(map(len, ratios), default=0)
    print(f"\n{'Ratios':{width}}  {'images/s':>10}{'per CPU-s':>10}{'goal':>10}")
    for words, (line, other, goal) in ratios.items():
        speed, thrift = line.speed / other.speed, line.thrift / other.thrift
        print(f"{words:{width}}  {speed:10.2f}{thrift:10.2f}{goal:10.2f}")


def main() -> None:
    """Measure the candidates and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="use fewer images and one round")
    parser.add_argument("--rounds", type=int, default=7, help="number of measured rounds")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write charts to this folder")
    options = parser.parse_args()
    rows, rounds = (ROWS // 10, 1) if options.small else (ROWS, options.rounds)
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        folder, draw = Path(name), np.random.default_rng(0)
        np.save(folder / "images.npy", draw.integers(0, 256, (rows, 32, 32, 3), np.uint8))
        np.save(folder / "labels.npy", draw.integers(0, 10, rows))
        processes = start(folder)
        try:
            lines = measure(processes, rounds)
        finally:
            for process in processes:
                process.end()
    show(lines, 512)
    show(lines, 128)
    compare(lines)
    speeds = {name: line.speed for (name, size), line in lines.items() if size == 512}
    bars(options.plots, "epoch", "Shuffled batches of 512 images, 32x32", "images/s", speeds)


if __name__ == "__main__":
    main()
