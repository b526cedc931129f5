"""Test the rules that span several fields of a manifest, and the rules for URLs."""

import time

import pytest

from dshub.catalog.parsing import parse
from dshub.errors import ManifestError
from tests.catalog.faulty import ADDRESS, GOOD, faults_of


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('homepage = "', 'homepage = "javascript:alert(1)//', "homepage: 'javascript:"),
        ('homepage = "', 'homepage = "data:text/html,', "must be an http or https address"),
        ('\nsource = "', '\nsource = "file:///x/', "license.source: "),
        ('image = "train-images"', 'image = ["train-images", "train-images"]', "listed 2 times"),
        (ADDRESS, ADDRESS.replace("images-idx3", "labels-idx1"), "is also the name of"),
    ],
    ids=["script", "page of its own", "file", "file twice", "one name, two files"],
)
def test_misleading_value_is_a_fault(old: str, new: str, message: str) -> None:
    assert old in GOOD
    assert message in "".join(map(str, faults_of(GOOD.replace(old, new, 1)).values()))


def test_password_in_an_address_is_not_shown() -> None:
    text = GOOD.replace("https://", "https://me:s3cret@", 1)
    with pytest.raises(ManifestError) as caught:
        parse(text.replace(ADDRESS, ADDRESS.replace("https://", "https://me:s3cret@")), source="x")
    assert "user name" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("end", ["a" * 5000, "\u0315\u0300" * 100_000 + "/x"])
def test_very_long_address_is_refused_at_once(end: str) -> None:
    text = GOOD.replace(ADDRESS, f"https://data.example.{end}", 1)
    began = time.process_time()
    (fault,) = faults_of(text).values()
    assert "at most 4,096 characters" in fault.message
    assert time.process_time() - began < 1


def test_resampling_needs_a_rate() -> None:
    audio = '[features.sound]\nkind = "audio"\nresample = true\nrate = '
    assert "features.sound.rate" not in faults_of(f"{GOOD}\n{audio}8000\n[splits.x]\n")
    fault = faults_of(f"{GOOD}\n{audio}0\n")["features.sound.rate"]
    assert fault.message == "must be at least 1 to resample files"


SPLIT = '[splits.{0}]\nrows = 1\nreader = {{ format = "lines" }}\nfiles = {{ x = {1} }}\n'
LAYOUT = (
    '[layouts.{0}]\nsplit = "train"\nreader = {{ format = "lines" }}\nfiles = {{ x = "{1}" }}\n'
)
ATTACH = '{ step = "attach", part = "x", column = "a", path = "b{i}.jpg" }'
NUMBERS = range(4000)
LARGE = {
    "steps": SPLIT.format("s", [f"train-images:{i}.png" for i in NUMBERS])
    + f"steps = [{','.join([ATTACH] * 4000)}]",
    "a name of many parts": f'["{"a." * 100_000}"]\nx = 1',
    "equal classes": '[features.f]\nkind = "label"\n'
    f"names = {[str(min(i, 39_999)) for i in range(40_001)]}",
    "columns": "".join(f'[features.f{i}]\nkind = "text"\n' for i in NUMBERS)
    + "".join(SPLIT.format(f"s{i}", '"train-images"') for i in NUMBERS),
    "layouts": "".join(LAYOUT.format(f"l{i}", "local:a") for i in NUMBERS)
    + "".join(f'[resources.r{i}]\nmd5 = "{"ab" * 16}"\nfilename = "f"\n' for i in NUMBERS),
}


@pytest.mark.parametrize("kind", LARGE)
def test_large_manifest_is_checked_in_linear_time(kind: str) -> None:
    began = time.process_time()
    assert faults_of(f"{GOOD}\n{LARGE[kind]}\n")
    assert time.process_time() - began < 2


def test_columns_of_many_splits_are_limited() -> None:
    fault = faults_of(f"{GOOD}\n{LARGE['columns']}")["splits"]
    assert "more than 1,000,000" in fault.message


@pytest.mark.parametrize(
    ("fields", "place", "problem"),
    [
        ('kind = "mask"', "shape", "must be height and width"),
        ('kind = "mask"\nencoding = "png"\nshape = [2, 2, 1]', "shape", "height and width"),
        ('kind = "mask"\nshape = [2, 2]\ndtype = "float32"', "dtype", "'float32'"),
        ('kind = "image"\nencoding = "jpeg"\ndtype = "uint16"', "dtype", "must be uint8, because"),
        ('kind = "image"\nencoding = "png"\ndtype = "int64"', "dtype", "must be uint8, uint16, "),
    ],
)
def test_wrong_mask_or_deep_image_is_a_fault(fields: str, place: str, problem: str) -> None:
    faults = faults_of(f"{GOOD}\n[features.mask]\n{fields}\n")
    assert problem in faults[f"features.mask.{place}"].message


@pytest.mark.parametrize(
    "fields",
    [
        'kind = "mask"\nencoding = "png"',
        'kind = "mask"\nshape = [2, 2]\nnames = ["a", "b"]\nignore = 255',
        'kind = "image"\nencoding = "png"\ndtype = "uint16"',
        'kind = "image"\nencoding = "any"\ndtype = "float32"',
    ],
)
def test_masks_and_deep_images_are_features(fields: str) -> None:
    text = f"{GOOD}\n[features.mask]\n{fields}\n"
    assert "mask" in parse(text, source="x").features
