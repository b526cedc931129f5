"""Writing a catalogue into a folder: once, again, after a change, and where others write too."""

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


def listing(*manifests: Manifest) -> Registry:
    """A registry of these."""
    return Registry(manifests=manifests, built_in=False)


def content(target: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    files = (path for path in sorted(target.rglob("*")) if path.is_file())
    return {path.relative_to(target).as_posix(): path.read_bytes() for path in files}


def second(tiny: Manifest) -> Manifest:
    """Another member of a family."""
    return msgspec.structs.replace(tiny, name="family/other", title="Other")


def test_the_same_inputs_give_the_same_bytes(tiny: Manifest, tmp_path: Path) -> None:
    """Two people with the same registry write the same files, whatever is in their caches."""
    for name in ("a", "b"):
        store = Store(tmp_path / f"cache-{name}")
        build(listing(tiny, second(tiny)), store, tmp_path / name)
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_writing_again_touches_nothing(tiny: Manifest, store: Store, target: Path) -> None:
    """Where nothing changed, no file is replaced."""
    first = build(listing(tiny), store, target)
    before = {path: path.stat().st_ino for path in target.rglob("*") if path.is_file()}
    again = build(listing(tiny), store, target)
    assert len(first.written) == len(before) == again.kept
    assert not again.written
    assert {path: path.stat().st_ino for path in before} == before


def test_only_what_changed_is_written(tiny: Manifest, store: Store, target: Path) -> None:
    """A new summary changes that dataset's page and the first page."""
    build(listing(tiny, second(tiny)), store, target)
    changed = msgspec.structs.replace(tiny, summary="Three good pictures.")
    again = build(listing(changed, second(tiny)), store, target)
    assert [str(name) for name in again.written] == ["catalogue/tiny/index.html", "index.html"]


def test_pages_of_datasets_that_are_gone_go(tiny: Manifest, store: Store, target: Path) -> None:
    """A dataset that is listed no more has no page any more; the others keep theirs."""
    build(listing(tiny, second(tiny)), store, target)
    again = build(listing(tiny), store, target)
    assert [str(name) for name in again.removed] == [
        "catalogue/family/other/index.html",
        "catalogue/family/other/card.webp",
    ]
    assert not (target / "catalogue" / "family").exists()
    assert (target / "catalogue" / "tiny" / "index.html").exists()


def test_pages_of_others_are_left_alone(tiny: Manifest, store: Store, target: Path) -> None:
    """What dshub did not write is neither replaced nor removed."""
    target.mkdir()
    (target / "index.html").write_text("<h1>Mine</h1>")
    with pytest.raises(StoreError, match="not a page that dshub wrote") as caught:
        build(listing(tiny), store, target)
    assert "empty folder" in caught.value.hint
    assert content(target) == {"index.html": b"<h1>Mine</h1>"}
    (target / "index.html").unlink()
    (target / "catalogue" / "mine").mkdir(parents=True)
    (target / "catalogue" / "mine" / "index.html").write_text("<h1>Mine</h1>")
    build(listing(tiny), store, target)
    assert (target / "catalogue" / "mine" / "index.html").read_text() == "<h1>Mine</h1>"


def test_a_family_is_all_its_members(store: Store, target: Path) -> None:
    """Names choose what is shown, families too; an unknown one writes nothing."""
    with pytest.raises(UnknownNameError):
        build(Registry(), store, target, names=["mnits"])
    assert not target.exists()
    build(Registry(), store, target, names=["wine-quality", "iris"])
    pages = [path.parent.name for path in sorted((target / "catalogue").rglob("index.html"))]
    assert pages == ["iris", "red", "white"]


def test_a_dataset_whose_rows_cannot_be_had_keeps_no_other_from_its_page(
    tiny: Manifest, store: Store, target: Path
) -> None:
    """Its page is there without samples, and the reason is told."""
    reader = {"format": "idx", "nonsense": 1}
    broken = {
        name: msgspec.structs.replace(split, reader=reader) for name, split in tiny.splits.items()
    }
    bad = msgspec.structs.replace(tiny, name="broken", splits=broken)
    built = build(listing(bad, tiny), store, target)
    assert len(built.notes) == 1
    assert built.notes[0].startswith("broken, split train: no rows are shown:")
    page = read(target / "catalogue" / "broken" / "index.html")
    assert "No rows can be shown." in page.texts("p")
    assert read(target / "catalogue" / "tiny" / "index.html").all("img")


@pytest.mark.skipif(os.name == "nt", reason="what killed processes left is not told there")
def test_what_a_killed_run_left_is_cleared(
    tiny: Manifest, store: Store, target: Path, tmp_path: Path
) -> None:
    """A file that was being written when its process was killed does not stay."""
    import subprocess
    import sys

    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "sys.argv[1:]\n"
        "from dshub.cache.owners import own_name\n"
        "below = Path(sys.argv[1]) / 'catalogue' / 'tiny'; below.mkdir(parents=True)\n"
        "(below / own_name('writing-index-html')).write_text('half')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(target)], check=False)
    (left,) = target.rglob("writing-*")
    build(listing(tiny), store, target)
    assert not left.exists()


def test_a_target_that_cannot_be_written_is_told(
    tiny: Manifest, store: Store, tmp_path: Path
) -> None:
    """A file where the folder should be is an error that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"):
        build(listing(tiny), store, tmp_path / "file" / "pages")
