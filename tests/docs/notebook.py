"""Make a notebook from a Markdown page: `python tests/docs/notebook.py docs/tutorial.md OUT.ipynb`.

Python blocks become cells, and commands of console blocks become cells of `!command`. Blocks that
`run_page.py` skips remain text.
"""

import re
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

_BLOCK = re.compile(
    r"(?:<!--\s*(?P<key>\w+)\b[^>]*-->\s*)?^```(?P<language>python|console)\n(?P<code>.*?)^```\n",
    re.DOTALL | re.MULTILINE,
)


def notebook(text: str) -> Any:
    """Return a notebook with the text and the blocks of a Markdown page."""
    cells, start = [], 0
    for block in _BLOCK.finditer(text):
        if block["key"] == "skip":
            continue
        cells += [
            new_markdown_cell(text[start : block.start()].strip()),
            new_code_cell(_code(block)),
        ]
        start = block.end()
    return new_notebook(cells=[*cells, new_markdown_cell(text[start:].strip())])


def _code(block: re.Match[str]) -> str:
    code = block["code"].rstrip()
    return (
        re.sub(r"^\$ ", "!", code, flags=re.MULTILINE) if block["language"] == "console" else code
    )


if __name__ == "__main__":
    source, target = sys.argv[1:]
    nbformat.write(notebook(Path(source).read_text("utf-8")), target)
