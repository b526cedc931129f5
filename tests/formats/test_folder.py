"""Read files in folders and compare the rows with those of an independent reader."""

import io
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub import archives, formats
from dshub.catalog.features import LabelFeature
from dshub.errors import ManifestError, ReadError, SchemaError
from dshub.tables.conforming import conform
from dshub.testing.readers import MemoryFile, MemoryOutput, ReaderTests
from tests.independent import folder

FORMAT = {"format": "folder"}
CLASSES = {"format": "folder", "path": "train/{label}/{name}.JPEG"}


def read(options: dict[str, Any], files: dict[str, bytes], part: str = "image") -> pa.Table:
    """Read all rows, in file order."""
    members = [MemoryFile(f"data.tar:{name}", data, name) for name, data in files.items()]
    return pa.Table.from_batches(formats.create(FORMAT | options).read({part: members}))


def read_independently(options: dict[str, Any], files: dict[str, bytes]) -> dict[str, list[Any]]:
    """Read the files with the independent reader."""
    columns: dict[str, list[Any]] = folder.read({"image": list(files.items())}, options)
    return columns


class FolderTests(ReaderTests):
    """Any bytes are a valid file, so damage cannot be detected."""

    parts: ClassVar = {"image": ("train/*.JPEG",)}
    detects_damage = False

    def reader(self) -> formats.Reader:
        return formats.create(CLASSES)

    def rows(self, count: int) -> pa.RecordBatch:
        labels = [f"n{i % 7:02d}" for i in range(count)]
        names = [f"image {i}" for i in range(count)]
        stems = [f"{label}/{name}" for label, name in zip(labels, names, strict=True)]
        return pa.RecordBatch.from_pydict(
            {
                "image": pa.array([b"\xff\xd8" + bytes(i) for i in range(count)], pa.binary()),
                "label": labels,
                "name": names,
                "file": [f"{stem}.JPEG" for stem in stems],
                "stem": stems,
            }
        )


class TestClassFolders(FolderTests):
    """Imagenette has a folder per class."""


class TestNumbers(ReaderTests):
    """Flowers-102 has numbered files without class folders."""

    parts: ClassVar = {"image": ("jpg/*.jpg",)}
    detects_damage = False

    def reader(self) -> formats.Reader:
        return formats.create(FORMAT | {"path": "jpg/image_{id:05d}.jpg"})

    def rows(self, count: int) -> pa.RecordBatch:
        return pa.RecordBatch.from_pydict(
            {
                "image": pa.array([str(i).encode() for i in range(count)], pa.binary()),
                "id": pa.array(range(count)),
                "stem": [f"image_{i:05d}" for i in range(count)],
            }
        )


class TestText(ReaderTests):
    """Text files whose names contain two numbers."""

    parts: ClassVar = {"text": ("aclImdb/train/*/*.txt",)}
    detects_damage = False

    def reader(self) -> formats.Reader:
        path = "aclImdb/train/{label}/{id:d}_{rating:d}.txt"
        return formats.create(FORMAT | {"path": path, "text": True})

    def rows(self, count: int) -> pa.RecordBatch:
        return pa.RecordBatch.from_pydict(
            {
                "text": [f"a fine film, {i} times, ça va" for i in range(count)],
                "label": ["pos" if i % 2 else "neg" for i in range(count)],
                "id": pa.array(range(count)),
                "rating": pa.array([1 + i % 10 for i in range(count)]),
            }
        )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_text_of_another_encoding_is_read(encoding: str) -> None:
    options = {"path": "{label}/{name}.txt", "text": True, "encoding": encoding}
    table = read(options, {"a/1.txt": "naïve".encode(encoding), "a/2.txt": b""}, "text")
    assert table["text"].to_pylist() == ["naïve", ""]


def test_text_without_its_encoding_is_an_error() -> None:
    options = {"path": "{name}.txt", "text": True, "encoding": "utf-8-sig"}
    with pytest.raises(ReadError, match="byte 1, 0xff, is not utf-8"):
        read(options, {"1.txt": b"\xff"}, "text")
    with pytest.raises(ManifestError, match="requires `text = true`"):
        formats.create(FORMAT | {"path": "{name}.txt", "encoding": "cp1252"})


TREES: dict[str, tuple[dict[str, Any], dict[str, bytes]]] = {
    "a folder for each class": (
        {"path": "imagenette2-160/train/{label}/{name}.JPEG"},
        {
            "imagenette2-160/train/n02979186/n02979186_9036.JPEG": b"one",
            "imagenette2-160/train/n01440764/ILSVRC2012_val_00000293.JPEG": b"",
            "imagenette2-160/train/n02979186/n.with.dots.JPEG": b"\0" * 10,
        },
    ),
    "one folder more, as in Tiny ImageNet": (
        {"path": "tiny/train/{label}/images/{name}.JPEG"},
        {"tiny/train/n01443537/images/n01443537_0.JPEG": b"x"},
    ),
    "a class over several folders, as in SUN397": (
        {"path": "SUN397/{label:path}/{name}.jpg"},
        {"SUN397/a/abbey/sun_1.jpg": b"1", "SUN397/c/church/outdoor/sun_2.jpg": b"2"},
    ),
    "archives in an archive, as in ImageNet-1k": (
        {"path": "{label}.tar:{name}.JPEG"},
        {"n01440764.tar:n01440764_44.JPEG": b"1", "n01443537.tar:n01443537_2.JPEG": b"2"},
    ),
    "a speaker in the name, as in Speech Commands": (
        {"path": "{label}/{speaker}_nohash_{take:d}.wav"},
        {"bed/00176480_nohash_0.wav": b"1", "cat/a_nohash_b_nohash_12.wav": b"2"},
    ),
    "names that hold what divides them, as those of pets": (
        {"path": "images/{breed}_{number:d}.jpg"},
        {"images/american_pit_bull_terrier_12.jpg": b"1", "images/Abyssinian_100.jpg": b"2"},
    ),
    "braces, newlines and other letters": (
        {"path": "{{a}}/{label}-{name}"},
        {"{a}/Käse-x\ny": b"1", "{a}/東京-.hidden": b"2", "{a}/a-b-c": b"3"},
    ),
    "members to skip": (
        {"path": "256/{label}/{name}.jpg", "skip": ["*/RENAME2", "*/056.dog/greg/*"]},
        {
            "256/198.spider/198_0001.jpg": b"1",
            "256/198.spider/RENAME2": b"a note",
            "256/056.dog/greg/vision309/056_0001.jpg": b"2",
            "256/056.dog/056_0002.jpg": b"3",
        },
    ),
}


@pytest.mark.parametrize("kind", TREES)
def test_columns_match_the_independent_reader(kind: str) -> None:
    options, files = TREES[kind]
    assert read(options, files).to_pydict() == read_independently(options, files)


def test_file_and_stem_begin_at_the_first_column() -> None:
    """`stem` is `file` without its extension."""
    files = {"food-101/images/apple_pie/1005649.jpg": b"1"}
    table = read({"path": "food-101/images/{label}/{name}.jpg"}, files)
    assert table["file"].to_pylist() == ["apple_pie/1005649.jpg"]
    assert table["stem"].to_pylist() == ["apple_pie/1005649"]


def test_class_numbers_come_from_the_manifest() -> None:
    files = {"imagenet-a/n02/a.jpg": b"", "imagenet-a/n01/b.jpg": b""}
    (batch,) = read({"path": "imagenet-a/{label}/{name}.jpg"}, files).to_batches()
    feature = LabelFeature(names=("zero", "one", "two"), codes=("n00", "n01", "n02"))
    rows = conform(batch, {"label": feature}, where="imagenet-a", first_row=0)
    assert rows.column("label").to_pylist() == [2, 1]


@pytest.mark.parametrize(
    "member",
    [
        "train/._x.txt",
        "train/.directory",
        "train/a/b/c.JPEG",
        "train/a.JPEG",
        "train//x.JPEG",
        "train/a/.JPEG",
        "val/a/x.JPEG",
        "train/a/x.jpeg",
        "",
        "train/a/" + "x" * 5000 + ".JPEG",
        "train/" + "a/" * 3000 + "x.JPEG",
    ],
)
def test_member_with_another_name_is_rejected(member: str) -> None:
    """A stray file must not add a class."""
    with pytest.raises(ReadError, match="its name does not match") as caught:
        read(CLASSES, {"train/a/x.JPEG": b"", member: b""})
    assert caught.value.file == f"data.tar:{member}"


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("{a:path}-{b:path}-{c:path}-{d:path}.jpg", 400),
        ("{a}-{b:d}-{c}-{d:path}.jpg", 4000),
        ("-".join(f"{{f{i}:path}}" for i in range(32)) + ".png", 4000),
    ],
)
def test_ambiguous_name_is_matched_in_linear_time(path: str, count: int) -> None:
    """The time does not grow with the number of columns in the path."""
    began = time.process_time()
    with pytest.raises(ReadError, match="its name does not match"):
        read({"path": path}, {"-" * count + end: b"" for end in (".jp", "/.jpg", ".png.")})
    assert time.process_time() - began < 1


def test_first_column_is_as_long_as_possible() -> None:
    options = {"path": "{a:path}-{b:d}-{c}.jpg"}
    table = read(options, {"x-1-2-y-3-z-z.jpg": b"", "1-2-3-4-5.jpg": b"", "a/b-7-c-.jpg": b""})
    rows = [table[name].to_pylist() for name in "abc"]
    assert rows == [["x-1-2-y", "1-2-3", "a/b"], [3, 4, 7], ["z-z", "5", "c-"]]


@pytest.mark.parametrize("number", ["01", "007", "x", "-1", "1.0", "٣", "9" * 19, "", " 1"])
def test_malformed_number_is_rejected(number: str) -> None:
    with pytest.raises(ReadError, match="its name does not match"):
        read({"path": "{label:d}/{name}"}, {f"{number}/x": b""})


def test_width_of_a_number_is_a_minimum() -> None:
    """Longer numbers are read, but fewer digits and additional zeros are rejected."""
    options = {"path": "image_{id:05d}.jpg"}
    table = read(options, {"image_00001.jpg": b"", "image_08189.jpg": b"", "image_123456.jpg": b""})
    assert table["id"].to_pylist() == [1, 8189, 123456]
    for name in ("image_1.jpg", "image_000001.jpg"):
        with pytest.raises(ReadError, match="its name does not match"):
            read(options, {name: b""})


def test_name_that_is_not_utf_8_is_rejected() -> None:
    with pytest.raises(ReadError, match="not valid UTF-8 at character 9"):
        read(CLASSES, {"train/a/\udcff.JPEG": b""})


def test_text_that_is_not_utf_8_is_rejected() -> None:
    files = {"pos/1.txt": "ça va".encode(), "pos/2.txt": b"", "neg/3.txt": b"ab\xffcd"}
    with pytest.raises(ReadError, match=r"data\.tar:neg/3\.txt: byte 3, 0xff, is not utf-8"):
        read({"path": "{label}/{name}.txt", "text": True}, files)


def test_batches_are_bounded_by_bytes() -> None:
    """A batch has at most 16 MiB, or a single larger file."""
    sizes = [3_000_000] * 12 + [16 << 20, 40_000_000, 0, 1, (16 << 20) - 1, 1, 2]
    files = {f"train/a/{i}.JPEG": bytes([i]) * size for i, size in enumerate(sizes)}
    members = [MemoryFile(name, data, name) for name, data in files.items()]
    batches = list(formats.create(CLASSES).read({"image": members}))
    assert [data for batch in batches for data in batch.column("image").to_pylist()] == list(
        files.values()
    )
    assert all(
        batch.num_rows == 1 or sum(map(len, batch.column("image").to_pylist())) <= 16 << 20
        for batch in batches
    )
    assert [name for batch in batches for name in batch.column("name").to_pylist()] == [
        str(i) for i in range(len(sizes))
    ]


def test_batches_are_bounded_by_rows() -> None:
    files = [MemoryFile("x", b"", f"train/a/{i}.JPEG") for i in range(40_000)]
    batches = list(formats.create(CLASSES).read({"image": files}))
    assert len(batches) > 1
    assert sum(batch.num_rows for batch in batches) == 40_000


def test_no_batch_if_all_files_are_skipped() -> None:
    reader = formats.create(CLASSES | {"skip": ["*"]})
    assert list(reader.read({"image": [MemoryFile("x", b"", "train/._x")]})) == []


def test_uncompressed_tar_named_tar_gz_is_read(tmp_path: Path) -> None:
    """ImageNet-V2 is such a file, and its rows keep the order of the archive."""
    path = tmp_path / "imagenetv2.tar.gz"
    with tarfile.open(path, "w") as tar:
        for number in (3, 10, 2):
            info = tarfile.TarInfo(f"./v2/{number}/a.jpeg")
            info.size = number
            tar.addfile(info, io.BytesIO(bytes(number)))
    with archives.open_files(path, title="imagenetv2.tar.gz", member="v2/*.jpeg") as files:
        (batch,) = formats.create(FORMAT | {"path": "v2/{label:d}/{name}.jpeg"}).read(
            {"image": files}
        )
    assert batch.column("label").to_pylist() == [3, 10, 2]
    assert [len(data) for data in batch.column("image").to_pylist()] == [3, 10, 2]


def test_zip_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    """Zip members are sorted by name, because the order of packing is arbitrary."""
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("2750/River/2.jpg", "2750/Forest/1.jpg", "2750/notes.txt"):
            archive.writestr(name, name)
    with archives.open_files(path, title="data.zip", member="2750/*.jpg") as files:
        (batch,) = formats.create(FORMAT | {"path": "2750/{label}/{name}.jpg"}).read(
            {"image": files}
        )
    assert batch.column("label").to_pylist() == ["Forest", "River"]


@pytest.mark.parametrize(
    "path",
    [
        "train",
        "",
        "{a}{b}",
        "{a}/{a}",
        "{}",
        "{0}",
        "{a.b}",
        "{a[0]}",
        "{a!r}",
        "{a:x}",
        "{a:5d}",
        "{a:010d}",
        "{A}",
        "{file}",
        "{stem}",
        "{a",
        "a}",
        "-".join(f"{{a{i}}}" for i in range(33)),
    ],
)
def test_invalid_paths_are_rejected(path: str) -> None:
    with pytest.raises(ManifestError, match=r"splits\.train\.reader: format 'folder'"):
        formats.create(FORMAT | {"path": path}, place="splits.train.reader")


def test_invalid_parts_are_rejected() -> None:
    reader, file = formats.create(CLASSES), MemoryFile("data", b"", "train/a/x.JPEG")
    with pytest.raises(ReadError, match="image, mask: this format reads exactly one part, not 2"):
        list(reader.read({"image": [file], "mask": [file]}))
    for part in ("label", "stem"):
        with pytest.raises(ReadError, match=f"{part!r} is also a column"):
            list(reader.read({part: [file]}))


def test_missing_columns_are_filled_with_row_numbers() -> None:
    reader = formats.create(CLASSES)
    partial = pa.RecordBatch.from_pydict(
        {"image": pa.array([b"1", b"2"], pa.binary()), "label": ["a", None]}
    )
    rows = reader.complete(partial, 41)
    output = MemoryOutput("train/*")
    reader.write(rows, {"image": output})
    assert output.files == {"train/a/000041.JPEG": b"1", "train/000042/000042.JPEG": b"2"}
    assert rows.column("stem").to_pylist() == ["a/000041", "000042/000042"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": ["a/b"], "name": ["x"]}, "a/b"),
        ({"label": [""], "name": ["x"]}, "like"),
        ({"label": ["a", "a"], "name": ["x", "x"]}, "two rows"),
        ({"label": [[1]], "name": ["x"]}, "label"),
    ],
)
def test_unreadable_names_are_not_written(columns: dict[str, list[Any]], message: str) -> None:
    """Written names must give the same columns when they are read."""
    reader = formats.create(CLASSES)
    size = len(columns["label"])
    rows = pa.RecordBatch.from_pydict({"image": pa.array([b""] * size, pa.binary()), **columns})
    with pytest.raises(SchemaError, match=message):
        reader.write(reader.complete(rows, 0), {"image": MemoryOutput("train/*")})


def test_name_that_misses_the_pattern_is_not_written() -> None:
    reader = formats.create(CLASSES)
    rows = reader.complete(pa.RecordBatch.from_pydict({"image": [b""], "label": ["a"]}), 0)
    with pytest.raises(SchemaError, match=r"names that match val/\*"):
        reader.write(rows, {"image": MemoryOutput("val/*")})
    with pytest.raises(SchemaError, match="only image"):
        reader.write(rows, {"audio": MemoryOutput("train/*")})


@given(
    st.sampled_from([options["path"] for options, _ in TREES.values()]),
    st.one_of(
        st.text(max_size=40),
        st.text("abn0123_./:\0\n-{}\udcff", max_size=40),
        st.builds("{}/{}_{}.{}".format, *[st.text("ab01_/.", max_size=6)] * 3, st.just("jpg")),
    ),
)
def test_any_name_is_read_or_rejected(path: str, member: str) -> None:
    reader = formats.create(FORMAT | {"path": path})
    file = MemoryFile("data", b"content", member)
    try:
        (batch,) = reader.read({"image": [file]})
    except ReadError:
        return
    output = MemoryOutput("*")
    reader.write(batch, {"image": output})
    assert output.files == {member: b"content"}
