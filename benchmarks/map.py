"""Measure how fast texts become tokens on disk: `python benchmarks/map.py [--small]`.

dshub runs `ds.map(f, batched=True, columns=["text"]).cache(name, workers=2)`, and Hugging Face
`ds.map(f, batched=True, num_proc=2)`, with the same function, on the same texts of 4 to 16 words in
files of each library. One function looks words up in a dict. The other is a byte-pair encoding that
the package `tokenizers` trains first. The clock starts after imports and opening, and stops when
the last row has been read. A second process repeats the call, which opens the result.

Candidates take turns, in alternating order. Tables show medians; a ratio is the median of the
ratios in each round. Peak memory is private memory (RssAnon), sampled every 20 ms, of all processes
together and of the largest worker. CPU seconds are those of all processes. The last table has ten
times as many rows.

DSHUB_BENCH_PEERS names the interpreter for peers; by default, they run in this one.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from dshub import Dataset

PEERS = os.environ.get("DSHUB_BENCH_PEERS", sys.executable)
WORDS = 20_000  # size of the vocabulary
CANDIDATES = ("dshub", "datasets")

TEXTS = """
import json, os, sys, time
os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the two processes use both cores
from contextlib import suppress
folder, tokenizer, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with suppress(ImportError):
    import pandas  # as pyarrow does when it first converts a list
def cpu():
    return sum(os.times()[:4])
if tokenizer == "dict":
    numbers = {word: number for number, word in enumerate(open(f"{folder}/words").read().split())}
    def tokenize(batch):
        return {"ids": [[numbers[word] for word in text.split()] for text in batch["text"]]}
else:
    from tokenizers import Tokenizer
    trained = Tokenizer.from_file(f"{folder}/bpe.json")
    def tokenize(batch):
        return {"ids": [item.ids for item in trained.encode_batch(list(batch["text"]))]}
"""
DSHUB = """
from dshub import Dataset
ds = Dataset.open(f"{folder}/dshub-{count}")
began, cpu_before = time.perf_counter(), cpu()
mapped = ds.map(tokenize, batched=True, columns=["text"])
mapped = mapped.cache(tokenizer, workers=2, folder=f"{folder}/cache")
"""
DATASETS = """
import datasets
ds = datasets.load_from_disk(f"{folder}/datasets-{count}")
began, cpu_before = time.perf_counter(), cpu()
mapped = ds.map(tokenize, batched=True, num_proc=2)
"""
LAST = """
seconds = time.perf_counter() - began
assert len(mapped) == count
print(json.dumps([seconds, cpu() - cpu_before, list(map(int, mapped[count - 1]["ids"]))]))
"""


@dataclass(frozen=True)
class Run:
    """Cost of one program.

    Attributes:
        seconds: seconds of the work itself.
        cpu: CPU seconds of all processes for the work.
        peak: peak private memory of all processes, in bytes.
        worker: peak private memory of the largest worker, in bytes.
        ids: tokens of the last text.
    """

    seconds: float
    cpu: float
    peak: float
    worker: float
    ids: list[int]


@cache
def works(package: str) -> bool:
    """Return True if the peers' interpreter can import a package."""
    command = [PEERS, "-c", f"import {package}"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def write_words(folder: Path) -> list[str]:
    """Write a vocabulary of random words of 2 to 9 letters, and return it sorted."""
    draw = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    words = {"".join(draw.choice(letters, draw.integers(2, 10))) for _ in range(WORDS)}
    (folder / "words").write_text("\n".join(sorted(words)))
    return sorted(words)


def random_texts(words: list[str], count: int, *, seed: int) -> pa.Array:
    """Return texts of 4 to 16 words, with word frequencies similar to those of English."""
    draw = np.random.default_rng(seed)
    ends = np.cumsum(draw.integers(4, 17, count)).tolist()
    chosen = np.array(words)[draw.zipf(1.3, ends[-1]) % len(words)].tolist()
    return pa.array([" ".join(chosen[a:b]) for a, b in zip([0, *ends], ends, strict=False)])


def write_texts(folder: Path, words: list[str], count: int) -> None:
    """Write texts in the format of each library."""
    starts = range(0, count, 100_000)
    blocks = [random_texts(words, min(count - start, 100_000), seed=start) for start in starts]
    table = pa.table({"text": pa.chunked_array(blocks)})
    Dataset.from_arrow(table).save(folder / f"dshub-{count}")
    if works("datasets"):
        pa.parquet.write_table(table, folder / "texts.parquet")
        code = "import sys; from datasets import Dataset as rows\n"
        code += "rows.from_parquet(sys.argv[1]).save_to_disk(sys.argv[2])"
        target = str(folder / f"datasets-{count}")
        run_program([PEERS, "-c", code, str(folder / "texts.parquet"), target], folder)
    if works("tokenizers") and not (folder / "bpe.json").exists():
        sample = table["text"].slice(0, 20_000).to_pylist()
        (folder / "sample").write_text("\n".join(sample))
        code = (
            "import sys; from tokenizers import *\n"
            "bpe = Tokenizer(models.BPE()); bpe.pre_tokenizer = pre_tokenizers.ByteLevel()\n"
            "bpe.train([sys.argv[1]], trainers.BpeTrainer(vocab_size=8000, show_progress=False))\n"
            "bpe.save(sys.argv[2])"
        )
        run_program([PEERS, "-c", code, str(folder / "sample"), str(folder / "bpe.json")], folder)


def run_program(command: list[str], folder: Path) -> Run:
    """Run a program and measure the memory of all its processes."""
    environment = os.environ | {
        "HF_HOME": str(folder / "hf"),
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "DSHUB_PROGRESS": "off",
        "PYTHONWARNINGS": "ignore",
    }
    with (folder / "out").open("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
        peak, worker = watch(process)
        out.seek(0)
        output = out.read()
    if process.returncode:
        sys.exit(f"{command[-3:]} ended with {process.returncode}:\n{output}")
    last = output.strip().rpartition("\n")[2]
    seconds, cpu, ids = json.loads(last) if last.startswith("[") else (0.0, 0.0, [])
    return Run(seconds, cpu, peak, worker, ids)


def watch(process: "subprocess.Popen[bytes]") -> tuple[int, int]:
    """Wait for a process; return the peak private memory of its tree, and of its largest child."""
    peak = worker = 0
    while process.poll() is None:
        sizes = [private(pid) for pid in children(process.pid)]
        peak = max(peak, private(process.pid) + sum(sizes))
        worker = max([worker, *sizes])
        time.sleep(0.02)
    return peak, worker


def children(pid: int) -> list[int]:
    """Return the PIDs of all descendants of a process."""
    with suppress(OSError):
        names = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
        direct = list(map(int, names.split()))
        return direct + [inner for child in direct for inner in children(child)]
    return []


def private(pid: int) -> int:
    """Return the private memory of a process in bytes; 0 if it has ended."""
    with suppress(OSError):
        match = re.search(r"RssAnon:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(match[1]) << 10 if match else 0
    return 0


def candidates(tokenizer: str) -> list[str]:
    """Return the installed libraries that can run a tokenizer."""
    able = tokenizer == "dict" or works("tokenizers")
    return [name for name in CANDIDATES if able and (name == "dshub" or works(name))]


def compute(name: str, tokenizer: str, count: int, folder: Path) -> tuple[Run, Run]:
    """Tokenize all texts, and open the result again in another process."""
    code = TEXTS + (DSHUB if name == "dshub" else DATASETS) + LAST
    # dshub also runs in the peers' interpreter for the BPE tokenizer, which is installed there
    python = sys.executable if name == "dshub" and tokenizer == "dict" else PEERS
    command = [python, "-c", code, str(folder), tokenizer, str(count)]
    os.sync()  # flush writes of earlier candidates before the clock starts
    first = run_program(command, folder)
    second = run_program(command, folder)
    clear(folder, count)
    return first, second


def clear(folder: Path, count: int) -> None:
    """Remove the results of a run."""
    for path in [*(folder / "cache").rglob("*"), *folder.glob(f"datasets-{count}/cache-*")]:
        if path.is_file():
            path.unlink()


def compare(tokenizer: str, count: int, folder: Path, rounds: int) -> dict[str, Run]:
    """Measure all candidates and print a table; return the last runs."""
    names = candidates(tokenizer)
    runs: dict[str, list[tuple[Run, Run]]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names[:: 1 if turn % 2 else -1]:
            runs[name].append(compute(name, tokenizer, count, folder))
    if len({str(several[0][0].ids) for several in runs.values()}) > 1:
        sys.exit("the tokens differ")
    print(f"\n{tokenizer}: {count:,} texts, {rounds} rounds")
    heads = ["s", "of dshub", "rows/s", "CPU s", "of dshub", "reopen ms", "peak MB", "worker MB"]
    print(f"{'':10}" + "".join(f"{head:>11}" for head in heads))
    for name, several in runs.items():
        pairs = list(zip(several, runs["dshub"], strict=True))
        seconds = median(first.seconds for first, _ in several)
        figures = [
            seconds,
            median(mine[0].seconds / other[0].seconds for mine, other in pairs),
            count / seconds,
            median(first.cpu for first, _ in several),
            median(mine[0].cpu / other[0].cpu for mine, other in pairs),
            1000 * median(second.seconds for _, second in several),
            median(first.peak for first, _ in several) / 1e6,
            median(first.worker for first, _ in several) / 1e6,
        ]
        print(f"{name:10}" + "".join(f"{figure:11,.2f}" for figure in figures), flush=True)
    return {name: several[-1][0] for name, several in runs.items()}


def main() -> None:
    """Measure the candidates and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="use few texts and one round")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds")
    parser.add_argument(
        "--skip-large", action="store_true", help="skip the run with ten times as many rows"
    )
    parser.add_argument("--in", dest="place", help="folder on the disk to measure")
    options = parser.parse_args()
    count, rounds = (20_000, 1) if options.small else (1_000_000, options.rounds)
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    missing = [name for name in ("datasets", "tokenizers") if not works(name)]
    print(f"not installed, skipped: {', '.join(missing) or 'none'}")
    with tempfile.TemporaryDirectory(dir=options.place) as name:
        folder = Path(name)
        words = write_words(folder)
        write_texts(folder, words, count)
        for tokenizer in ("dict", "bpe"):
            if candidates(tokenizer):
                compare(tokenizer, count, folder, rounds)
        if not options.skip_large:
            write_texts(folder, words, 10 * count)
            compare("dict", 10 * count, folder, 1)


if __name__ == "__main__":
    main()
