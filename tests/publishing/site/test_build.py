import os
from pathlib import Path

import msgspec
import pytest

from dshub.cache.store import Store
from dshub.catalog.manifest import Manifest
from dshub.catalog.registry import Registry
from dshub.errors import StoreError, UnknownNameError
from dshub.publishing.site.build import build
from tests.independent.pages import read


def registry_of(*manifests: Manifest) -> Registry:
    return Registry(manifests=manifests, built_in=False)


def content(target: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder."""
    files = (path for path in sorted(target.rglob("*")) if path.is_file())
    return {path.relative_to(target).as_posix(): path.read_bytes() for path in files}


def second(tiny: Manifest) -> Manifest:
    """Return a second dataset that belongs to a family."""
    return msgspec.structs.replace(tiny, name="family/other", title="Other")


def test_same_inputs_give_same_bytes(tiny: Manifest, tmp_path: Path) -> None:
    for name in ("a", "b"):
        store = Store(tmp_path / f"cache-{name}")
        build(registry_of(tiny, second(tiny)), store, tmp_path / name)
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_second_run_writes_nothing(tiny: Manifest, store: Store, target: Path) -> None:
    first = build(registry_of(tiny), store, target)
    before = {path: path.stat().st_ino for path in target.rglob("*") if path.is_file()}
    again = build(registry_of(tiny), store, target)
    assert len(first.written) == len(before) == again.kept
    assert not again.written
    assert {path: path.stat().st_ino for path in before} == before


def test_only_changes_are_written(tiny: Manifest, store: Store, target: Path) -> None:
    """A new summary changes the page of the dataset and the front page."""
    build(registry_of(tiny, second(tiny)), store, target)
    changed = msgspec.structs.replace(tiny, summary="Three good images.")
    again = build(registry_of(changed, second(tiny)), store, target)
    assert [str(name) for name in again.written] == ["site/tiny/index.html", "index.html"]


def test_pages_of_removed_datasets_are_removed(tiny: Manifest, store: Store, target: Path) -> None:
    build(registry_of(tiny, second(tiny)), store, target)
    again = build(registry_of(tiny), store, target)
    assert [str(name) for name in again.removed] == [
        "site/family/other/index.html",
        "site/family/other/card.webp",
    ]
    assert not (target / "site" / "family").exists()
    assert (target / "site" / "tiny" / "index.html").exists()


def test_foreign_pages_are_not_replaced(tiny: Manifest, store: Store, target: Path) -> None:
    target.mkdir()
    (target / "index.html").write_text("<h1>Mine</h1>")
    with pytest.raises(StoreError, match="dshub did not write this page") as caught:
        build(registry_of(tiny), store, target)
    assert "empty folder" in caught.value.hint
    assert content(target) == {"index.html": b"<h1>Mine</h1>"}
    (target / "index.html").unlink()
    (target / "site" / "mine").mkdir(parents=True)
    (target / "site" / "mine" / "index.html").write_text("<h1>Mine</h1>")
    build(registry_of(tiny), store, target)
    assert (target / "site" / "mine" / "index.html").read_text() == "<h1>Mine</h1>"


def test_family_selects_all_members(store: Store, target: Path) -> None:
    with pytest.raises(UnknownNameError):
        build(Registry(), store, target, names=["mnits"])
    assert not target.exists()
    build(Registry(), store, target, names=["wine-quality", "iris"])
    pages = [path.parent.name for path in sorted((target / "site").rglob("index.html"))]
    assert pages == ["iris", "red", "white"]


def test_unreadable_rows_do_not_stop_the_build(tiny: Manifest, store: Store, target: Path) -> None:
    """The page has no samples, and a note gives the reason."""
    reader = {"format": "idx", "nonsense": 1}
    broken = {
        name: msgspec.structs.replace(split, reader=reader) for name, split in tiny.splits.items()
    }
    bad = msgspec.structs.replace(tiny, name="broken", splits=broken)
    built = build(registry_of(bad, tiny), store, target)
    assert len(built.notes) == 1
    assert built.notes[0].startswith("broken, split train: no sample rows:")
    page = read(target / "site" / "broken" / "index.html")
    assert "No sample rows available." in page.texts("p")
    assert read(target / "site" / "tiny" / "index.html").all("img")


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot detect killed processes")
def test_leftovers_of_killed_runs_are_removed(
    tiny: Manifest, store: Store, target: Path, tmp_path: Path
) -> None:
    import subprocess
    import sys

    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "sys.argv[1:]\n"
        "from dshub.cache.owners import own_name\n"
        "below = Path(sys.argv[1]) / 'site' / 'tiny'; below.mkdir(parents=True)\n"
        "(below / own_name('writing-index-html')).write_text('half')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(target)], check=False)
    (leftover,) = target.rglob("writing-*")
    build(registry_of(tiny), store, target)
    assert not leftover.exists()


def test_unwritable_target_is_an_error(tiny: Manifest, store: Store, tmp_path: Path) -> None:
    """The error names the file at the path of the folder."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"):
        build(registry_of(tiny), store, tmp_path / "file" / "pages")
