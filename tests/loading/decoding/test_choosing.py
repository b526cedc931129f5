"""Compare every installed decoder with Pillow, and choose decoders by name."""

import io
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from dshub import Dataset
from dshub.catalog.features import ImageFeature
from dshub.errors import ArgumentError, ReadError
from dshub.loading.decoding.choosing import Decoder, decoder
from dshub.loading.decoding.request import Request
from tests.loading.decoding.examples import FILES, HEIGHT, WIDTH, encode, smooth

ANY = ImageFeature(encoding="any")
PACKAGES = {"simplejpeg": "simplejpeg", "opencv": "cv2", "torchcodec": "torchcodec"}
LOSSY_WEBP = 2  # largest difference; libraries contain different versions of libwebp


INSTALLED = [name for name, package in PACKAGES.items() if find_spec(package) is not None]


@pytest.fixture(params=["auto", "pillow", *INSTALLED])
def name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def fresh() -> Iterator[None]:
    """Forget chosen decoders, because a test changes the installed packages."""
    decoder.cache_clear()
    yield
    decoder.cache_clear()


def reference(data: bytes, mode: str = "RGB") -> np.ndarray:
    """Decode a file with Pillow alone, as its documentation describes."""
    with Image.open(io.BytesIO(data)) as opened:
        if opened.mode.startswith("I"):
            image = Image.fromarray((np.asarray(opened) >> 8).astype(np.uint8))
        else:
            image = ImageOps.exif_transpose(opened)
        if image.mode in {"P", "PA"} or "transparency" in image.info:
            image = image.convert("RGBA")
        return np.atleast_3d(np.asarray(image.convert(mode)))


def difference(a: np.ndarray, b: np.ndarray) -> int:
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b).max())


@pytest.mark.parametrize("kind", FILES)
def test_every_decoder_returns_the_pixels_of_pillow(name: str, kind: str) -> None:
    decoded = decoder(name).decode(FILES[kind], Request())
    assert decoded.pixels is not None
    assert decoded.pixels.shape == (decoded.height, decoded.width, 3)
    allowed = LOSSY_WEBP if kind == "webp" or kind.startswith("webp orientation") else 0
    assert difference(decoded.pixels, reference(FILES[kind])) <= allowed


@pytest.mark.parametrize("kind", FILES)
def test_gray_and_bgr_pixels_match_pillow(name: str, kind: str) -> None:
    expected = reference(FILES[kind])
    reversed_ = decoder(name).decode(FILES[kind], Request(order="bgr")).pixels
    assert reversed_ is not None
    assert reversed_.flags.c_contiguous
    assert difference(reversed_[..., ::-1], expected) <= LOSSY_WEBP
    gray = decoder(name).decode(FILES[kind], Request(1)).pixels
    assert gray is not None
    assert difference(gray, reference(FILES[kind], "L")) <= LOSSY_WEBP


PHOTO = Image.fromarray(smooth(101, 150))


@pytest.mark.parametrize("divisor", [2, 4, 8])
@pytest.mark.parametrize("kind", ["color", "gray", "progressive", "rotated", "cmyk"])
def test_scaled_jpeg_equals_draft_of_pillow(name: str, kind: str, divisor: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = {
        "color": encode(PHOTO, "JPEG"),
        "gray": encode(PHOTO.convert("L"), "JPEG"),
        "progressive": encode(PHOTO, "JPEG", progressive=True),
        "rotated": encode(PHOTO, "JPEG", exif=exif),
        "cmyk": encode(PHOTO.convert("CMYK"), "JPEG"),
    }[kind]
    sizes: list[tuple[int, int]] = []

    def scale(height: int, width: int) -> int:
        sizes.append((height, width))
        return divisor

    decoded = decoder(name).decode(data, Request(divisor=scale))
    with Image.open(io.BytesIO(data)) as image:
        image.draft(None, (150 // divisor, 101 // divisor))
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert decoded.pixels is not None
    assert decoded.divisor == divisor
    assert difference(decoded.pixels, expected) == 0
    size = (150, 101) if kind == "rotated" else (101, 150)
    assert set(sizes) == {size}
    assert (decoded.height, decoded.width) == size


DAMAGED = {
    "jpeg truncated": FILES["jpeg"][: len(FILES["jpeg"]) // 2],
    "jpeg without end": FILES["jpeg"][:-40],
    "progressive truncated": FILES["jpeg progressive"][:-200],
    "jpeg header": FILES["jpeg"][:200],
    "jpeg cut with end": FILES["jpeg"][:-300] + b"\xff\xd9",
    "png truncated": FILES["png"][:-60],
    "png cut with end": FILES["png"][:-200] + FILES["png"][-12:],
    "png checksum": FILES["png"][:60] + bytes([FILES["png"][60] ^ 1]) + FILES["png"][61:],
    "webp truncated": FILES["webp lossless"][:-50],
    "noise": b"\xff\xd8\xff" + b"x" * 100,
    "nothing": b"",
}


def outcome(name: str, data: bytes) -> Any:
    try:
        return decoder(name).decode(data, Request()).pixels
    except Exception:  # noqa: BLE001  # the kind of error is Pillow's
        return None


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_file_is_accepted_only_if_pillow_accepts_it(name: str, kind: str) -> None:
    expected, result = outcome("pillow", DAMAGED[kind]), outcome(name, DAMAGED[kind])
    assert (result is None) == (expected is None)
    if expected is not None:
        assert difference(result, expected) == 0


def test_truncated_file_is_a_read_error(name: str) -> None:
    rows = Dataset.from_arrays({"x": [DAMAGED["jpeg truncated"]]}, features={"x": ANY})
    with pytest.raises(ReadError, match="row 0, column x: it cannot be decoded"):
        rows.decode(name)[0]


def test_files_that_only_pillow_accepts_are_counted(fresh: None) -> None:
    pytest.importorskip("simplejpeg")
    chosen = Decoder(["simplejpeg"])
    chosen.decode(FILES["jpeg"], Request())
    chosen.decode(FILES["png"], Request())  # another format is not a failure
    assert chosen.fallbacks == 0
    data = FILES["jpeg"]
    scan = data.index(b"\xff\xda")
    odd = data[: scan + 40] + b"\xff\xd0" + data[scan + 40 :]  # a marker where there should be none
    chosen.decode(odd, Request())
    assert chosen.fallbacks == 1


def test_many_pixels_are_refused_without_decoding(name: str) -> None:
    data = bytearray(FILES["jpeg"])
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = (60_000).to_bytes(2, "big") + (60_000).to_bytes(2, "big")
    rows = Dataset.from_arrays({"x": [bytes(data)]}, features={"x": ANY})
    with pytest.raises(ReadError, match="row 0, column x: "):
        rows.decode(name)[0]


def test_image_of_another_size_is_not_decoded(name: str) -> None:
    request = Request(expected=(WIDTH + 1, HEIGHT))
    decoded = decoder(name).decode(FILES["jpeg"], request)
    assert decoded.pixels is None
    assert (decoded.height, decoded.width) == (HEIGHT, WIDTH)


def test_unknown_decoder_lists_the_choices() -> None:
    rows = Dataset.from_arrays({"x": [FILES["jpeg"]]}, features={"x": ANY})
    for call in (lambda: rows.decode("opnecv"), lambda: rows.batches(1, decoder="opnecv")):
        with pytest.raises(ArgumentError, match="'opnecv'; it must be one of auto, simplejpeg, op"):
            call()


def test_missing_decoder_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, fresh: None
) -> None:
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    monkeypatch.setitem(sys.modules, "cv2", None)
    rows = Dataset.from_arrays({"x": [FILES["jpeg"]]}, features={"x": ANY})
    with pytest.raises(ArgumentError, match="an installed decoder: auto, ") as caught:
        rows.decode("simplejpeg")
    assert "dshub[fast]" in caught.value.hint
    assert decoder("auto").name == "pillow"
    assert np.array_equal(rows.decode()[0]["x"], reference(FILES["jpeg"]))


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif"])
def test_dataset_returns_channels_in_the_requested_order(name: str, kind: str) -> None:
    rows = Dataset.from_arrays({"x": [FILES[kind]] * 2}, features={"x": ANY})
    reversed_ = rows.decode(name, channels="bgr")
    assert np.array_equal(reversed_[1]["x"], rows[1]["x"][..., ::-1])
    assert reversed_.fingerprint != rows.fingerprint == rows.decode(name).fingerprint
    (batch,) = reversed_.batches(2)
    assert np.array_equal(batch["x"][1], rows[1]["x"][..., ::-1])


def test_channel_order_needs_image_files() -> None:
    arrays = Dataset.from_arrays({"x": np.zeros((2, 4, 4, 3), np.uint8)})
    with pytest.raises(ArgumentError, match="channels is 'bgr'; it must be 'rgb', because"):
        arrays.decode(channels="bgr")
    with pytest.raises(ArgumentError, match="channels is 'gbr'"):
        arrays.decode(channels="gbr")  # type: ignore[arg-type]
