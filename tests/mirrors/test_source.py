"""Datasets of mirrors next to those of folders."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dshub import Hub, Manifest, Settings
from dshub.cache.paths import blob_path
from dshub.catalog.parsing import parse
from dshub.catalog.sources import built_in_root
from dshub.errors import DshubError, UnknownNameError
from dshub.mirrors.index import Index, entry_of
from dshub.progress import Silent

MNIST = (built_in_root() / "mnist" / "1.0.0.toml").read_text(encoding="utf-8")

Publish = Callable[..., str]


@pytest.fixture
def publish(tmp_path: Path) -> Publish:
    """Makes a mirror of some manifests, without their files, and returns its address."""

    def make(folder: str, *texts: str) -> str:
        entries = []
        for text in texts:
            entry = entry_of(parse(text, source="test"), text.encode(), {})
            path = tmp_path / folder / blob_path(entry.manifest.checksum)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
            entries.append(entry)
        (tmp_path / folder / "index.json").write_bytes(Index.of(entries).encode())
        return str(tmp_path / folder)

    return make


def hub(cache: Path, *mirrors: str, **settings: Any) -> Hub:
    """A hub with mirrors."""
    chosen = Settings.read(environment={}, cache=cache, mirrors=list(mirrors), **settings)
    return Hub(settings=chosen, progress=Silent())


def own(name: str, version: str = "1.0.0", word: str = "handwritten") -> str:
    """A manifest like that of MNIST, under another name."""
    text = MNIST.replace('name = "mnist"', f'name = "{name}"').replace("handwritten", word)
    return text.replace('version = "1.0.0"', f'version = "{version}"')


def other_rows(text: str) -> str:
    """The same manifest with other rows."""
    changed = text.replace("rows = 60000", "rows = 50000")
    lines = [line for line in changed.splitlines() if not line.startswith("figures")]
    return "\n".join(lines)


def test_dataset_of_a_mirror_is_found_like_any_other(publish: Publish, cache: Path) -> None:
    mirror = publish("m", own("team/a"), own("team/b", "1.0.0"), own("team/b", "1.10.0", "inked"))
    mine = hub(cache, mirror)
    assert {"mnist", "team/a", "team/b"} <= set(mine.names())
    assert mine.registry.versions("team/b") == ["1.10.0", "1.0.0"]
    assert mine.info("team/b").version == "1.10.0"
    assert mine.info("team/b@1.0.0") == parse(own("team/b"), source="x")
    assert mine.registry.expand(["team", "mnist"]) == ["team/a", "team/b", "mnist"]
    assert [item.name for item in mine.registry.listing(["inked"])] == ["team/b"]
    names = [item.name for item in mine.registry.listing()]
    assert names == mine.names()
    with pytest.raises(UnknownNameError, match=r"version of team/b named '3\.0\.0'"):
        mine.info("team/b@3.0.0")


def test_misspelled_name_is_suggested(publish: Publish, cache: Path) -> None:
    with pytest.raises(UnknownNameError) as caught:
        hub(cache, publish("m", own("team/penguins"))).info("team/pengiuns")
    assert caught.value.close == ("team/penguins",)


def test_other_rows_under_the_same_name_are_a_conflict(publish: Publish, cache: Path) -> None:
    mirror = publish("m", other_rows(MNIST))
    with pytest.raises(
        DshubError, match=r"two different manifests have the name mnist@1\.0\.0"
    ) as e:
        hub(cache, mirror).info("mnist")
    assert mirror in str(e.value)
    assert "DSHUB_PREFER=local" in e.value.hint
    assert "DSHUB_PREFER=mirror" in e.value.hint
    assert hub(cache, mirror, prefer="local").info("mnist").splits["train"].rows == 60000
    assert hub(cache, mirror, prefer="mirror").info("mnist").splits["train"].rows == 50000
    assert hub(cache, mirror).info("kmnist").name == "kmnist"  # other datasets work


def test_conflict_is_found_before_anything_is_fetched(publish: Publish, cache: Path) -> None:
    from dshub.mirrors.serve.server import serving

    with serving(Path(publish("m", other_rows(MNIST)))) as url:
        mine = hub(cache, url)
        assert mine.info("mnist").splits["train"].rows == 60000  # it was not asked yet
        for work in (mine.fetch, mine.load):
            with pytest.raises(DshubError, match="two different manifests"):
                work("mnist") if work == mine.fetch else mine.load("mnist", "train")
    assert not list(cache.glob("blobs-v1/*/*"))


def test_other_words_for_the_same_rows_are_not_a_conflict(publish: Publish, cache: Path) -> None:
    """A mirror of last year may have old URLs: the folder's manifest counts."""
    mirror = publish("m", own("mnist", word="hand-drawn"))
    assert "handwritten" in hub(cache, mirror).info("mnist").summary
    assert "hand-drawn" in hub(cache, mirror, prefer="mirror").info("mnist").summary


def test_newer_version_of_a_mirror_must_be_named(publish: Publish, cache: Path) -> None:
    mine = hub(cache, publish("m", own("mnist", "2.0.0", "newer")))
    assert mine.info("mnist").version == "1.0.0"
    assert "newer" in mine.info("mnist@2.0.0").summary
    assert mine.registry.versions("mnist") == ["2.0.0", "1.0.0"]
    assert hub(cache, *mine.settings.mirrors, prefer="mirror").info("mnist").version == "2.0.0"


def test_two_mirrors_with_other_rows_are_a_conflict(publish: Publish, cache: Path) -> None:
    one = publish("one", own("team/a"))
    two = publish("two", other_rows(own("team/a")))
    with pytest.raises(DshubError, match="two different manifests") as caught:
        hub(cache, one, two).info("team/a")
    assert one in str(caught.value)
    assert two in str(caught.value)
    assert hub(cache, two, one, prefer="mirror").info("team/a").splits["train"].rows == 50000
    assert hub(cache, one, one).info("team/a").splits["train"].rows == 60000


def test_unreachable_mirror_hides_nothing_else(
    cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dead = "http://127.0.0.1:9"
    with caplog.at_level(logging.WARNING):
        assert "mnist" in hub(cache, dead).names()
    assert dead in caplog.text
    with pytest.raises(UnknownNameError) as caught:
        hub(cache, dead).info("team/a")
    assert dead in caught.value.hint


def test_served_cache_lists_nothing(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert hub(cache, str(tmp_path / "other")).names() == hub(cache).names()


def test_offline_uses_the_kept_index(publish: Publish, cache: Path) -> None:
    from dshub.mirrors.serve.server import serving

    folder = publish("m", own("team/a"))
    with serving(Path(folder)) as url:
        assert hub(cache, url).info("team/a").name == "team/a"
        away = hub(cache, url, offline=True)
        assert "team/a" in away.names()
        assert away.info("team/a").name == "team/a"
        nothing = hub(cache / "other", url, offline=True)
        assert "team/a" not in nothing.names()
    assert "team/a" in hub(cache / "third", folder, offline=True).names()


def test_manifest_of_another_name_than_in_the_index_is_refused(
    publish: Publish, tmp_path: Path, cache: Path
) -> None:
    text = own("team/a")
    manifest: Manifest = parse(own("team/b"), source="test")
    entry = entry_of(manifest, text.encode(), {})
    mirror = publish("m", text)
    (tmp_path / "m" / "index.json").write_bytes(Index.of([entry]).encode())
    with pytest.raises(
        DshubError, match=r"it is team/a@1\.0\.0, but the index says team/b@1\.0\.0"
    ):
        hub(cache, mirror).info("team/b")


def test_pruning_keeps_manifests_and_asks_no_mirror(publish: Publish, cache: Path) -> None:
    from dshub.mirrors.serve.server import serving

    with serving(Path(publish("m", own("team/a")))) as url:
        hub(cache, url).info("team/a")
    away = hub(cache, url, offline=True)
    away.cache.prune(max_size=0)
    assert away.info("team/a").name == "team/a"
    assert not [path for path in (cache / "blobs-v1").rglob("*") if path.is_file()]
