import logging
from pathlib import Path

import pytest

from dshub import Dataset
from dshub.catalog.features import AudioFeature
from tests.end_to_end.practitioners.files import tree, wav


@pytest.mark.parametrize(
    ("second", "feature"),
    [
        ((16_000, 1), AudioFeature(rate=0, channels=1)),
        ((8000, 2), AudioFeature(rate=8000, channels=0)),
        ((16_000, 2), AudioFeature(rate=0, channels=0)),
    ],
)
def test_rows_keep_rates_and_channels_that_differ(
    second: tuple[int, int],
    feature: AudioFeature,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tree({"a/1.wav": wav(50, 8000), "b/2.wav": wav(60, *second)})(tmp_path)
    with caplog.at_level(logging.WARNING):
        dataset = Dataset.from_folder(tmp_path)
    assert dataset.features["audio"] == feature
    shape = (60, 2) if second[1] == 2 else (60,)
    assert [row["audio"].shape for row in dataset] == [(50,), shape]
    assert f"2.wav has {second[0]:,} Hz and {second[1]} channels" in caplog.text


def test_damaged_files_do_not_decide(tmp_path: Path) -> None:
    """They are reported when their rows are read."""
    tree({"a/1.wav": wav(50), "a/2.wav": b"RIFF", "b/3.wav": b""})(tmp_path)
    assert Dataset.from_folder(tmp_path).features["audio"] == AudioFeature(rate=8000)
