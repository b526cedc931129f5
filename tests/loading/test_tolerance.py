"""Test loaders that skip or substitute rows that cannot be decoded."""

import io
import warnings
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import AudioFeature, ImageFeature
from dshub.errors import ArgumentError, ReadError
from dshub.loading.transforms.colors import ToFloat
from dshub.loading.transforms.geometry import RandomResizedCrop, Resize
from tests.loading.decoding.examples import encode

ROWS = 12
BAD = {3, 7, 8}  # 7 and 8 follow each other


def image(row: int) -> bytes:
    """Return a PNG file of one color, whose value is the row."""
    return encode(Image.fromarray(np.full((16, 20, 3), row * 10, np.uint8)), "PNG")


def wav(samples: np.ndarray) -> bytes:
    """Return a WAV file of int16 samples at 8 kHz."""
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return sink.getvalue()


def damaged(file: bytes, row: int) -> bytes:
    """Return a file that is cut, empty or another format."""
    return {3: file[: len(file) // 2], 7: b"", 8: b"<html>no image"}[row]


def example(bad: set[int] = BAD, rows: int = ROWS, **columns: Any) -> Dataset:
    files = [damaged(image(i), i) if i in bad else image(i) for i in range(rows)]
    values = {"image": files, "id": np.arange(rows), **columns}
    return Dataset.from_arrays(values, features={"image": ImageFeature(encoding="any")})


DATASET = example()
pytestmark = pytest.mark.filterwarnings("ignore:epoch")


def ids(batches: Any) -> list[list[int]]:
    return [batch["id"].tolist() for batch in batches]


def check_images(batch: Any, scale: float = 1) -> None:
    """Check that each image belongs to the same row as the other columns."""
    assert len(batch["image"]) == len(batch["id"])
    for pixels, row in zip(batch["image"], batch["id"], strict=True):
        assert np.allclose(np.asarray(pixels), row * 10 * scale, atol=0.01)


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("transform", [None, Resize((8, 8)), [Resize((8, 8)), ToFloat()]])
def test_skipped_rows_are_missing_from_their_batch(threads: int, transform: Any) -> None:
    loader = DATASET.batches(4, on_error="skip", threads=threads, transform=transform)
    batches = list(loader)
    assert ids(batches) == [[0, 1, 2], [4, 5, 6], [9, 10, 11]]
    for batch in batches:
        check_images(batch, 1 / 255 if isinstance(transform, list) else 1)
    assert len(loader) == 3


@pytest.mark.parametrize("threads", [0, 3])
@pytest.mark.parametrize("transform", [None, Resize((8, 8))])
def test_substitutes_are_the_next_good_rows(threads: int, transform: Any) -> None:
    loader = DATASET.batches(4, on_error="substitute", threads=threads, transform=transform)
    batches = list(loader)
    assert ids(batches) == [[0, 1, 2, 4], [4, 5, 6, 9], [9, 9, 10, 11]]
    for batch in batches:
        check_images(batch)


def test_substitute_of_the_last_row_is_the_first() -> None:
    files = [image(0), image(1), b""]
    ds = Dataset.from_arrays({"image": files, "id": np.arange(3)}, features=DATASET.features)
    assert ids(ds.batches(3, on_error="substitute")) == [[0, 1, 0]]


def test_rows_raise_by_default() -> None:
    with pytest.raises(ReadError, match="row 3, column image"):
        list(DATASET.batches(4))
    with pytest.raises(ArgumentError, match="'raise', 'skip' or 'substitute'"):
        DATASET.batches(4, on_error="ignore")  # type: ignore[call-overload]


def test_no_batch_is_empty() -> None:
    """An empty batch would give a loss of NaN, and leaving it out would stop other ranks."""
    assert ids(DATASET.batches(1, on_error="skip"))[6:10] == [[6], [9], [9], [9]]
    files = Dataset.from_arrays({"image": [b"", b""]}, features=DATASET.columns("image").features)
    for on_error in ("skip", "substitute"):
        with pytest.raises(ReadError, match="row 0, column image"):
            list(files.batches(2, on_error=on_error))


@pytest.mark.parametrize("on_error", ["skip", "substitute"])
def test_rows_do_not_depend_on_ranks_batch_size_or_threads(on_error: Any) -> None:
    transform = [RandomResizedCrop((6, 6)), ToFloat()]
    options: dict[str, Any] = {"shuffle": True, "seed": 3, "transform": transform}
    whole = [
        row for batch in DATASET.batches(6, on_error=on_error, **options) for row in _rows(batch)
    ]
    parts = [
        row
        for rank in range(2)
        for batch in DATASET.batches(2, on_error=on_error, rank=rank, world=2, threads=2, **options)
        for row in _rows(batch)
    ]
    assert sorted(whole) == sorted(parts)


def _rows(batch: Any) -> list[tuple[int, bytes]]:
    return [(int(i), x.tobytes()) for i, x in zip(batch["id"], batch["image"], strict=True)]


@pytest.mark.parametrize("on_error", ["skip", "substitute"])
def test_a_state_continues_with_the_same_batches(on_error: Any) -> None:
    options: dict[str, Any] = {"shuffle": True, "seed": 1, "on_error": on_error}
    first = DATASET.batches(2, **options)
    batches = iter(first)
    for _ in range(3):
        next(batches)
    second = DATASET.batches(2, **options)
    second.load_state_dict(first.state_dict())
    assert ids(second) == ids(batches)


def test_other_columns_can_fail_too() -> None:
    """Audio, and rows that cannot be read from disk."""
    sounds = [wav(np.full(8, i, np.int16)) for i in range(ROWS)]
    sounds[1], sounds[3] = sounds[1][:50], b""
    features = {"audio": AudioFeature(rate=8000, channels=1, encoding="wav")}
    sound = Dataset.from_arrays({"audio": sounds, "id": np.arange(ROWS)}, features=features)
    assert ids(sound.batches(4, on_error="skip"))[0] == [0, 2]
    (first, *_) = sound.batches(4, on_error="substitute")
    assert first["id"].tolist() == [0, 2, 2, 4]
    assert [int(samples[0]) for samples in first["audio"]] == [0, 2, 2, 4]
    both = Dataset.from_arrays(
        {"audio": sounds, **{name: DATASET.decode(False)[:][name] for name in ("image", "id")}},
        features={**features, "image": ImageFeature(encoding="any")},
    )
    assert ids(both.batches(6, on_error="skip")) == [[0, 2, 4, 5], [6, 9, 10, 11]]


def test_two_columns_of_images_are_replaced_together() -> None:
    left, right = [image(i) for i in range(4)], [image(i) for i in range(4)]
    left[0], right[2] = b"", b"GIF"
    kind = ImageFeature(encoding="any")
    ds = Dataset.from_arrays({"left": left, "right": right}, features={"left": kind, "right": kind})
    (batch,) = ds.batches(4, on_error="substitute", transform=Resize((4, 4)))
    for column in ("left", "right"):
        assert (batch[column][:, 0, 0, 0] // 10).tolist() == [1, 1, 3, 3]


def test_files_that_vanish_are_skipped(tmp_path: Path) -> None:
    for i in range(4):
        (tmp_path / f"{i}.png").write_bytes(image(i))
    ds = Dataset.from_folder(tmp_path)
    (tmp_path / "2.png").unlink()
    loader = ds.batches(4, on_error="skip")
    assert [len(batch["image"]) for batch in loader] == [3]
    assert "2.png" in loader.errors.first[2]


def test_small_images_and_faulty_functions_still_raise() -> None:
    """Skipping every row would hide a mistake in the arguments."""

    def fail(batch: Any) -> Any:
        raise KeyError("txt")

    with pytest.raises(Exception, match="fail failed"):
        list(DATASET.batches(4, on_error="skip", transform=fail))


@pytest.mark.parametrize("where", ["thread", "process"])
def test_bad_rows_are_counted_and_named(where: Any) -> None:
    loader = DATASET.batches(4, on_error="skip", where=where, threads=1)
    assert (len(loader.errors), loader.errors.counts) == (0, {})
    with pytest.warns(UserWarning, match=r"^epoch 0: skipped 3 rows .*row 3, column image"):
        assert ids(loader) == [[0, 1, 2], [4, 5, 6], [9, 10, 11]]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(loader)
    assert [str(item.message).split(":")[0] for item in caught] == ["epoch 1"]
    assert loader.errors.counts == {0: 3, 1: 3}
    assert list(loader.errors.first) == [3, 7, 8]
    assert "row 7, column image" in loader.errors.first[7]


def test_the_choice_is_part_of_the_fingerprint() -> None:
    prints = {DATASET.batches(4, on_error=o).fingerprint for o in ("raise", "skip", "substitute")}
    assert len(prints) == 3


@pytest.mark.parametrize("on_error", ["skip", "substitute"])
def test_mixtures_leave_out_rows_of_their_parts(on_error: Any) -> None:
    mixture = Dataset.mix([example(), example(bad=set())])
    loader = mixture.batches(6, on_error=on_error)
    for batch in loader:
        check_images(batch)
    assert 0 < len(loader.errors) <= len(BAD)
    assert set(loader.errors.first) <= BAD


def test_weighted_rows_are_substituted() -> None:
    """Rows with a weight of 0 can be substitutes."""
    weights = [float(i in BAD) for i in range(ROWS)]
    loader = DATASET.batches(4, weights=weights, on_error="substitute")
    assert {row for batch in ids(loader) for row in batch} == {4, 9}


def test_images_and_masks_of_a_folder_stay_together(tmp_path: Path) -> None:
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
        for i in range(4):
            (tmp_path / kind / f"{i}.png").write_bytes(image(i + 4 * (kind == "masks")))
    (tmp_path / "masks" / "2.png").write_bytes(b"")
    loader = Dataset.from_folder(tmp_path).batches(4, on_error="skip")
    (batch,) = loader
    values = [[int(pixels.flat[0]) // 10 for pixels in batch[name]] for name in ("image", "mask")]
    assert values == [[0, 1, 3], [4, 5, 7]]
    assert str(tmp_path / "masks" / "2.png") in loader.errors.first[2]
