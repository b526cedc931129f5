"""Run candidates of a benchmark in processes, one for each package."""

import json
import subprocess
from pathlib import Path


class CandidateProcess:
    """A process that runs the candidates of one package.

    Args:
        interpreter: Python of the process.
        script: script of the candidates; see `epochs/candidates.py`.
        group: group of the candidates.
        names: candidates of the package.
        folder: data of the candidates.
    """

    def __init__(
        self, interpreter: str, script: Path, group: str, names: list[str], folder: Path
    ) -> None:
        self.names = names
        command = [interpreter, str(script), group, str(folder)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def feed(self, name: str, size: int) -> list[float] | str:
        """Run an epoch; return images, seconds and CPU seconds, or an error message."""
        assert self._process.stdin is not None
        try:
            print(json.dumps([name, size]), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            return "the process ended"
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        result = json.loads(line) if line else "the process ended"
        return result if isinstance(result, list) else str(result)

    def end(self) -> None:
        """Stop the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
