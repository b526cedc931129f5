from typing import Any

import pytest

from dshub.compat.torchvision import VisionDataset
from dshub.compat.torchvision.vision import StandardTransform


class Squares(VisionDataset):
    """Rows with the square of their number."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        return self._transformed(index**2, index)


def test_repr_is_that_of_torchvision(torchvision: Any) -> None:
    class Other(torchvision.datasets.VisionDataset):  # type: ignore[misc]
        __getitem__, __len__ = Squares.__getitem__, Squares.__len__

    Other.__name__ = "Squares"
    transform = torchvision.transforms.Compose([torchvision.transforms.ToTensor()])
    for options in ({}, {"transform": transform, "target_transform": transform}):
        assert repr(Squares("data", **options)) == repr(Other("data", **options))


def test_functions_can_be_replaced() -> None:
    rows = Squares(transform=lambda image: image + 1)
    assert rows[2] == (5, 2)
    rows.transform, rows.target_transform = None, str
    assert rows[2] == (4, "2")


def test_joint_transform_gets_image_and_target() -> None:
    assert Squares(transforms=lambda image, target: (target, image))[2] == (2, 4)
    with pytest.raises(ValueError, match="transforms is"):
        Squares(transforms=len, transform=len)


def test_user_folder_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert Squares("~/data").root == "/home/someone/data"


def test_sum_is_a_dataset_of_torch() -> None:
    data = pytest.importorskip("torch.utils.data")
    joined = Squares() + Squares(target_transform=str)
    assert isinstance(joined, data.ConcatDataset)
    assert [joined[row] for row in (2, 5)] == [(4, 2), (4, "2")]


def test_standard_transform_without_functions_changes_nothing() -> None:
    assert StandardTransform()("image", 3) == ("image", 3)
