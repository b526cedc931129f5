"""Fuzz the parsers.

    python tests/fuzz/run.py [TARGET…] [--seconds N] [--corpus DIR] [--jobs N]
    python tests/fuzz/run.py TARGET --input FILE

Each target runs in its own process, without network. An input gets at most 2 s and 300 MB. A target
stops at its first finding; the input is kept in `build/fuzz/`, and the exit code is 1.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.fuzz.targets import MODULES, TARGETS

HERE = Path(__file__).resolve().parent
FINDINGS = HERE.parents[1] / "build" / "fuzz"
LONGEST_INPUT = 16384  # bytes
SLACK = 600  # seconds that a process gets to start and exit
LIMITS = {70, 71}  # libFuzzer exit codes for a timeout and for excess memory


@dataclass
class Outcome:
    """The result of fuzzing one target.

    Attributes:
        inputs: number of inputs run.
        seconds: wall-clock seconds spent.
        finding: file with the failing input; None if no input failed.
        output: error line, or the end of the process's output.
    """

    name: str
    inputs: int = 0
    seconds: float = 0.0
    finding: Path | None = None
    output: str = ""

    def __str__(self) -> str:
        rate = self.inputs / max(self.seconds, 0.1)
        line = f"{self.name:<20} {self.inputs:>9,} inputs {rate:>8,.0f}/s"
        return f"{line}  {self.output}\n  FINDING: {self.finding}" if self.finding else line


class Run:
    """A run of fuzz targets.

    Args:
        seconds: seconds per target, to be multiplied by the target's share.
        corpus: folder that collects inputs reaching new code, one subfolder per target.
    """

    def __init__(self, seconds: float, corpus: Path) -> None:
        self._seconds, self._corpus = seconds, corpus

    def target(self, name: str) -> Outcome:
        """Fuzz a target until its time is up or an input fails."""
        outcome, began = Outcome(name), time.monotonic()
        seconds = self._seconds * TARGETS[name].share
        while (left := seconds - (time.monotonic() - began)) > 0:
            code = self._once(outcome, left)
            if code == 0:
                break
            over_limit = code in LIMITS or "it took more than" in outcome.output
            if over_limit and outcome.finding and not _fails(name, outcome.finding):
                outcome.finding = None  # caused by a busy machine or by earlier inputs
                continue
            outcome.finding = outcome.finding or FINDINGS / f"{name}.log"
            break
        outcome.seconds = time.monotonic() - began
        return outcome

    def _once(self, outcome: Outcome, seconds: float) -> int:
        corpus = self._corpus / outcome.name
        corpus.mkdir(parents=True, exist_ok=True)
        prefix = FINDINGS / f"{outcome.name}-"
        with _folder() as home:
            command = [
                *(*_child(outcome.name), f"{home}/words"),
                *(f"-max_total_time={max(1, round(seconds))}", f"-max_len={LONGEST_INPUT}"),
                *(f"-artifact_prefix={prefix}", "-print_final_stats=1", "-len_control=0"),
                *(str(corpus), str(HERE / "corpus" / outcome.name)),
            ]
            output, code = _output(command, home, seconds + SLACK)
        (prefix.parent / f"{outcome.name}.log").write_text(output, encoding="utf-8")
        counts = re.findall(
            r"^stat::number_of_executed_units: (\d+)|^#(\d+)\t", output, re.MULTILINE
        )
        outcome.inputs += max((int(a or b) for a, b in counts), default=0)
        findings = re.findall(r"Test unit written to (\S+)", output)
        outcome.finding = Path(findings[-1]) if findings else None
        outcome.output = _cause(output)
        return code


def _child(name: str) -> list[str]:
    return [sys.executable, str(HERE / "child.py"), MODULES[name], name]


def _folder() -> "tempfile.TemporaryDirectory[str]":
    """Create a temporary folder, in memory if possible because a run writes thousands of files."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(
        prefix="dshub-fuzz-", dir=memory if os.access(memory, os.W_OK) else None
    )


def _output(command: list[str], home: str, seconds: float) -> tuple[str, int]:
    """Return the output and exit code of a command, stopping it after `seconds`."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("DSHUB_") and not name.lower().endswith("_proxy")
    }
    environment |= {"HOME": home, "XDG_CONFIG_HOME": home, "TMPDIR": home, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return f"{(error.stdout or b'').decode('utf-8', 'replace')}\nit did not end", 1
    return done.stdout.decode("utf-8", "replace"), done.returncode


def _cause(output: str) -> str:
    """Return the line of the output that names the error."""
    after = output.partition("Uncaught Python exception: ===")[2].strip().splitlines()
    errors = re.findall(r"ERROR: libFuzzer: .*", output)
    return after[0] if after else errors[-1] if errors else output.strip()[-200:]


def _fails(name: str, path: Path) -> bool:
    """Return True if the input fails in a fresh process."""
    with _folder() as home:
        return _output([*_child(name), "--input", str(path)], home, SLACK)[1] != 0


def main() -> int:
    """Parse the command line and fuzz the chosen targets, or run one input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=10, help="seconds per target")
    parser.add_argument("--corpus", type=Path, help="folder that keeps inputs between runs")
    parser.add_argument("--jobs", type=int, default=1, help="number of targets to run in parallel")
    parser.add_argument("--input", type=Path, help="run only this file")
    arguments = parser.parse_args()
    unknown = set(arguments.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target named {', '.join(unknown)}")
    if arguments.input and len(arguments.targets) != 1:
        parser.error("--input needs exactly one target")
    if arguments.input:
        command = [*_child(arguments.targets[0]), "--input", str(arguments.input)]
        return subprocess.run(command, check=False).returncode
    FINDINGS.mkdir(parents=True, exist_ok=True)
    with _folder() as fresh:
        run = Run(arguments.seconds, arguments.corpus or Path(fresh))
        return _run_all(run, arguments.targets or list(TARGETS), arguments.jobs)


def _run_all(run: Run, names: Sequence[str], jobs: int) -> int:
    began, outcomes = time.monotonic(), []
    with ThreadPoolExecutor(jobs) as pool:
        for outcome in pool.map(run.target, names):
            outcomes.append(outcome)
            print(outcome, flush=True)
    inputs = sum(outcome.inputs for outcome in outcomes)
    findings = sum(outcome.finding is not None for outcome in outcomes)
    seconds = time.monotonic() - began
    print(f"{len(names)} targets, {inputs:,} inputs in {seconds:.0f} s, {findings} findings")
    return int(findings > 0)


if __name__ == "__main__":
    sys.exit(main())
