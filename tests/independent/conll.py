"""Read CoNLL files sentence by sentence."""

import re
from typing import Any


def read(
    files: dict[str, list[tuple[str, bytes]]], options: dict[str, Any]
) -> dict[str, list[Any]]:
    """Return one list of strings per sentence in each column."""
    names, separator = options["columns"], options.get("separator", " ")
    marker = options.get("document", "")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    ((_, contents),) = files.items()
    for _, data in contents:
        text = re.sub(r"\r(?=\n|\Z)", "", data.decode())
        if marker:
            text = re.sub(
                rf"^{re.escape(marker)}({re.escape(separator)}.*)?$", "", text, flags=re.MULTILINE
            )
        for sentence in re.split(r"\n[ \t]*\n", f"\n\n{text}\n\n"):
            tokens = [line.split(separator) for line in sentence.split("\n") if line.strip(" \t")]
            for i, name in enumerate(names if tokens else ()):
                columns[name].append([fields[i] for fields in tokens])
    return columns
