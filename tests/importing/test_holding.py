from pathlib import Path

import pytest

from dshub.importing.holding import read_sums

SHA = "5f" * 32


@pytest.mark.parametrize("digest", ["é" * 32, "g" * 64, SHA[:-1], SHA.upper()])
def test_damaged_line_is_ignored(tmp_path: Path, digest: str) -> None:
    """A killed process or a bad disk can leave a damaged line."""
    path = tmp_path / "files.sha256"
    path.write_text(f"{digest}  damaged.jpg\n{SHA}  whole.jpg\n", encoding="utf-8")
    assert list(read_sums(path)) == [("whole.jpg", SHA)]
