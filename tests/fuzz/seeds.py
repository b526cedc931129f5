"""Write valid inputs for every target to `corpus/`, using dshub's own writers.

    python tests/fuzz/seeds.py

Other files in the corpus, such as inputs that once crashed, stay unchanged.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.fuzz.targets import TARGETS

LARGEST = 5000  # bytes per seed; journals and table shards are padded to 4,096


def main() -> None:
    """Write all seeds, and fail if one is too large."""
    corpus = Path(__file__).parent / "corpus"
    for name, target in TARGETS.items():
        folder = corpus / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, data in target.seeds().items():
            assert len(data) <= LARGEST, f"{name}/{file} has {len(data):,} bytes"
            (folder / file).write_bytes(data)


if __name__ == "__main__":
    main()
