"""Measure how fast loaders decode images: `python benchmarks/images.py [--small] [--rounds N]`.

An epoch has 768 photographs near 500x375 (about 74 KB), or of 160 pixels, in shuffled batches of
64. `epochs/images.py` describes the tasks. Files are windows of photographs that scikit-learn and
scikit-image ship. Every candidate runs once as a warm-up, then once per round, in a new random
order. The tables show medians. On a shared machine, the ratios of one run are more reliable than
images per second.

"Of decoding" is the share of `decoding only` with simplejpeg and two threads, the maximum for a
loader on two cores. Peers run in the interpreters that DSHUB_BENCH_PEERS names, separated by `:`
(`;` on Windows).
"""

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from feeding import CandidateProcess
from photographs import Photographs
from plots import bars

CANDIDATES = Path(__file__).parent / "epochs" / "images.py"
TRAINER = CANDIDATES.with_name("trainer.py")
PEERS = list(filter(None, os.environ.get("DSHUB_BENCH_PEERS", "").split(os.pathsep)))
FILES, SIZE = 768, 64

LIMIT = "decoding only, simplejpeg, threads=2"
TORCHVISION = "torchvision, workers=2"
TITLES = {
    "resized crop": "Photographs near 500x375: RandomResizedCrop(224), flip, normalize",
    "center": "Photographs near 500x375: Resize(256), CenterCrop(224), normalize",
    "small": "Photographs of 160 pixels: RandomResizedCrop(224), flip, normalize",
    "raw": "A table of 256x256 pixels: RandomCrop(224), flip, normalize",
}
# candidate, reference, and target for their speed ratio
GOALS = [
    ("dshub torch, threads=2", LIMIT, 0.7),
    ("dshub torch, antialias=False, threads=2", LIMIT, 0.8),
    ("dshub torch, Pillow, threads=2", LIMIT, 0.4),
    ("dshub torch, threads=2", TORCHVISION, 2.3),
    ("dshub torch, antialias=False, threads=2", TORCHVISION, 2.6),
    ("dshub torch, Pillow, threads=2", TORCHVISION, 1.3),
    ("dshub torch, threads=2", "dshub torch, threads=1", 1.7),
]
RAW_GOAL = 8.0  # of the raw table, compared with torchvision's speed on photographs

Speeds = dict[str, float]
"""Images per second by candidate, named `task: loader`."""


def start(folder: Path, tasks: Sequence[str]) -> list[CandidateProcess]:
    """Start a process for each package that is installed."""
    processes: list[CandidateProcess] = []
    for group, interpreter in (("bare", sys.executable), *(("peers", path) for path in PEERS)):
        output = subprocess.check_output([interpreter, str(CANDIDATES), group])
        for package, installed in json.loads(output).items():
            others = {name for process in processes for name in process.names}
            names = [n for n in installed if n not in others and n.partition(": ")[0] in tasks]
            if names and works(interpreter, package):
                processes.append(CandidateProcess(interpreter, CANDIDATES, group, names, folder))
    return processes


def works(interpreter: str, package: str) -> bool:
    """Return True if a package can be imported, or else say so."""
    done = subprocess.run(
        [interpreter, "-c", f"import {package}"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(f"{package} in {interpreter}, skipped: {done.stderr.strip().splitlines()[-1][:200]}")
    return done.returncode == 0


def measure(processes: Sequence[CandidateProcess], rounds: int) -> Speeds:
    """Return the median speed of every candidate, after an uncounted round."""
    owners = {name: process for process in processes for name in process.names}
    runs: dict[str, list[float]] = {name: [] for name in owners}
    for number in range(rounds + 1):
        for name in random.sample(list(runs), len(runs)):
            figures = owners[name].feed(name, SIZE)
            if isinstance(figures, str):
                print(f"{name}, skipped: {' '.join(figures.split())[:200]}")
                del runs[name]
            elif number:
                images, wall, _ = figures
                runs[name].append(images / wall)
    return {name: median(speeds) for name, speeds in runs.items()}


def of_task(speeds: Speeds, task: str) -> Speeds:
    """Return the speeds of a task by loader, fastest first."""
    found = {
        name.partition(": ")[2]: speed
        for name, speed in speeds.items()
        if name.startswith(f"{task}: ")
    }
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def show(speeds: Speeds, task: str) -> None:
    """Print the table of a task."""
    lines = of_task(speeds, task)
    peers = of_task(speeds, "resized crop" if task == "raw" else task)
    limit, other = peers.get(LIMIT), peers.get(TORCHVISION)
    width = max(map(len, lines), default=0)
    print(f"\n{TITLES[task]}\n{'':{width}}{'images/s':>11}{'of decoding':>13}{'x torchvision':>15}")
    for name, speed in lines.items():
        cells = [f"{speed / base:.2f}" if base else "-" for base in (limit, other)]
        print(f"{name:{width}}{speed:11,.0f}{cells[0]:>13}{cells[1]:>15}")


def compare(speeds: Speeds, tasks: Sequence[str]) -> None:
    """Print the ratios that have a goal."""
    rows = []
    for task in tasks:
        lines = of_task(speeds, task)
        goals = GOALS if task != "raw" else []
        rows += [
            (f"{task}: {a} / {b}", lines[a] / lines[b], goal)
            for a, b, goal in goals
            if a in lines and b in lines
        ]
    raw = of_task(speeds, "raw").get("dshub torch, threads=2")
    other = of_task(speeds, "resized crop").get(TORCHVISION)
    if raw and other:
        rows.append((f"raw: dshub torch, threads=2 / {TORCHVISION}", raw / other, RAW_GOAL))
    width = max((len(words) for words, _, _ in rows), default=0)
    print(f"\n{'Ratios':{width}}{'measured':>10}{'goal':>8}")
    for words, ratio, goal in rows:
        print(f"{words:{width}}{ratio:10.2f}{goal:8.2f}")


def show_trainer(folder: Path, steps: int) -> None:
    """Print how much a loader slows down a training loop that keeps one core busy."""
    command = [sys.executable, str(TRAINER), str(folder), str(steps)]
    seconds = json.loads(subprocess.check_output(command).splitlines()[-1])
    alone, _ = seconds["alone"]
    print(
        f"\n{'A training loop that keeps one core busy':42}{'s/step':>8}{'slower':>8}{'waits':>8}"
    )
    for name, (step, waiting) in seconds.items():
        loader = name if name == "alone" else f'with a loader, where="{name}"'
        print(f"{loader:42}{step:8.3f}{step / alone - 1:8.0%}{waiting:8.3f}")


def main() -> None:
    """Measure the candidates and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="use fewer images and one round")
    parser.add_argument("--rounds", type=int, default=7, help="number of measured rounds")
    parser.add_argument(
        "--task", choices=list(TITLES), action="append", help="run only this task; can be repeated"
    )
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write charts to this folder")
    options = parser.parse_args()
    count, rounds = (FILES // 6, 1) if options.small else (FILES, options.rounds)
    tasks = options.task or list(TITLES)
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder, windows = Path(name), Photographs()
        windows.write(folder / "photos", count)
        windows.write(folder / "small", count, 160)
        for part in ("photos", "small"):
            sizes = [path.stat().st_size for path in (folder / part).rglob("*.jpg")]
            print(f"{part}: {len(sizes)} files of {sum(sizes) / len(sizes) / 1000:.1f} KB")
        processes = start(folder, tasks)
        try:
            speeds = measure(processes, rounds)
        finally:
            for process in processes:
                process.end()
        if (folder / "dshub-photos").exists():
            show_trainer(folder, 5 if options.small else 20)
    for task in tasks:
        show(speeds, task)
    compare(speeds, tasks)
    bars(
        options.plots, "images", TITLES["resized crop"], "images/s", of_task(speeds, "resized crop")
    )


if __name__ == "__main__":
    main()
