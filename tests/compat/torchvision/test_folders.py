from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub.compat import torchvision as compat

FILES = ["dog/2.png", "dog/1.PNG", "cat/deep/3.jpg", "cat/4.webp", "cat/b/1.png", "cat/a.txt"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with two classes."""
    for number, name in enumerate(FILES):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".txt":
            path.write_text("no image")
        else:
            Image.fromarray(np.full((4, 6, 3), number * 9, np.uint8)).save(path)
    return tmp_path / "photos"


def test_image_folder_has_samples_in_order(root: Path) -> None:
    rows = compat.ImageFolder(root, transform=np.asarray)
    names = ["cat/4.webp", "cat/b/1.png", "cat/deep/3.jpg", "dog/1.PNG", "dog/2.png"]
    assert [Path(path).relative_to(root).as_posix() for path, _ in rows.samples] == names
    assert rows.imgs is rows.samples
    assert rows.targets == [0, 0, 0, 1, 1]
    assert (rows.classes, rows.class_to_idx) == (["cat", "dog"], {"cat": 0, "dog": 1})
    image, target = rows[4]
    assert (image.shape, image[0, 0, 0], target) == ((4, 6, 3), 0, 1)


def test_image_folder_equals_torchvision(root: Path, torchvision: Any) -> None:
    theirs, ours = torchvision.datasets.ImageFolder(str(root)), compat.ImageFolder(str(root))
    for name in ("samples", "targets", "classes", "class_to_idx"):
        assert getattr(ours, name) == getattr(theirs, name)
    for (image, target), (expected, number) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(image, expected)
        assert (image.mode, target) == (expected.mode, number)
    assert repr(ours) == repr(theirs)


def test_loader_and_filter_choose_samples(root: Path) -> None:
    rows = compat.ImageFolder(
        root, loader=Path, is_valid_file=lambda path: path.endswith("txt"), allow_empty=True
    )
    assert [(path.name, target) for path, target in rows] == [("a.txt", 0)]
    texts = compat.DatasetFolder(
        root, lambda path: Path(path).read_text(), extensions=(".txt",), allow_empty=True
    )
    assert list(texts) == [("no image", 0)]


def test_empty_classes_are_errors(root: Path, tmp_path: Path) -> None:
    (root / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="class empty has no samples"):
        compat.ImageFolder(root)
    assert len(compat.ImageFolder(root, allow_empty=True)) == 5
    with pytest.raises(FileNotFoundError, match="has no folder of a class"):
        compat.ImageFolder(root / "empty")
    with pytest.raises(ValueError, match="extensions is None"):
        compat.DatasetFolder(root, Path)


def test_methods_can_be_overridden(root: Path) -> None:
    class Dogs(compat.ImageFolder):
        @staticmethod
        def find_classes(directory: Any) -> tuple[list[str], dict[str, int]]:
            return [f"{Path(directory).name} of dogs"], {"dog": 0}

    assert (Dogs(root).classes, Dogs(root).targets) == (["photos of dogs"], [0, 0])
