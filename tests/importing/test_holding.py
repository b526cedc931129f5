"""Checksums that were noted while files were read."""

from pathlib import Path

import pytest

from dshub.importing.holding import written

SHA = "5f" * 32


@pytest.mark.parametrize("digest", ["é" * 32, "g" * 64, SHA[:-1], SHA.upper()])
def test_a_line_without_a_checksum_is_passed_over(tmp_path: Path, digest: str) -> None:
    """What a killed process or a disk left behind is no checksum of a file."""
    path = tmp_path / "files.sha256"
    path.write_text(f"{digest}  damaged.jpg\n{SHA}  whole.jpg\n", encoding="utf-8")
    assert list(written(path)) == [("whole.jpg", SHA)]
