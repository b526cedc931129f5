"""Export WebDataset shards and read them with tarfile and webdataset."""

import gc
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from tests.exporting import CLASSES, Rows, Some, pixels, same, written


def test_tarfile_reads_shards(some: Some, rows: Rows, tmp_path: Path) -> None:
    """Members of a row are adjacent, without times or users."""
    members: dict[str, bytes] = {}
    for path in written(some(), "webdataset", tmp_path):
        with tarfile.open(path) as archive:
            for member in archive:
                assert (member.mtime, member.uid, member.uname) == (0, 0, "")
                file = archive.extractfile(member)
                assert file is not None
                members[member.name] = file.read()
    for number, row in enumerate(rows):
        key = f"{number:08d}"
        assert members[f"{key}.photo.{'png' if number % 2 else 'jpg'}"] == row["photo"]
        assert members[f"{key}.sound.wav"] == row["sound"]
        assert same(pixels(members[f"{key}.pixels.png"]), row["pixels"][:, :, 0])
        assert int(members[f"{key}.cls"]) == row["label"]
        assert np.array_equal(np.load(io.BytesIO(members[f"{key}.box.npy"])), row["box"])
        assert np.array_equal(np.load(io.BytesIO(members[f"{key}.tokens.npy"])), row["tokens"])
        suffix = json.loads(members[f"{key}.json"])
        assert suffix.keys() == {"text", "count", "ratio", "exact", "words", "tags"}
        assert suffix.pop("tags") == [CLASSES[tag] for tag in row["tags"]]
        assert all(same(value, row[name]) for name, value in suffix.items())
    assert list(members) == sorted(members, key=lambda name: name.partition(".")[0])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_shards(some: Some, rows: Rows, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    files = written(some("photo", "label", "text"), "webdataset", tmp_path)
    urls = [path.as_uri().replace("file://", "file:") for path in files]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"))
    gc.collect()  # closes files that webdataset leaves open, before they fail the next test
    for sample, (number, row) in zip(samples, enumerate(rows), strict=True):
        assert sample["__key__"].endswith(f"{number:08d}")
        assert np.array_equal(sample["png" if number % 2 else "jpg"], pixels(row["photo"]))
        assert (sample["cls"], sample["json"]) == (row["label"], {"text": row["text"]})
