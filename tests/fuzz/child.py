"""Run one fuzz target under atheris in this process; `run.py` starts it.

    python tests/fuzz/child.py MODULE TARGET DICTIONARY [LIBFUZZER-OPTIONS-AND-CORPORA…]
    python tests/fuzz/child.py MODULE TARGET --input FILE

MODULE defines the target. DICTIONARY is a file that this script writes.
"""

import faulthandler
import importlib
import random
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fuzz.target import Target

ROOT = Path(__file__).resolve().parents[2]
MEMORY = 300 << 20  # bytes that one target can add to the process
CPU_SECONDS = 2  # CPU seconds per input
WALL_SECONDS = 60  # wall-clock seconds per input; generous because the machine can be busy
FORBIDDEN = {
    *("os.exec", "os.fork", "os.posix_spawn", "os.system", "subprocess.Popen"),
    *("pickle.find_class", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname"),
}


class Guard:
    """An audit hook that records network access, started programs and code run from an input.

    Attributes:
        events: recorded actions. Raising is not enough, because some parsers catch everything.
    """

    def __init__(self) -> None:
        self.events: list[str] = []
        sys.addaudithook(self._see)

    def _see(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in FORBIDDEN:
            self.events.append(f"{event} {arguments!r}"[:300])
            raise RuntimeError(self.events[-1])


def peak() -> int:
    """Return the peak memory of this process in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024  # kilobytes, except on macOS
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def target_of(module: str, name: str) -> "Target":
    """Return a target of a module after running its seeds, which imports the plug-ins they use."""
    targets: list[Target] = importlib.import_module(module).TARGETS
    target = next(target for target in targets if target.name == name)
    for data in target.seeds().values():
        with suppress(Exception):  # fuzzing reports the same exception again
            target(data)
    return target


def fuzz(module: str, name: str, words: Path, options: list[str]) -> None:
    """Run generated inputs until libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["dshub"]):
        target = target_of(module, name)
    guard, limit = Guard(), peak() + MEMORY

    def run(data: bytes) -> None:
        began = time.process_time()
        target(data)
        if guard.events:
            raise AssertionError(guard.events[-1])
        if time.process_time() - began > CPU_SECONDS:
            raise TimeoutError(f"it took more than {CPU_SECONDS} s of CPU time")
        if peak() > limit:
            raise MemoryError(f"it took more than {MEMORY >> 20} MB of memory")

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        def change(part: bytes) -> bytes:
            return bytes(atheris.Mutate(part, max(most, len(part) + 1)))

        changed: bytes = target.mutated(data, random.Random(seed), change)
        return changed[:most]

    if target.tokens:
        words.write_text("".join(map(_quoted, target.tokens)), encoding="ascii")
        options = [*options, f"-dict={words}"]
    options = [*options, f"-timeout={WALL_SECONDS}", f"-rss_limit_mb={(limit + MEMORY) >> 20}"]
    atheris.Setup([sys.argv[0], *options], run, custom_mutator=mutate)
    atheris.Fuzz()


def _quoted(token: bytes) -> str:
    """Format a token as a line of a libFuzzer dictionary."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in token) + '"\n'


def try_one(module: str, name: str, path: Path) -> int:
    """Run one input and report its cost; return 0 if it stays within the limits."""
    target = target_of(module, name)
    faulthandler.dump_traceback_later(WALL_SECONDS, exit=True)
    guard, before, began = Guard(), peak(), time.process_time()
    target(path.read_bytes())
    seconds, grown = time.process_time() - began, peak() - before
    print(f"{path}: {seconds:.2f} s, {grown >> 20} MB", *guard.events)
    return int(seconds > CPU_SECONDS or grown > MEMORY or bool(guard.events))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    module, name, third, *rest = sys.argv[1:]
    if third == "--input":
        sys.exit(try_one(module, name, Path(rest[0])))
    fuzz(module, name, Path(third), rest)
