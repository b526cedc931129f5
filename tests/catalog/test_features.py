"""Test the features of columns."""

import pytest

from dshub.catalog.features import (
    AudioFeature,
    BoxFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    MaskFeature,
    NumberFeature,
    StructFeature,
    TextFeature,
    boxes_in,
    describe,
    is_encoded,
    row_bytes,
)
from dshub.errors import ArgumentError

LABEL = LabelFeature(names=("cat", "dog"), codes=("n1", "n2"), first=5)


def test_classes_are_found_by_name_code_and_number() -> None:
    """Class numbers start at 0 even if the upstream files start at 1."""
    assert (LABEL.int("dog"), LABEL.int("n2")) == (1, 1)
    assert (LABEL.str(0), LABEL.code(0)) == ("cat", "n1")
    assert LabelFeature(names=("cat",)).code(0) == "cat"


@pytest.mark.parametrize("number", [-1, 2])
def test_number_without_a_class_is_an_index_error(number: int) -> None:
    for name_of in (LABEL.str, LABEL.code):
        with pytest.raises(IndexError, match=f"class {number} is not between 0 and 1"):
            name_of(number)


def test_case_and_hyphens_of_class_names_do_not_matter() -> None:
    label = LabelFeature(names=("T-shirt/top", "maple tree", "a", "A", "b"))
    names = ("t shirt/top", "maple_tree", "A", "B")
    assert [label.int(name) for name in names] == [0, 1, 3, 4]
    assert LABEL.int("N2") == 1


def test_class_name_that_means_several_classes_is_rejected() -> None:
    """Names without letters and digits have no other spelling."""
    label = LabelFeature(names=("<=50K", ">50K", "-", "+"))
    with pytest.raises(ArgumentError, match="one of the classes <=50K, >50K"):
        label.int("50k")
    assert label.int("-") == 2
    with pytest.raises(ArgumentError):
        label.int("_")


def test_unknown_class_name_is_rejected() -> None:
    with pytest.raises(ArgumentError, match="one of the classes cat, dog"):
        LABEL.int("bird")


def test_long_label_has_a_short_repr() -> None:
    text = repr(LabelFeature(names=tuple(map(str, range(1000)))))
    assert "… 1,000 names" in text
    assert len(text) < 120


@pytest.mark.parametrize(
    ("feature", "size", "encoded"),
    [
        (ImageFeature(shape=(2, 3, 4), dtype="float32"), 96, False),
        (ImageFeature(encoding="jpeg"), 0, True),
        (ImageFeature(shape=(8, 8, 3), encoding="png"), 0, True),
        (AudioFeature(rate=16000), 0, True),
        (LABEL, 8, False),
        (NumberFeature(dtype="int16"), 2, False),
        (NumberFeature(dtype="uint8", shape=(2, 5)), 10, False),
        (TextFeature(), 0, False),
        (ListFeature(of=LABEL), 0, False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_row_size_depends_on_the_feature(feature: Feature, size: int, encoded: bool) -> None:
    assert (row_bytes(feature), is_encoded(feature)) == (size, encoded)


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        (ImageFeature(shape=(28, 28, 1)), "image, 28 x 28 x 1, uint8"),
        (ImageFeature(encoding="jpeg"), "image, JPEG"),
        (ImageFeature(encoding="any"), "image, files of several formats"),
        (AudioFeature(rate=16000), "audio, 16,000 Hz, WAV"),
        (AudioFeature(rate=8000, channels=2, encoding="flac"), "audio, 8,000 Hz, 2 channels, FLAC"),
        (AudioFeature(rate=8000, encoding="ogg"), "audio, 8,000 Hz, Ogg"),
        (
            AudioFeature(rate=0, channels=0, encoding="any"),
            "audio, several rates, mono and stereo, files of several formats",
        ),
        (LabelFeature(names=("cat", "dog")), "label, 2 classes"),
        (NumberFeature(dtype="float32"), "number, float32"),
        (NumberFeature(dtype="int64", shape=(2, 3)), "number, 2 x 3, int64"),
        (TextFeature(), "text"),
        (ListFeature(of=TextFeature()), "list of text"),
    ],
)
def test_feature_has_a_short_description(feature: Feature, words: str) -> None:
    assert describe(feature) == words


def test_masks_have_a_size_and_classes() -> None:
    raw = MaskFeature(shape=(4, 5), dtype="uint16", names=("road", "sky"))
    assert describe(raw) == "mask, 4 x 5, uint16, 2 classes"
    assert (row_bytes(raw), is_encoded(raw)) == (40, False)
    files = MaskFeature(encoding="png")
    assert describe(files) == "mask, uint8"
    assert (row_bytes(files), is_encoded(files)) == (0, True)


def test_depth_of_image_files_is_described() -> None:
    assert describe(ImageFeature(encoding="png", dtype="uint16")) == "image, PNG, uint16"
    assert describe(ImageFeature(encoding="png")) == "image, PNG"


def test_boxes_state_their_format() -> None:
    boxes = ListFeature(of=BoxFeature(format="cxcywh", relative=True))
    assert describe(BoxFeature()) == "box, xyxy, pixels"
    assert describe(boxes) == "list of box, cxcywh, relative"
    assert row_bytes(BoxFeature()) == 16
    struct = StructFeature(fields={"boxes": boxes, "area": NumberFeature(dtype="float32")})
    assert list(boxes_in(struct)) == [boxes.of]
