"""Files in folders, against an independent reading of the same names and bytes."""

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
    """All rows of some files, in their order."""
    found = [MemoryFile(f"data.tar:{name}", data, name) for name, data in files.items()]
    return pa.Table.from_batches(formats.create(FORMAT | options).read({part: found}))


def independently(options: dict[str, Any], files: dict[str, bytes]) -> dict[str, list[Any]]:
    """The same without dshub."""
    found: dict[str, list[Any]] = folder.read({"image": list(files.items())}, options)
    return found


class FolderTests(ReaderTests):
    """Any bytes are a file, so only text can be told to be damaged."""

    parts: ClassVar = {"image": ("train/*.JPEG",)}
    tells_damage = False

    def reader(self) -> formats.Reader:
        return formats.create(CLASSES)

    def rows(self, count: int) -> pa.RecordBatch:
        labels = [f"n{i % 7:02d}" for i in range(count)]
        names = [f"picture {i}" for i in range(count)]
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
    """Imagenette: a folder for each class."""


class TestNumbers(ReaderTests):
    """Flowers-102: no folders, but numbers with leading zeros."""

    parts: ClassVar = {"image": ("jpg/*.jpg",)}
    tells_damage = False

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
    """Reviews: the content is text, and the name holds two numbers."""

    parts: ClassVar = {"text": ("aclImdb/train/*/*.txt",)}
    tells_damage = False

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
    "members that are no rows": (
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
def test_columns_against_an_independent_reading(kind: str) -> None:
    """Each column of each row is what its name and its bytes say, in the order of the archive."""
    options, files = TREES[kind]
    assert read(options, files).to_pydict() == independently(options, files)


def test_lists_can_name_files_with_and_without_their_ending() -> None:
    """`file` begins in the folder of the first column, and `stem` leaves the ending out."""
    files = {"food-101/images/apple_pie/1005649.jpg": b"1"}
    found = read({"path": "food-101/images/{label}/{name}.jpg"}, files)
    assert found["file"].to_pylist() == ["apple_pie/1005649.jpg"]
    assert found["stem"].to_pylist() == ["apple_pie/1005649"]


def test_only_some_classes_occur() -> None:
    """The number of a class comes from the manifest's list, not from the folders there are."""
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
def test_a_file_that_is_named_otherwise(member: str) -> None:
    """A stray file is an error that names it, never a row of a class that does not exist."""
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
def test_a_name_with_many_choices_is_matched_at_once(path: str, count: int) -> None:
    """The number of columns in a path does not multiply the work."""
    began = time.process_time()
    with pytest.raises(ReadError, match="its name does not match"):
        read({"path": path}, {"-" * count + end: b"" for end in (".jp", "/.jpg", ".png.")})
    assert time.process_time() - began < 1


def test_the_first_column_is_as_long_as_it_can_be() -> None:
    """Also where a later column must be a number or may not hold a slash."""
    options = {"path": "{a:path}-{b:d}-{c}.jpg"}
    found = read(options, {"x-1-2-y-3-z-z.jpg": b"", "1-2-3-4-5.jpg": b"", "a/b-7-c-.jpg": b""})
    rows = [found[name].to_pylist() for name in "abc"]
    assert rows == [["x-1-2-y", "1-2-3", "a/b"], [3, 4, 7], ["z-z", "5", "c-"]]


@pytest.mark.parametrize("number", ["01", "007", "x", "-1", "1.0", "٣", "9" * 19, "", " 1"])
def test_a_folder_that_is_no_number(number: str) -> None:
    """Nor one that is written another way, for 01 and 1 would be the same class."""
    with pytest.raises(ReadError, match="its name does not match"):
        read({"path": "{label:d}/{name}"}, {f"{number}/x": b""})


def test_a_number_with_leading_zeros() -> None:
    """A width is the least that is written; more digits are read, fewer are not."""
    options = {"path": "image_{id:05d}.jpg"}
    found = read(options, {"image_00001.jpg": b"", "image_08189.jpg": b"", "image_123456.jpg": b""})
    assert found["id"].to_pylist() == [1, 8189, 123456]
    for name in ("image_1.jpg", "image_000001.jpg"):
        with pytest.raises(ReadError, match="its name does not match"):
            read(options, {name: b""})


def test_a_name_that_is_no_text() -> None:
    """Bytes of a name that are no UTF-8 are an error, not a broken column."""
    with pytest.raises(ReadError, match="not UTF-8 from character 8"):
        read(CLASSES, {"train/a/\udcff.JPEG": b""})


def test_text_that_is_no_text() -> None:
    """The error names the file and the byte."""
    files = {"pos/1.txt": "ça va".encode(), "pos/2.txt": b"", "neg/3.txt": b"ab\xffcd"}
    with pytest.raises(ReadError, match=r"data\.tar:neg/3\.txt: byte 3, 0xff, is not utf-8"):
        read({"path": "{label}/{name}.txt", "text": True}, files)


def test_many_pictures_come_in_batches_in_order() -> None:
    """Batches hold some 16 MiB, whatever the files' sizes, and one that is larger alone."""
    sizes = [3_000_000] * 12 + [16 << 20, 40_000_000, 0, 1, (16 << 20) - 1, 1, 2]
    files = {f"train/a/{i}.JPEG": bytes([i]) * size for i, size in enumerate(sizes)}
    found = [MemoryFile(name, data, name) for name, data in files.items()]
    batches = list(formats.create(CLASSES).read({"image": found}))
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


def test_many_small_files_come_in_batches() -> None:
    """Files without content do not pile up either."""
    files = [MemoryFile("x", b"", f"train/a/{i}.JPEG") for i in range(40_000)]
    batches = list(formats.create(CLASSES).read({"image": files}))
    assert len(batches) > 1
    assert sum(batch.num_rows for batch in batches) == 40_000


def test_no_row_at_all() -> None:
    """Where everything is skipped there is nothing to give."""
    reader = formats.create(CLASSES | {"skip": ["*"]})
    assert list(reader.read({"image": [MemoryFile("x", b"", "train/._x")]})) == []


def test_a_plain_tar_that_is_named_tar_gz(tmp_path: Path) -> None:
    """ImageNet-V2: what a file is, its content tells; rows stand in the order of the archive."""
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


def test_a_zip_is_read_by_name(tmp_path: Path) -> None:
    """However it was packed, and what its pattern leaves out is not there."""
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
def test_paths_that_cannot_be_read_back(path: str) -> None:
    """They are faults of the manifest, and told as such."""
    with pytest.raises(ManifestError, match=r"splits\.train\.reader: format 'folder'"):
        formats.create(FORMAT | {"path": path}, place="splits.train.reader")


def test_parts_it_cannot_have() -> None:
    """Two parts, or one that is called as a column of the path."""
    reader, file = formats.create(CLASSES), MemoryFile("data", b"", "train/a/x.JPEG")
    with pytest.raises(ReadError, match="image, mask: this format reads exactly one part, not 2"):
        list(reader.read({"image": [file], "mask": [file]}))
    for part in ("label", "stem"):
        with pytest.raises(ReadError, match=f"{part!r} is also a column"):
            list(reader.read({part: [file]}))


def test_what_a_stand_in_lacks_is_made_up() -> None:
    """Rows of which only pictures and classes are known get names that differ."""
    reader = formats.create(CLASSES)
    known = pa.RecordBatch.from_pydict(
        {"image": pa.array([b"1", b"2"], pa.binary()), "label": ["a", None]}
    )
    rows = reader.complete(known, 41)
    output = MemoryOutput("train/*")
    reader.write(rows, {"image": output})
    assert output.files == {"train/a/000041.JPEG": b"1", "train/000042/000042.JPEG": b"2"}
    assert rows.column("stem").to_pylist() == ["a/000041", "000042/000042"]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"label": ["a/b"], "name": ["x"]}, "a/b"),
        ({"label": [""], "name": ["x"]}, "like"),
        ({"label": ["a", "a"], "name": ["x", "x"]}, "two rows"),
        ({"label": [[1]], "name": ["x"]}, "label"),
    ],
)
def test_what_no_name_can_say(columns: dict[str, list[Any]], told: str) -> None:
    """A row whose name would be read back otherwise is refused."""
    reader = formats.create(CLASSES)
    size = len(columns["label"])
    rows = pa.RecordBatch.from_pydict({"image": pa.array([b""] * size, pa.binary()), **columns})
    with pytest.raises(SchemaError, match=told):
        reader.write(reader.complete(rows, 0), {"image": MemoryOutput("train/*")})


def test_a_stand_in_that_its_own_pattern_would_miss() -> None:
    """A path and a pattern that disagree are told, rather than files nobody would find."""
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
def test_any_name_is_read_or_refused(path: str, member: str) -> None:
    """No name of a member breaks anything, and what is read can be written again."""
    reader = formats.create(FORMAT | {"path": path})
    file = MemoryFile("data", b"content", member)
    try:
        (batch,) = reader.read({"image": [file]})
    except ReadError:
        return
    output = MemoryOutput("*")
    reader.write(batch, {"image": output})
    assert output.files == {member: b"content"}
