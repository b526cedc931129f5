"""Run every example of a Markdown page, in order, in the working folder.

Python blocks share one namespace. Each `$ command` of a console block runs in bash, and
`export NAME=value` and `unset NAME` apply to the rest of the page. HTML comments control blocks:

    <!-- setup ... -->         Python code that runs here but is not part of the page
    <!-- skip: reason -->      do not run the next block
    <!-- exit: 5 -->           expect this exit code from the last command of the next block

Blocks that import a missing framework are skipped, and so are later blocks that use their names.
The last printed line counts the blocks that ran and lists the missing frameworks.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dshub.errors import MissingExtraError

_PART = re.compile(
    r"<!--\s*(?P<key>setup|skip|exit)\b:?\s*(?P<value>.*?)-->"
    r"|^```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^```",
    re.DOTALL | re.MULTILINE,
)
FRAMEWORKS = {"torch", "torchvision", "tensorflow", "keras", "jax", "datasets", "transformers"}
FRAMEWORKS |= {"tensorboardX", "pandas", "polars", "ray", "grain", "duckdb", "sklearn"}


@dataclass
class Block:
    """A fenced block and the comments before it."""

    language: str
    code: str
    line: int
    comments: dict[str, str]


def blocks(text: str) -> list[Block]:
    """Return the runnable code blocks of a page."""
    all_blocks, comments = [], dict[str, str]()
    for part in _PART.finditer(text):
        line = text.count("\n", 0, part.start()) + 1
        if part["key"] == "setup":
            all_blocks.append(Block("python", part["value"], line, {}))
        elif part["key"]:
            comments[part["key"]] = part["value"].strip()
        else:
            all_blocks.append(Block(part["language"], part["code"], line, comments))
            comments = {}
    return [block for block in all_blocks if block.language in {"python", "console"}]


class Page:
    """State of a page: Python names and skipped blocks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.ran, self.left_out = 0, list[str]()

    def run(self) -> None:
        """Run every block and raise the first error."""
        for block in blocks(self.path.read_text("utf-8")):
            if "skip" in block.comments:
                continue
            if block.language == "console":
                self._console(block)
            else:
                self._python(block)
            self.ran += 1

    def _python(self, block: Block) -> None:
        code = compile("\n" * block.line + block.code, str(self.path), "exec")
        try:
            exec(code, self.names)  # runs code of this repository's own pages
        except MissingExtraError as error:
            self.left_out.append(error.package)
        except ImportError as error:
            name = (error.name or "").partition(".")[0]
            if name not in FRAMEWORKS:
                raise
            self.left_out.append(name)
        except NameError as error:
            if not self.left_out:
                raise
            self.left_out.append(f"line {block.line}: {error}")

    def _console(self, block: Block) -> None:
        commands = [line[2:] for line in block.code.splitlines() if line.startswith("$ ")]
        for number, command in enumerate(commands):
            name, _, value = command.removeprefix("export ").partition("=")
            if command.startswith("export "):
                os.environ[name] = os.path.expandvars(value.partition(" #")[0].strip().strip("'\""))
                continue
            expected = int(block.comments.get("exit", 0)) if number == len(commands) - 1 else 0
            if command.startswith("unset "):
                os.environ.pop(command.split()[1], None)
                continue
            done = subprocess.run(["bash", "-c", command], check=False, text=True)
            place = f"{self.path}, line {block.line}: {command}"
            assert done.returncode == expected, f"{place}: exit code {done.returncode}"


if __name__ == "__main__":
    os.environ["PWD"] = str(Path.cwd())  # for `export NAME=$PWD/…` in pages
    page = Page(Path(sys.argv[1]).resolve())
    page.run()
    print(f"ran {page.ran}, left out: {page.left_out}")
