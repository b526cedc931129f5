"""Find datasets by the names that other libraries use."""

from collections import Counter
from pathlib import Path

import pytest

from dshub import Registry
from dshub.catalog.names import plain
from tests.commandline import run_dshub

QUERIES = [  # names of torchvision, torchtext, TensorFlow Datasets, Keras and Hugging Face
    ("MNIST", "mnist"),
    ("FashionMNIST", "fashion-mnist"),
    ("KMNIST", "kmnist"),
    ("QMNIST", "qmnist"),
    ("CIFAR10", "cifar-10"),
    ("cifar100", "cifar-100"),
    ("SVHN", "svhn"),
    ("svhn_cropped", "svhn"),
    ("STL10", "stl-10"),
    ("USPS", "usps"),
    ("ImageNet", "imagenet-1k"),
    ("imagenet2012", "imagenet-1k"),
    ("Food101", "food-101"),
    ("Flowers102", "flowers-102"),
    ("oxford_flowers102", "flowers-102"),
    ("OxfordIIITPet", "oxford-iiit-pet"),
    ("StanfordCars", "stanford-cars"),
    ("cars196", "stanford-cars"),
    ("FGVCAircraft", "fgvc-aircraft"),
    ("Caltech101", "caltech-101"),
    ("Caltech256", "caltech-256"),
    ("caltech_birds2011", "cub-200-2011"),
    ("SUN397", "sun397"),
    ("DTD", "dtd"),
    ("EuroSAT", "eurosat/rgb"),
    ("Places365", "places365/small"),
    ("ylecun/mnist", "mnist"),
    ("uoft-cs/cifar10", "cifar-10"),
    ("imdb_reviews", "imdb"),
    ("stanfordnlp/imdb", "imdb"),
    ("ag_news_subset", "ag-news"),
    ("YelpReviewPolarity", "yelp-polarity"),
    ("YelpReviewFull", "yelp-review-full"),
    ("DBpedia", "dbpedia-14"),
    ("rajpurkar/squad", "squad"),
    ("squad_v2", "squad-v2"),
    ("SQuAD2", "squad-v2"),
    ("sst2", "glue/sst2"),
    ("nyu-mll/glue", "glue/ax"),
    ("WikiText2", "wikitext/wikitext-2-v1"),
    ("PennTreebank", "ptb"),
    ("tiny_shakespeare", "tiny-shakespeare"),
    ("multi_nli", "multi-nli"),
    ("CoNLL-2003", "conll2003"),
    ("super_glue/boolq", "superglue/boolq"),
    ("speech_commands_v0.02", "speech-commands/v0.02"),
    ("wine_quality/red", "wine-quality/red"),
    ("emnist/letters", "emnist/letters"),
    ("imagenet_v2/matched-frequency", "imagenet-v2/matched-frequency"),
    ("GLUE", "glue/ax"),
]
MANIFESTS = list(Registry().manifests())


@pytest.mark.parametrize(("query", "name"), QUERIES)
def test_search_finds_a_dataset_by_its_name_elsewhere(query: str, name: str) -> None:
    """The dataset is first in the list."""
    assert Registry().listing([query])[0].name == name


@pytest.mark.parametrize(("query", "name"), QUERIES)
def test_dataset_loads_by_its_name_elsewhere(query: str, name: str) -> None:
    """A family expands to its datasets."""
    assert Registry().expand([query])[0] == name


def test_names_and_aliases_are_unique_in_every_spelling() -> None:
    names = [plain(item.name) for item in MANIFESTS]
    names += {plain(item.name.partition("/")[0]) for item in MANIFESTS if "/" in item.name}
    counts = Counter([*names, *(plain(name) for item in MANIFESTS for name in item.aliases)])
    assert [name for name, count in counts.items() if count > 1] == []


def test_search_command_prints_the_best_match_first(tmp_path: Path) -> None:
    done = run_dshub(tmp_path, "search", "imdb_reviews")
    assert done.stdout.splitlines()[1].startswith("imdb ")
