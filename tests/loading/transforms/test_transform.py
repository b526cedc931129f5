"""What transforms do to a batch, held against plain loops."""

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import ImageFeature, LabelFeature
from dshub.errors import ArgumentError, DshubError
from dshub.loading.transforms.colors import Normalize, ToFloat
from dshub.loading.transforms.erasing import Cutout, RandomErasing
from dshub.loading.transforms.fused import kernels
from dshub.loading.transforms.geometry import CenterCrop, RandomCrop, RandomHorizontalFlip
from dshub.loading.transforms.mixing import CutMix, MixUp, OneHot
from dshub.loading.transforms.resizing import RandomResizedCrop, Resize
from dshub.loading.transforms.transform import Batch

ROWS, HEIGHT, WIDTH = 60, 9, 11
PIXELS = np.random.default_rng(0).integers(0, 256, (ROWS, HEIGHT, WIDTH, 3), dtype=np.uint8)
NORMALIZE = Normalize(mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))


@pytest.fixture
def dataset() -> Dataset:
    return Dataset.from_arrays(
        {"image": PIXELS, "label": np.arange(ROWS) % 4, "id": np.arange(ROWS)},
        features={
            "image": ImageFeature(shape=(HEIGHT, WIDTH, 3)),
            "label": LabelFeature(names=("a", "b", "c", "d")),
        },
        supervised=("image", "label"),
    )


def by_row(
    dataset: Dataset, transform: Any, size: int = 8, **options: Any
) -> dict[tuple[int, int], np.ndarray]:
    """What comes out of each row, over two epochs, by epoch and row."""
    loader = dataset.batches(size, transform=transform, **options)
    return {
        (epoch, int(row)): picture
        for epoch in range(2)
        for batch in loader
        for row, picture in zip(batch["id"], batch["image"], strict=True)
    }


def test_normalize_is_what_its_formula_says(dataset: Dataset) -> None:
    """(pixel / 255 - mean) / std, in float32, to its rounding; in both layouts."""
    mean, std = np.array(NORMALIZE.mean), np.array(NORMALIZE.std)
    expected = (PIXELS / 255 - mean) / std
    batch = next(iter(dataset.batches(ROWS, transform=NORMALIZE)))
    assert batch["image"].dtype == np.float32
    np.testing.assert_allclose(batch["image"], expected, rtol=1e-5, atol=1e-6)
    planes = next(iter(dataset.batches(ROWS, transform=NORMALIZE, layout="chw")))["image"]
    assert planes.flags.c_contiguous
    np.testing.assert_array_equal(planes, batch["image"].transpose(0, 3, 1, 2))


def test_to_float_is_pixels_over_255(dataset: Dataset) -> None:
    """From 0 to 1."""
    batch = next(iter(dataset.batches(ROWS, transform=ToFloat())))
    np.testing.assert_allclose(batch["image"], PIXELS / 255, rtol=1e-6)


AUGMENTED: list[Any] = [
    [RandomCrop(padding=2)],
    [RandomCrop(5)],
    [RandomCrop((4, 6), padding=1)],
    [RandomHorizontalFlip()],
    [RandomHorizontalFlip(1.0), NORMALIZE],
    [RandomCrop(padding=3), RandomHorizontalFlip(), NORMALIZE],
    [RandomCrop(7), RandomHorizontalFlip(), ToFloat()],
    [Cutout(4)],
    [RandomErasing(0.7)],
    [RandomResizedCrop(6)],
    [Resize(8), NORMALIZE],
    [RandomCrop(padding=2), NORMALIZE, Cutout(3)],
]


@pytest.mark.parametrize("transforms", AUGMENTED, ids=str)
def test_a_row_is_changed_in_the_same_way_in_any_company(
    dataset: Dataset, transforms: list[Any]
) -> None:
    """Whatever the batch size, the order, the threads or the rank."""
    expected = by_row(dataset, transforms, shuffle=False)
    for options in (
        {"size": 13, "shuffle": True},
        {"size": 1, "threads": 0},
        {"size": 60, "threads": 2, "shuffle": "blocks"},
    ):
        found = by_row(dataset, transforms, **options)
        assert found.keys() == expected.keys()
        for key, picture in expected.items():
            np.testing.assert_array_equal(found[key], picture)
    for rank in range(3):
        part = by_row(dataset, transforms, rank=rank, world=3, size=4)
        for key, picture in part.items():
            np.testing.assert_array_equal(picture, expected[key])


@pytest.mark.parametrize("transforms", AUGMENTED, ids=str)
def test_epochs_and_seeds_draw_anew(dataset: Dataset, transforms: list[Any]) -> None:
    """What is random differs between epochs and between seeds; what is not, does not."""
    fixed = [RandomHorizontalFlip(1.0), NORMALIZE] == transforms or isinstance(
        transforms[0], Resize
    )
    first, other = by_row(dataset, transforms), by_row(dataset, transforms, seed=1)
    epochs = any(not np.array_equal(first[0, i], first[1, i]) for i in range(ROWS))
    seeds = any(not np.array_equal(first[0, i], other[0, i]) for i in range(ROWS))
    assert (epochs, seeds) == ((False, False) if fixed else (True, True))


def candidates(row: int, size: tuple[int, int], padding: int) -> list[bytes]:
    """Every part of a padded picture."""
    padded = np.pad(PIXELS[row], ((padding, padding), (padding, padding), (0, 0)))
    down, right = size
    return [
        padded[y : y + down, x : x + right].tobytes()
        for y in range(padded.shape[0] - down + 1)
        for x in range(padded.shape[1] - right + 1)
    ]


@pytest.mark.parametrize(
    ("crop", "size", "padding"),
    [
        (RandomCrop(padding=2), (HEIGHT, WIDTH), 2),
        (RandomCrop(5), (5, 5), 0),
        (RandomCrop((4, 6), padding=1), (4, 6), 1),
    ],
)
def test_a_crop_is_a_part_of_the_padded_picture(
    dataset: Dataset, crop: RandomCrop, size: tuple[int, int], padding: int
) -> None:
    """Each one of those that there are, and different ones."""
    found = by_row(dataset, crop)
    places = [
        candidates(row, size, padding).index(picture.tobytes())
        for (_, row), picture in found.items()
    ]
    assert len(set(places)) > len(candidates(0, size, padding)) // 3


def test_a_flip_turns_about_half_of_the_rows(dataset: Dataset) -> None:
    """Left to right, and nothing else."""
    found = by_row(dataset, RandomHorizontalFlip())
    turned = [np.array_equal(picture, PIXELS[row, :, ::-1]) for (_, row), picture in found.items()]
    same = [np.array_equal(picture, PIXELS[row]) for (_, row), picture in found.items()]
    assert all(a != b for a, b in zip(turned, same, strict=True))
    assert 0.3 < np.mean(turned) < 0.7


@pytest.mark.parametrize("layout", ["hwc", "chw"])
@pytest.mark.parametrize("transforms", [*AUGMENTED[:7], [NORMALIZE], [ToFloat()]], ids=str)
def test_one_pass_gives_what_the_single_steps_give(
    dataset: Dataset, transforms: list[Any], layout: str
) -> None:
    """Fusing changes no pixel: `Cutout(0)`, which does nothing, keeps them apart."""
    fused = by_row(dataset, transforms, layout=layout)
    single = by_row(dataset, [Cutout(0), *transforms], layout=layout)
    if any(isinstance(item, RandomCrop | RandomHorizontalFlip) for item in transforms):
        assert {key: value.shape for key, value in fused.items()} == {
            key: value.shape for key, value in single.items()
        }
        return  # the draws of a transform depend on its place in the list
    for key, picture in fused.items():
        np.testing.assert_allclose(picture, single[key], rtol=1e-6)


class Pieces(Dataset):
    """Rows that lie in no one array."""

    def pixels(self, name: str) -> None:  # noqa: ARG002  # none lies in one
        return None


@pytest.mark.parametrize("layout", ["hwc", "chw"])
@pytest.mark.parametrize("transforms", [*AUGMENTED[:7], [NORMALIZE], []], ids=str)
def test_where_rows_lie_changes_no_pixel(
    dataset: Dataset, transforms: list[Any], layout: str
) -> None:
    """In one array, which is read in place, or in several pieces, which are gathered first."""
    pieces = Pieces(*(getattr(dataset, name) for name in ("_source", "_selection", "_names")))
    assert dataset.pixels("image") is not None
    expected = by_row(dataset, transforms, layout=layout)
    found = by_row(pieces, transforms, layout=layout)
    assert found.keys() == expected.keys()
    for key, picture in found.items():
        np.testing.assert_array_equal(picture, expected[key])


def test_pixels_are_those_that_were_given(dataset: Dataset) -> None:
    """The pictures of one's own array are read where they are, and not copied before."""
    pixels = dataset.pixels("image")
    assert pixels is not None
    assert np.shares_memory(pixels, PIXELS)


WITHOUT = """
import json, sys
sys.modules["numba"] = None
import numpy as np
from dshub.loading.transforms.fused import kernels
assert kernels() is None
sys.path.insert(0, sys.argv[1])
from test_transform import AUGMENTED, digests
print(json.dumps(digests()))
"""


def digests() -> list[list[float]]:
    """Sums over what each list of transforms gives, in both layouts."""
    own = Dataset.from_arrays(
        {"image": PIXELS, "id": np.arange(ROWS)},
        features={"image": ImageFeature(shape=(HEIGHT, WIDTH, 3))},
    )
    weights = np.arange(1, 10_000, dtype=np.float64)
    found = []
    for transforms in [*AUGMENTED[:7], [NORMALIZE]]:
        for layout in ("hwc", "chw"):
            pictures = by_row(own, transforms, layout=layout).values()
            sums = [float((p.ravel() * weights[: p.size]).sum()) for p in pictures]
            found.append(sums)
    return found


def test_compiled_and_plain_passes_give_the_same() -> None:
    """With numba and without, to the rounding of one fused multiplication."""
    if kernels() is None:
        pytest.skip("numba is not installed")
    command = [sys.executable, "-c", WITHOUT, __file__.rpartition("/")[0]]
    plain = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    np.testing.assert_allclose(digests(), plain, rtol=1e-5)


def test_pictures_of_several_sizes_become_one_array() -> None:
    """As Pillow resizes and cuts them."""
    sizes = [(20, 30), (40, 25), (16, 16)]
    pictures = [
        np.random.default_rng(i).integers(0, 256, (*s, 3), np.uint8) for i, s in enumerate(sizes)
    ]
    context: Any = type("Context", (), {"pictures": ["image"]})()

    def run(transform: Any) -> Any:
        return transform.apply({"image": list(pictures)}, context)["image"]

    found = run(Resize((8, 12)))
    assert found.shape == (3, 8, 12, 3)
    for picture, one in zip(pictures, found, strict=True):
        wanted = Image.fromarray(picture).resize((12, 8), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(one, np.asarray(wanted))
    assert [one.shape[:2] for one in run(Resize(10))] == [(10, 15), (16, 10), (10, 10)]
    middle = run(CenterCrop(16))
    np.testing.assert_array_equal(middle[0], pictures[0][2:18, 7:23])
    with pytest.raises(
        ValueError, match=r"CenterCrop is \(17, 17\); it must be at most \(16, 16\)"
    ):
        run(CenterCrop(17))


def test_classes_become_vectors(dataset: Dataset) -> None:
    """1 at the class, or what smoothing leaves of it."""
    batch = next(iter(dataset.batches(8, transform=OneHot())))
    np.testing.assert_array_equal(batch["label"], np.eye(4, dtype=np.float32)[np.arange(8) % 4])
    batch = next(iter(dataset.batches(8, transform=OneHot(smoothing=0.1))))
    np.testing.assert_allclose(batch["label"].sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(batch["label"].max(1), 0.925, rtol=1e-6)


@pytest.mark.parametrize("mix", [MixUp(1.0), CutMix(1.0)], ids=str)
def test_mixing_blends_a_row_with_another_of_its_batch(dataset: Dataset, mix: Any) -> None:
    """Classes in the proportion of the pixels; the same batch is mixed in the same way."""
    loader = dataset.batches(12, transform=[mix], shuffle=True)
    first = [{name: np.array(values) for name, values in batch.items()} for batch in loader]
    again = dataset.batches(12, transform=[mix], shuffle=True, threads=2)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])
        np.testing.assert_allclose(one["label"].sum(1), 1, rtol=1e-5)
        assert (one["label"] >= 0).all()
        assert one["image"].shape == (12, HEIGHT, WIDTH, 3)


def test_callables_of_ones_own_stand_after(dataset: Dataset) -> None:
    """They get the layout that was asked for; and a generator, where they have a place for it."""
    seen: list[tuple[Sequence[int], float]] = []

    def note(batch: Batch, generator: np.random.Generator) -> Batch:
        seen.append((batch["image"].shape, generator.random()))
        return batch

    for _ in dataset.batches(32, layout="chw", transform=[NORMALIZE, note], threads=0):
        pass
    first = list(seen)
    assert [shape for shape, _ in first] == [(32, 3, HEIGHT, WIDTH), (28, 3, HEIGHT, WIDTH)]
    seen.clear()
    for _ in dataset.batches(32, layout="chw", transform=[NORMALIZE, note], threads=0):
        pass
    assert seen == first
    with pytest.raises(ValueError, match="then your own callables"):
        dataset.batches(4, transform=[note, NORMALIZE])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Normalize((0.5,), (0.0,)), "std"),
        (lambda: Normalize((0.5, 0.5), (0.5,)), "std of Normalize is .*as long as mean, 2 numbers"),
        (
            lambda: Normalize(*cast("Any", (0.5, 0.5))),
            "mean of Normalize is 0.5; it must be a tuple of numbers",
        ),
        (
            lambda: Normalize(cast("Any", ("a",)), (1.0,)),
            "mean of Normalize is 'a'; it must be a number",
        ),
        (
            lambda: RandomCrop(cast("Any", "4")),
            "size of RandomCrop is '4'; it must be a whole number",
        ),
        (lambda: RandomCrop(0), "size of RandomCrop is 0"),
        (lambda: RandomCrop(cast("Any", (1, 2, 3))), r"a number, or \(height, width\)"),
        (lambda: RandomCrop(4, padding=-1), "padding of RandomCrop is -1"),
        (lambda: RandomHorizontalFlip(2), "probability of RandomHorizontalFlip is 2; .* 0 to 1"),
        (lambda: CenterCrop(0), "size of CenterCrop is 0"),
        (lambda: Resize(cast("Any", "32")), "size of Resize is '32'"),
        (lambda: RandomResizedCrop(8, scale=(2, 1)), "scale of RandomResizedCrop"),
        (lambda: RandomResizedCrop(8, ratio=(0, 1)), "ratio of RandomResizedCrop .*above 0"),
        (lambda: Cutout(-1), "size of Cutout is -1"),
        (lambda: RandomErasing(5), "probability of RandomErasing is 5"),
        (lambda: MixUp(0), "alpha of MixUp is 0; it must be a number above 0"),
        (lambda: CutMix(-1), "alpha of CutMix is -1"),
        (lambda: OneHot(2), "smoothing of OneHot is 2"),
    ],
)
def test_what_cannot_be(make: Any, told: str) -> None:
    """Is said when it is made: of which transform, what it is and what it must be."""
    with pytest.raises(ArgumentError, match=told):
        make()


def test_normalize_takes_lists_and_arrays(dataset: Dataset) -> None:
    """As torchvision does; what comes out is the same."""
    mean, std = list(NORMALIZE.mean), np.array(NORMALIZE.std)
    found = Normalize(mean, std)  # type: ignore[arg-type]
    assert found == NORMALIZE
    one, other = (next(iter(dataset.batches(8, transform=t))) for t in (found, NORMALIZE))
    np.testing.assert_array_equal(one["image"], other["image"])


def test_sizes_may_be_lists_and_numbers_of_numpy(dataset: Dataset) -> None:
    """As they come out of a configuration or a shape."""
    kinds: list[Any] = [RandomCrop, CenterCrop, Resize, RandomResizedCrop]
    for kind in kinds:
        batch = next(iter(dataset.batches(8, transform=kind([4, 5]))))
        assert batch["image"].shape == (8, 4, 5, 3)
        assert kind(np.int64(4)) == kind(4)


def test_means_for_other_channels(dataset: Dataset) -> None:
    """How many there are, and how many there must be."""
    with pytest.raises(ArgumentError, match="1 number, or 3: one for each channel of these"):
        next(iter(dataset.batches(8, transform=Normalize((0.1, 0.2), (0.1, 0.2)))))


@pytest.mark.parametrize("kind", [Cutout(3, fill=300), RandomErasing(1.0, fill=-1)], ids=str)
def test_a_fill_that_pixels_cannot_hold(dataset: Dataset, kind: Any) -> None:
    """Bytes go from 0 to 255; floats take any."""
    with pytest.raises(ArgumentError, match=r"fill of .* from 0 to 255"):
        next(iter(dataset.batches(8, transform=kind)))
    batch = next(iter(dataset.batches(8, transform=[ToFloat(), kind])))
    assert (batch["image"] == kind.fill).any()


def photographs() -> Dataset:
    """Pictures in files that differ in size, with classes."""
    files = []
    for i in range(12):
        sink = io.BytesIO()
        Image.fromarray(PIXELS[i][: 5 + i % 4, : 6 + i % 5]).save(sink, "PNG")
        files.append(sink.getvalue())
    return Dataset.from_arrays(
        {"image": files, "label": np.arange(12) % 4},
        features={
            "image": ImageFeature(encoding="png"),
            "label": LabelFeature(names=("a", "b", "c", "d")),
        },
    )


def test_crops_of_pictures_that_differ_in_size() -> None:
    """A part of each, in one array; each a part of its own picture, padded."""
    found = next(iter(photographs().batches(12, transform=RandomCrop((4, 5), padding=1))))["image"]
    assert found.shape == (12, 4, 5, 3)
    for i, picture in enumerate(found):
        padded = np.pad(PIXELS[i][: 5 + i % 4, : 6 + i % 5], ((1, 1), (1, 1), (0, 0)))
        parts = [
            padded[y : y + 4, x : x + 5]
            for y in range(padded.shape[0] - 3)
            for x in range(padded.shape[1] - 4)
        ]
        assert any(np.array_equal(picture, part) for part in parts)


@pytest.mark.parametrize("kind", [Cutout(3), RandomErasing(1.0), RandomCrop(padding=2)], ids=str)
def test_pictures_that_differ_in_size_stay_a_list(kind: Any) -> None:
    """Each is blanked out or cut within its own bounds."""
    pictures = next(iter(photographs().batches(12)))["image"]
    found = next(iter(photographs().batches(12, transform=kind)))["image"]
    assert [picture.shape for picture in found] == [picture.shape for picture in pictures]
    changed = [not np.array_equal(*pair) for pair in zip(found, pictures, strict=True)]
    assert sum(changed) > 6


@pytest.mark.parametrize("kind", [MixUp(), CutMix()], ids=str)
def test_pictures_that_differ_in_size_are_not_mixed(kind: Any) -> None:
    """What to put before is said."""
    with pytest.raises(
        DshubError, match="needs images of one size, and those of column image"
    ) as e:
        next(iter(photographs().batches(12, transform=kind)))
    assert "Resize" in e.value.hint
    batch = next(iter(photographs().batches(12, transform=[Resize((6, 6)), kind])))
    assert batch["image"].shape == (12, 6, 6, 3)


def test_floats_are_not_resized(dataset: Dataset) -> None:
    """Where to put it is said."""
    for kind in (Resize(4), RandomResizedCrop(4)):
        with pytest.raises(DshubError, match="resized as uint8, and these are float32") as caught:
            next(iter(dataset.batches(8, transform=[ToFloat(), kind])))
        assert "before" in caught.value.hint


def test_vectors_of_mixed_classes_are_smoothed(dataset: Dataset) -> None:
    """`OneHot` behind `MixUp` keeps the shares: smoothing first or last is the same."""
    first = next(iter(dataset.batches(16, transform=MixUp())))["label"]
    last = next(iter(dataset.batches(16, transform=[MixUp(), OneHot(0.1)])))["label"]
    np.testing.assert_allclose(last, first * 0.9 + 0.1 / 4, rtol=1e-6)


def test_a_crop_that_does_not_fit(dataset: Dataset) -> None:
    """Says what it was to be cut from."""
    with pytest.raises(ValueError, match=r"RandomCrop is \(30, 30\); it must be at most \(9, 11\)"):
        next(iter(dataset.batches(4, transform=RandomCrop(30))))
