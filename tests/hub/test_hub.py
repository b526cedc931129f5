import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from msgspec.structs import replace

import dshub
from dshub import Dataset, Hub, Registry, Settings
from dshub.catalog.sources import built_in_root
from dshub.errors import ArgumentError, OfflineError, SplitError, UnknownNameError
from dshub.progress import Silent

if TYPE_CHECKING:
    from tests.hub.conftest import World

ROWS = 53

Row = tuple[bytes, int]


def rows(dataset: Dataset) -> list[Row]:
    return [(row["image"].tobytes(), row["label"]) for row in dataset]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """Return a hub that generates its synthetic data once for this module."""
    settings = Settings.read(
        environment={}, cache=tmp_path_factory.mktemp("shared"), synthetic=ROWS, offline=True
    )
    return Hub(settings=settings, progress=Silent())


@pytest.fixture
def offline(cache: Path) -> Hub:
    """Return an offline hub with an empty cache."""
    return Hub(settings=Settings.read(cache=cache, offline=True), progress=Silent())


Lists = Callable[[list[Row], list[Row]], list[Row]]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("train", lambda train, _: train),
        ("train[:10%]", lambda train, _: train[:5]),
        ("train[10:20]", lambda train, _: train[10:20]),
        ("train[-5:]", lambda train, _: train[-5:]),
        ("train[50%:]", lambda train, _: train[26:]),
        ("train[:1000]", lambda train, _: train),
        ("train[7:7]", lambda *_: []),
        ("train[60:]", lambda *_: []),
        ("train+test", lambda train, test: train + test),
        ("test+train", lambda train, test: test + train),
        ("train+train", lambda train, _: train + train),
        ("train[:5]+train[5:]", lambda train, _: train),
        ("train[5:]+train[:5]", lambda train, _: train[5:] + train[:5]),
        ("test[:3]+train[:3]", lambda train, test: test[:3] + train[:3]),
        ("train[:0]+test[-2:]+train[1:3]", lambda train, test: test[-2:] + train[1:3]),
        ("train[:0]+test[:0]", lambda *_: []),
    ],
)
def test_split_expressions(shared: Hub, expression: str, expected: Lists) -> None:
    train, test = rows(shared.load("mnist", "train")), rows(shared.load("mnist", "test"))
    assert len({*train, *test}) == 2 * ROWS
    assert rows(shared.load("mnist", expression)) == expected(train, test)


def test_load_without_a_split_returns_all(shared: Hub) -> None:
    splits = shared.load("mnist")
    assert list(splits) == ["train", "test"]
    assert "train" in splits
    assert "valid" not in splits
    assert splits.get("valid") is None
    assert splits.manifest is not None
    assert splits.manifest.name == "mnist"
    for name, dataset in splits.items():
        assert rows(dataset) == rows(shared.load("mnist", name))
    assert splits["train"] is splits["train"]


def test_splits_open_on_first_use(offline: Hub, cache: Path) -> None:
    splits = offline.load("mnist")
    assert (len(splits), "train" in splits, list(splits)) == (2, True, ["train", "test"])
    assert "60,000" in repr(splits)
    assert not cache.exists()
    with pytest.raises(OfflineError):
        splits["train"]


def test_splits_are_read_only(shared: Hub) -> None:
    splits: Any = shared.load("mnist")
    with pytest.raises(TypeError):
        splits["train"] = splits["test"]
    with pytest.raises(TypeError):
        del splits["train"]


def test_load_data_returns_the_pairs_of_keras(shared: Hub) -> None:
    (x_train, y_train), (x_test, y_test) = shared.load_data("mnist")
    for x, y, split in [(x_train, y_train, "train"), (x_test, y_test, "test")]:
        dataset = shared.load("mnist", split)
        assert np.array_equal(x, dataset["image"][..., 0])
        assert np.array_equal(y, dataset["label"])
        assert (x.dtype.name, x.shape, y.dtype.name) == ("uint8", (ROWS, 28, 28), "uint8")
        x[:] = 0
        y[:] = 0
    assert shared.load("mnist", "train")[[0, 1, 2]]["image"].any()


def test_load_data_without_a_supervised_pair_is_rejected(tmp_path: Path) -> None:
    manifest = dshub.info("mnist")
    text = (built_in_root() / "mnist" / f"{manifest.version}.toml").read_text("utf-8")
    folder = tmp_path / "registry" / "unpaired"
    folder.mkdir(parents=True)
    changed = text.replace('name = "mnist"', 'name = "unpaired"')
    (folder / f"{manifest.version}.toml").write_text(
        changed.replace('supervised = ["image", "label"]\n', ""), encoding="utf-8"
    )
    hub = Hub(registry=Registry([tmp_path / "registry"]), progress=Silent())
    with pytest.raises(ValueError, match=r"unpaired.* defines \(x, y\)"):
        hub.load_data("unpaired", synthetic=5)


@pytest.mark.parametrize("columns", [["label"], ["label", "image"], "label"])
def test_columns_are_selected_in_order(shared: Hub, columns: Any) -> None:
    expected = [columns] if isinstance(columns, str) else columns
    for dataset in (
        shared.load("mnist", "train", columns=columns),
        shared.load("mnist", "test[:3]+train", columns=columns),
        shared.load("mnist", columns=columns)["test"],
    ):
        assert list(dataset.features) == list(dataset[0]) == expected


def test_synthetic_sets_the_number_of_rows(hub: Hub) -> None:
    """The argument overrides the settings; a split with fewer published rows keeps its size."""
    dataset = hub.load("mnist", "train", synthetic=7)
    assert len(dataset) == 7
    assert dataset.manifest is not None
    assert dataset.manifest.synthetic
    assert len(hub.load("mnist", "test", synthetic=10_500)) == 10_000


def test_synthetic_zero_disables_synthetic_data(cache: Path) -> None:
    hub = Hub(settings=Settings.read(cache=cache, synthetic=5, offline=True), progress=Silent())
    assert len(hub.load("mnist", "train")) == 5
    with pytest.raises(OfflineError):
        hub.load("mnist", "train", synthetic=0)


@pytest.mark.parametrize("synthetic", [-1, True, False, "5", 2.5])
def test_invalid_number_of_synthetic_rows_is_rejected(
    hub: Hub, synthetic: Any, cache: Path
) -> None:
    with pytest.raises(ValueError, match=r"synthetic is .* a whole number of at least 0"):
        hub.load("mnist", "train", synthetic=synthetic)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("arguments", "words", "hint"),
    [
        (("mnits", "train"), "no dataset named 'mnits'", "did you mean mnist?"),
        (("mnist@9.9.9", "train"), "no version of mnist named '9.9.9'", "choose from 1.0.0"),
        (
            ("owner/mnist", "train"),
            "no dataset named",
            'mnist? load("hf:owner/mnist")',
        ),
        (
            ("glue", "train"),
            "no single dataset named 'glue'",
            "dataset of this family: glue/ax, glue/cola",
        ),
        (
            ("mnist", "trian"),
            "no split of mnist named 'trian'",
            "did you mean train?",
        ),
        (
            ("glue/mnli", "val[:5]"),
            "no split of glue/mnli named 'val'",
            "did you mean validation_matched or validation_mismatched?",
        ),
        (
            ("mnist", "train+valid[:5]"),
            "no split of mnist named 'valid'",
            "choose from train, test",
        ),
        (("mnist", "valid"), "no split of mnist named 'valid'", "train[90%:] to hold out a part"),
        (("mnist", "all"), "no split of mnist named 'all'", "use train+test for all splits"),
        (("mnist", "train", "lable"), "no column named 'lable'", "choose from image, label"),
        (("mnist", None, "lable"), "no column named 'lable'", "did you mean label?"),
        (("mnist", "train", "test"), "no column named 'test'", 'load("mnist", "test")'),
    ],
)
def test_unknown_name_is_rejected_before_any_download(
    offline: Hub, cache: Path, arguments: tuple[Any, ...], words: str, hint: str
) -> None:
    name, split, *columns = arguments
    with pytest.raises(UnknownNameError) as caught:
        offline.load(name, split, columns=columns or None)
    assert words in str(caught.value)
    assert hint in caught.value.hint
    assert not cache.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("GLUE/SST-2", "val"),
        ("glue", "sst2", "dev"),
        ("glue", "SST2", "Validation"),
        ("nyu-mll/glue", "sst2", "validation"),
        ("glue/sst2:valid",),
    ],
)
def test_names_members_and_splits_are_accepted_in_any_spelling(
    shared: Hub, arguments: tuple[str, ...]
) -> None:
    expected = shared.load("glue/sst2", "validation")
    assert list(shared.load(*arguments)["sentence"]) == list(expected["sentence"])


def test_family_and_member_without_a_split_load_all_splits(shared: Hub) -> None:
    assert [*shared.load("glue", "sst2", split=None)] == ["train", "validation", "test"]
    assert len(shared.load("glue", "sst2", split="dev[:5]+train[:3]")) == 8


def test_splits_of_the_mapping_are_accepted_in_any_spelling(shared: Hub) -> None:
    splits = shared.load("glue/sst2")
    assert splits["val"] is splits["VALIDATION"] is splits["validation"]
    assert "dev" in splits
    assert "extra" not in splits


def test_second_split_is_rejected(shared: Hub) -> None:
    with pytest.raises(ArgumentError, match="one split after the name"):
        shared.load("glue", "sst2", "train", split="test")


def test_folder_of_one_manifest_loads_it(shared: Hub) -> None:
    folder = built_in_root() / "mnist"
    assert rows(shared.load(f"{folder}", "test")) == rows(shared.load("mnist", "test"))


def test_unknown_split_of_the_mapping_is_rejected(shared: Hub) -> None:
    splits = shared.load("mnist")
    with pytest.raises(UnknownNameError, match="no split of mnist named 'train"):
        splits["train[:5]"]
    with pytest.raises(KeyError):
        splits["valid"]


def test_malformed_split_is_rejected(offline: Hub) -> None:
    with pytest.raises(SplitError):
        offline.load("mnist", "train[:10")


def test_site_caches_are_read(tmp_path: Path) -> None:
    sites = {"mnist": tmp_path / "a", "fashion-mnist": tmp_path / "b"}
    expected = {}
    for name, folder in sites.items():
        site_hub = Hub(settings=Settings.read(cache=folder, synthetic=9), progress=Silent())
        expected[name] = rows(site_hub.load(name, "train"))
    own = tmp_path / "own"
    settings = Settings.read(
        cache=own, site_caches=tuple(sites.values()), synthetic=9, offline=True
    )
    hub = Hub(settings=settings, progress=Silent())
    assert {name: rows(hub.load(name, "train")) for name in sites} == expected
    assert not list(own.rglob("*.arrow"))


def test_versions_with_the_same_rows_keep_their_own_manifests(world: "World") -> None:
    old = world.manifests["solo"]
    new = replace(old, version="1.0.1", title="Corrected")
    world.manifests = {"old": old, "new": new}
    assert world.hub.load("solo@1.0.0", "train").manifest == old
    later = world.hub.load("solo@1.0.1", "train")
    assert later.manifest == new
    assert pickle.loads(pickle.dumps(later)).manifest == new
    assert world.hub.load("solo", "train[:5]+train[7:]").manifest == new
