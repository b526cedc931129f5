"""The classes of `torchvision.datasets` for the datasets of the registry."""

from dshub.compat.torchvision.files import (
    DTD,
    SUN397,
    Caltech101,
    Caltech256,
    EuroSAT,
    FGVCAircraft,
    Flowers102,
    Food101,
    ImageNet,
    Imagenette,
    OxfordIIITPet,
    Places365,
    StanfordCars,
)
from dshub.compat.torchvision.folders import DatasetFolder, ImageFolder
from dshub.compat.torchvision.pixels import (
    CIFAR10,
    CIFAR100,
    EMNIST,
    KMNIST,
    MNIST,
    QMNIST,
    STL10,
    SVHN,
    USPS,
    FashionMNIST,
)
from dshub.compat.torchvision.vision import VisionDataset

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "DTD",
    "EMNIST",
    "KMNIST",
    "MNIST",
    "QMNIST",
    "STL10",
    "SUN397",
    "SVHN",
    "USPS",
    "Caltech101",
    "Caltech256",
    "DatasetFolder",
    "EuroSAT",
    "FGVCAircraft",
    "FashionMNIST",
    "Flowers102",
    "Food101",
    "ImageFolder",
    "ImageNet",
    "Imagenette",
    "OxfordIIITPet",
    "Places365",
    "StanfordCars",
    "VisionDataset",
]


def __getattr__(name: str) -> object:
    """Explain classes that the registry has no dataset for."""
    if name[:1].isupper():  # an AttributeError would lose its message in `from … import`
        raise ImportError(
            f"dshub has no dataset for {name}; import it from torchvision.datasets", name=name
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
