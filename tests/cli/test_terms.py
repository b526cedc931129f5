"""Test that the terms of a dataset are shown once and the answer is remembered."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dshub import Hub, Settings
from dshub.errors import ManualStepError, TermsError
from dshub.progress import Silent
from tests.commandline import run_on_terminal

Run = Callable[..., subprocess.CompletedProcess[str]]

WORDS = "for research only; you must not sell the images"


@pytest.fixture
def registry_with_terms(registry: Path) -> Path:
    """Add terms to `tiny/one` and return the registry."""
    set_terms(registry, WORDS)
    return registry


def set_terms(registry: Path, words: str) -> None:
    path = registry / "tiny" / "one" / "1.0.0.toml"
    text = path.read_text().partition("[license]")[0]
    path.write_text(
        f'{text}\n[license]\nsource = "https://data.example/terms"\nterms = "{words}"\n'
    )


def load(cache: Path, registry: Path) -> int:
    settings = Settings.read(cache=cache, registry=[registry])
    return len(Hub(settings=settings, progress=Silent()).load("tiny/one", "train"))


def test_error_without_a_terminal_shows_how_to_accept_terms(
    dshub: Run, registry_with_terms: Path, cache: Path
) -> None:
    done = dshub("fetch", "tiny/one")
    assert done.returncode == 7
    assert WORDS in done.stderr
    assert "DSHUB_ACCEPT_TERMS=tiny/one" in done.stderr
    assert not list(cache.glob("blobs-v1/*/*"))
    with pytest.raises(TermsError, match=WORDS):
        load(cache, registry_with_terms)


@pytest.mark.parametrize("answer", ["tiny/one", "mnist, tiny/one", "tiny", "TINY/One"])
def test_environment_variable_accepts_terms(
    dshub: Run, registry_with_terms: Path, cache: Path, answer: str
) -> None:
    """The variable names a dataset or its family. Cached files need no acceptance."""
    assert dshub("fetch", "tiny/one", DSHUB_ACCEPT_TERMS="tiny/two").returncode == 7
    assert dshub("fetch", "tiny/one", DSHUB_ACCEPT_TERMS=answer).returncode == 0
    assert load(cache, registry_with_terms) == 3
    assert dshub("fetch", "tiny/one").returncode == 0


def test_terms_are_shown_only_before_a_download(dshub: Run, registry_with_terms: Path) -> None:
    assert dshub("fetch", "tiny/two").returncode == 0
    assert dshub("info", "tiny/one").returncode == 0
    assert dshub("fetch", "tiny/one", "--dry-run").returncode == 0
    assert dshub("fetch", "tiny/one", DSHUB_SYNTHETIC="2").returncode == 0


def test_terms_do_not_change_the_digest(registry: Path) -> None:
    hub = Hub(settings=Settings.read(registry=[registry]), progress=Silent())
    before = hub.info("tiny/one").digest
    set_terms(registry, WORDS)
    after = Hub(settings=Settings.read(registry=[registry]), progress=Silent()).info("tiny/one")
    assert after.license.terms == WORDS
    assert after.digest == before


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
def test_accepted_terms_are_remembered(dshub: Run, registry_with_terms: Path, cache: Path) -> None:
    """Users are asked again only if the terms change."""
    done = run_on_terminal("fetch", "tiny/one", typed="n\n")
    assert done.returncode == 7
    assert WORDS in done.stdout
    assert "https://data.example/terms" in done.stdout
    assert run_on_terminal("fetch", "tiny/one", typed="y\n").returncode == 0
    for blob in cache.glob("blobs-v1/*/*"):
        blob.unlink()
    assert dshub("fetch", "tiny/one").returncode == 0
    for blob in cache.glob("blobs-v1/*/*"):
        blob.unlink()
    set_terms(registry_with_terms, "now also: be kind")
    assert dshub("fetch", "tiny/one").returncode == 7
    assert dshub("cache", "gc").returncode == 0


MANUAL = """
schema = 1
name = "by/hand"
version = "1.0.0"
title = "By hand"
summary = "Lines that a person must obtain."
task = "text"
homepage = "https://data.example"
license.terms = "for research only"
features.text = { kind = "text" }
"""


@pytest.fixture
def manual_registry(tmp_path: Path) -> Path:
    """Write a registry with a manually downloaded dataset that has terms."""
    text = MANUAL
    for split, data in (("train", b"a\nb\n"), ("test", b"c\nd\n")):
        (tmp_path / f"{split}.txt").write_bytes(data)
        text += f"""
[resources.{split}]
filename = "{split}.txt"
sha256 = "{hashlib.sha256(data).hexdigest()}"
access = "manual"
instructions = "Ask its author."
[splits.{split}]
rows = 2
reader = {{ format = "lines" }}
files = {{ text = "{split}" }}
"""
    path = tmp_path / "registry" / "by" / "hand" / "1.0.0.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return tmp_path / "registry"


def test_imported_files_need_no_accepted_terms(
    manual_registry: Path, tmp_path: Path, cache: Path
) -> None:
    """Files that users download themselves need no accepted terms."""
    settings = Settings.read(cache=cache, registry=[manual_registry])
    hub = Hub(settings=settings, progress=Silent())
    hub.import_files("by/hand", [tmp_path / "train.txt"])
    assert list(hub.load("by/hand", "train")["text"]) == ["a", "b"]
    with pytest.raises(ManualStepError, match="Ask its author"):
        hub.load("by/hand", "test")


def test_manual_files_of_a_mirror_need_accepted_terms(
    manual_registry: Path, tmp_path: Path, cache: Path
) -> None:
    """Files on a mirror are copies from other users. A cached split needs no acceptance."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    settings = Settings.read(cache=cache, registry=[manual_registry], mirrors=[str(mirror)])
    hub = Hub(settings=settings, progress=Silent())
    hub.import_files("by/hand", [tmp_path / "train.txt"])
    assert len(hub.load("by/hand", "train")) == 2
    with pytest.raises(TermsError, match="for research only"):
        hub.load("by/hand", "test")
