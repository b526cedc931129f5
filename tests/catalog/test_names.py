"""Test names in other spellings."""

import pytest

from dshub import Registry
from dshub.catalog.names import Aliases, closest, members_of, natural_order, plain, spelled
from dshub.catalog.sources import ManifestSource
from dshub.errors import UnknownNameError
from tests.manifests import label_split, make_manifest, make_resource


def registry_of(*names: str) -> Registry:
    """Return a registry of datasets with these names."""
    files, splits = {"labels": make_resource(b"labels")}, {"train": label_split(3)}
    manifests = [make_manifest(files, splits=splits, name=name) for name in names]
    return Registry(built_in=False, sources=[ManifestSource(manifests)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fashion-MNIST", "fashionmnist"),
        ("GLUE/SST_2", "glue/sst2"),
        ("T-shirt / top", "tshirt/top"),
        ("\u00c9t\u00e9 1", "\u00e9t\u00e91"),
        ("--", ""),
    ],
)
def test_plain_spelling_has_no_case_blanks_and_punctuation(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_exact_name_is_preferred_to_other_spellings() -> None:
    assert spelled("a_b", ["a-b", "a_b"]) == ["a_b"]
    assert spelled("AB", ["a-b", "a_b", "c"]) == ["a-b", "a_b"]
    assert spelled("-", ["-+", "a"]) == []


def test_aliases_are_found_in_any_spelling() -> None:
    aliases = Aliases({"one": ["owner/one", "two"], "two": [], "family/x": ["owner/family/x"]})
    assert aliases.find("TWO") == aliases.find("Owner/One") == ["one"]
    assert aliases.find("one") == []
    assert aliases.members("Owner/Family") == ["family/x"]
    assert aliases.members("other") == []


def test_members_of_a_family_are_sorted_by_number() -> None:
    names = ["a-b/10", "a-b/9", "a-b", "ab2/1"]
    assert members_of("AB", names) == ["a-b/9", "a-b/10"]


def test_family_is_expanded_without_reading_manifests(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = registry_of("pair/a", "pair/b")
    monkeypatch.setattr(ManifestSource, "texts", None)
    assert registry.expand(["Pair"]) == ["pair/a", "pair/b"]


@pytest.mark.parametrize(
    "typed", ["cifar10", "CIFAR-10", "Cifar_10", "cifar 10", "uoft-cs/CIFAR10"]
)
def test_registry_accepts_any_spelling(typed: str) -> None:
    registry = Registry()
    assert registry.manifest(typed).name == "cifar-10"
    assert registry.resolve(f"{typed}@1.0.0") == "cifar-10@1.0.0"
    assert registry.expand([typed, "cifar-10"]) == ["cifar-10"]
    assert registry.versions(typed) == ["1.0.0"]


def test_names_that_differ_only_in_spelling_are_ambiguous() -> None:
    registry = registry_of("own-set", "own_set")
    assert registry.manifest("own_set").name == "own_set"
    with pytest.raises(UnknownNameError, match="no single dataset named 'OwnSet'") as caught:
        registry.manifest("OwnSet")
    assert "own-set or own_set" in caught.value.hint


def test_family_of_one_dataset_means_the_dataset() -> None:
    registry = registry_of("single/only", "pair/a", "pair/b")
    assert registry.resolve("Single") == "single/only"
    assert registry.resolve("pair") == "pair"
    assert registry.members("PAIR") == registry.expand(["Pair"]) == ["pair/a", "pair/b"]


def test_unknown_name_stays_unchanged() -> None:
    assert Registry().resolve("no-such-set@2.0.0") == "no-such-set@2.0.0"


def test_closest_names_are_sorted_by_number() -> None:
    names = ["cifar-100", "cifar-10", "mnist"]
    assert closest("cifar", names) == ["cifar-10", "cifar-100"]
    assert closest("zzz", names) == []
    assert sorted(names, key=natural_order) == ["cifar-10", "cifar-100", "mnist"]
