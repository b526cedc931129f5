"""Write the seeds of every target to `corpus/`: valid inputs, made by our own writers.

    python tests/fuzz/seeds.py

Other files in the corpus, such as inputs that once crashed, stay as they are.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.fuzz.targets import TARGETS

LARGEST = 5000  # bytes of a seed: journals and shards of tables are padded to 4,096


def main() -> None:
    """Write them, and say what is too large."""
    corpus = Path(__file__).parent / "corpus"
    for name, target in TARGETS.items():
        folder = corpus / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, data in target.seeds().items():
            assert len(data) <= LARGEST, f"{name}/{file} has {len(data):,} bytes"
            (folder / file).write_bytes(data)


if __name__ == "__main__":
    main()
