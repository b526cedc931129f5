import io
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Hub, Settings
from dshub.cache.store import Store
from dshub.catalog.manifest import laid_out
from dshub.catalog.parsing import read
from dshub.catalog.sources import built_in_root
from dshub.progress import Silent
from dshub.synthetic.pieces import write as write_files
from tests.independent.imagenet import numbered_jpeg, tar, with_facts, write

Files = dict[str, bytes]
Rows = dict[str, list[tuple[Any, ...]]]


def mnist() -> tuple[Files, Rows]:
    """Return one npz file with both splits, and images without a channel axis."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (4, 28, 28), np.uint8)
    labels = np.array([5, 0, 9, 1], np.uint8)
    sink = io.BytesIO()
    np.savez(sink, x_train=images[:3], y_train=labels[:3], x_test=images[3:], y_test=labels[3:])
    rows = [(p[:, :, None].tolist(), y) for p, y in zip(images, labels.tolist(), strict=True)]
    return {"mnist.npz": sink.getvalue()}, {"train": rows[:3], "test": rows[3:]}


def caltech_101() -> tuple[Files, Rows]:
    """Return an archive with a background folder, which is not a class."""
    top, images = "101_ObjectCategories", [numbered_jpeg(i) for i in range(3)]
    members = [
        (f"{top}/Faces/image_0001.jpg", images[0]),
        (f"{top}/BACKGROUND_Google/image_0001.jpg", images[1]),
        (f"{top}/Faces_easy/image_0001.jpg", images[2]),
    ]
    rows = [(images[0], 0), (images[2], 1)]
    return {"101_ObjectCategories.tar.gz": tar(members, "w:gz")}, {"train": rows}


def ag_news() -> tuple[Files, Rows]:
    """Return an archive whose class numbers start at 1."""
    train = b'"3","Wall St. ""Bears""","Short\\sellers"\n"1","A","B, C"\n'
    members = [("ag_news_csv/train.csv", train), ("ag_news_csv/test.csv", b'"4","D","E"\n')]
    rows = {"train": [(2, 'Wall St. "Bears"', "Short\\sellers"), (0, "A", "B, C")]}
    return {"ag_news_csv.tar.gz": tar(members, "w:gz")}, rows | {"test": [(3, "D", "E")]}


def dbpedia_14() -> tuple[Files, Rows]:
    """Return an archive with unquoted labels, and text that starts with a space."""
    members = [
        ("dbpedia_csv/train.csv", b'1,"E. D. Abbott"," A company."\n'),
        ("dbpedia_csv/test.csv", b'14,"A book"," It is ""old""."\n'),
    ]
    rows: Rows = {"train": [(0, "E. D. Abbott", " A company.")]}
    rows["test"] = [(13, "A book", ' It is "old".')]
    return {"dbpedia_csv.tar.gz": tar(members, "w:gz")}, rows


def conll2003() -> tuple[Files, Rows]:
    """Return one file per split."""
    start = "-DOCSTART- -X- -X- O\n\n"
    words = ("EU", "NASA", "UN")
    files = {
        f"{name}.txt": f"{start}{word} NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n".encode()
        for name, word in zip(("train", "valid", "test"), words, strict=True)
    }
    splits = zip(("train", "validation", "test"), words, strict=True)
    return files, {split: [([word, "rejects"], [3, 0])] for split, word in splits}


def iris() -> tuple[Files, Rows]:
    """Return a file that ends with empty lines."""
    text = b"5.1,3.5,1.4,0.2,Iris-setosa\n6.5,3.0,5.25,2.0,Iris-virginica\n\n\n"
    return {"iris.data": text}, {"train": [(1.4, 0), (5.25, 2)]}


SETS: list[tuple[str, Any, list[str]]] = [
    ("mnist", mnist, ["image", "label"]),
    ("caltech-101", caltech_101, ["image", "label"]),
    ("ag-news", ag_news, ["label", "title", "description"]),
    ("dbpedia-14", dbpedia_14, ["label", "title", "content"]),
    ("conll2003", conll2003, ["tokens", "ner_tags"]),
    ("iris", iris, ["petal_length", "label"]),
]


@pytest.mark.parametrize(("name", "make_files", "columns"), SETS)
def test_other_packagings_load_as_the_same_rows(
    name: str, make_files: Any, columns: list[str], tmp_path: Path, cache: Path
) -> None:
    files, rows = make_files()
    text = (built_in_root() / name / "1.0.0.toml").read_text("utf-8")
    text = text.replace(f'name = "{name}"', 'name = "small"', 1)
    for split, expected in rows.items():
        block = re.compile(rf"(^\[splits\.{split}\]\n(?:#.*\n)*rows = )\d+", re.MULTILINE)
        text = block.sub(rf"\g<1>{len(expected)}", text)
    for file, data in files.items():
        write(tmp_path / "downloads" / "deep" / file, data)
        text = with_facts(text, tmp_path / "downloads" / "deep" / file)
    write(tmp_path / "registry/small/1.0.0.toml", text.encode())
    settings = Settings.read(cache=cache, registry=[tmp_path / "registry"], offline=True)
    hub = Hub(settings=settings, progress=Silent())
    (report,) = hub.import_files("small", [tmp_path / "downloads"])
    assert report.complete, report
    for split, expected in rows.items():
        dataset = hub.load("small", split).decode(False)
        loaded = [tuple(_plain(row[column]) for column in columns) for row in dataset]
        assert loaded == [tuple(_rounded(value) for value in row) for row in expected]


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _rounded(value: Any) -> Any:
    """Round a float to float32."""
    return float(np.float32(value)) if isinstance(value, float) else value


@pytest.mark.parametrize(
    ("name", "archive"),
    [("cifar-10", "cifar-10-python.tar.gz"), ("cifar-100", "cifar-100-python.tar.gz")],
)
def test_cifar_loads_from_its_python_archive(
    name: str, archive: str, tmp_path: Path, cache: Path
) -> None:
    """The binary archive is not needed."""
    text = (built_in_root() / name / "1.0.0.toml").read_text("utf-8")
    text = text.replace(f'name = "{name}"', f'name = "small-{name}"')
    text = re.sub(r"^rows = .*$", "rows = 30", text, flags=re.MULTILINE)
    text = re.sub(r"^figures = .*$", "", text, flags=re.MULTILINE)
    target = tmp_path / "registry" / f"small-{name}" / "1.0.0.toml"
    write(target, text.encode())
    path = _archive(target, tmp_path / archive)
    write(target, with_facts(text, path).encode())

    settings = Settings.read(cache=cache, registry=(tmp_path / "registry",), offline=True)
    hub = Hub(settings=settings, progress=Silent())
    (report,) = hub.import_files(f"small-{name}", [path])
    assert [item.layout for item in report.layouts] == ["train-python", "test-python"]
    assert report.complete
    for split in ("train", "test"):
        columns: Any = hub.load(f"small-{name}", split).numpy()
        assert np.asarray(columns["image"]).shape == (30, 32, 32, 3)
    hub.fetch(f"small-{name}")
    assert {item.state for item in hub.verify(f"small-{name}")} == {"ok"}


def _archive(manifest_file: Path, path: Path) -> Path:
    """Write the Python archive that the manifest's layouts describe."""
    manifest = read(manifest_file)
    members: list[tuple[str, bytes]] = []
    for layout in manifest.layouts:
        folder = path.parent / f"pieces-{layout}"
        folder.mkdir()
        packed = write_files(laid_out(manifest, layout), folder, rows=30)["python"]
        with tarfile.open(packed) as archive:
            for member in archive.getmembers():
                content = archive.extractfile(member)
                assert content is not None
                members.append((member.name, content.read()))
    path.write_bytes(tar(members, "w:gz"))
    return path


def test_complete_dataset_imports_no_other_layout(tmp_path: Path, cache: Path) -> None:
    """A Python archive is ignored if the binary archive is already cached."""
    settings = Settings.read(cache=cache, synthetic=20)
    hub = Hub(settings=settings, progress=Silent())
    manifest = hub.info("cifar-10")
    assert manifest.layouts == {}
    assert Store(cache).blob(manifest.resources["archive"].digest) is not None
    (report,) = hub.import_files("cifar-10", [tmp_path])
    assert report.complete
    assert report.layouts == ()
