import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tomlkit

from dshub import Hub, Settings
from dshub.errors import StoreError
from dshub.mirrors.destinations import FolderDestination
from dshub.mirrors.writing import Mirroring, choose
from dshub.progress import Silent
from dshub.testing.server import faulty_server

if TYPE_CHECKING:
    from tests.mirrors.conftest import Lab

Run = Callable[..., subprocess.CompletedProcess[str]]

MEMBERS = ["lab/kmnist@1.0.0", "lab/letters@1.0.0", "lab/mnist@1.0.0"]


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of a mirror's files by relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.relative_to(folder).parts[0].startswith("partial")
    }


def hub(cache: Path, mirror: str, **settings: Any) -> Hub:
    chosen = Settings.read(environment={}, cache=cache, mirrors=[mirror], **settings)
    return Hub(settings=chosen, progress=Silent())


def test_mirror_holds_upstream_files_by_checksum(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    done = dshub("mirror", "m", "lab", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["listed"] == MEMBERS
    mirror_files = files(tmp_path / "m")
    blobs = {name: data for name, data in mirror_files.items() if name.startswith("blobs-v1/")}
    for name, data in blobs.items():
        digest = hashlib.sha256(data).hexdigest()
        assert name == f"blobs-v1/{digest[:2]}/{digest}"
    published = {path.read_bytes() for path in lab.upstream.rglob("*") if path.is_file()}
    assert published <= set(blobs.values())
    index = json.loads(mirror_files["index.json"])
    assert index["schema"] == 1
    assert [entry["name"] for entry in index["datasets"]] == [
        "lab/kmnist",
        "lab/letters",
        "lab/mnist",
    ]
    for entry in index["datasets"]:
        manifest = (lab.registry / entry["name"] / "1.0.0.toml").read_bytes()
        assert mirror_files[f"registry/{entry['name']}/1.0.0.toml"] == manifest
        for facts in [entry["manifest"], *entry["files"]]:
            digits = facts["digest"].removeprefix("sha256:")
            assert len(mirror_files[f"blobs-v1/{digits[:2]}/{digits}"]) == facts["size"]


def test_second_run_writes_nothing(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    dshub("mirror", "m", "lab")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "m").rglob("*.toml")}
    index = (tmp_path / "m" / "index.json").stat().st_mtime_ns
    for path in lab.upstream.rglob("*.gz"):
        path.unlink()
    answer = json.loads(dshub("mirror", "m", "lab", "--json").stdout)
    assert (answer["fetched"], answer["taken"], answer["changed"]) == (0, {}, False)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (tmp_path / "m" / "index.json").stat().st_mtime_ns == index


def test_dry_run_lists_the_files_to_fetch(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    planned = json.loads(dshub("mirror", "m", "lab", "--dry-run", "--json").stdout)
    assert not (tmp_path / "m").exists()
    published = {path.read_bytes() for path in lab.upstream.rglob("*") if path.is_file()}
    sizes = [len(data) for data in published]
    assert planned["size"] == planned["writes"] == sum(sizes)
    done = json.loads(dshub("mirror", "m", "lab", "--json").stdout)
    assert done["fetched"] == len(planned["missing"]) == len(sizes)
    again = json.loads(dshub("mirror", "m", "lab", "--dry-run", "--json").stdout)
    assert (again["size"], len(again["there"])) == (0, len(sizes))


def test_cached_files_are_used_instead_of_downloads(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    dshub("fetch", "lab/mnist", "--no-prepare")
    answer = json.loads(dshub("mirror", "m", "lab/mnist", "--json").stdout)
    assert answer["fetched"] == 0
    assert sum(answer["taken"].values()) == 4
    assert set(answer["taken"]) <= {"reflink", "hard link", "copy"}
    if answer["taken"] == {"hard link": 4}:
        assert answer["writes"] == 0
        [name] = {piece["path"] for piece in answer["cached"] if piece["name"] == "train-images"}
        assert (tmp_path / "m" / name).samefile(tmp_path / "cache" / name)


def test_damaged_cached_file_is_fetched_instead(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    dshub("fetch", "lab/mnist", "--no-prepare")
    victim = max((tmp_path / "cache" / "blobs-v1").glob("*/*"), key=lambda p: p.stat().st_size)
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    answer = json.loads(dshub("mirror", "m", "lab/mnist", "--json").stdout)
    assert answer["fetched"] == 1
    assert dshub("mirror", "m", "--verify").returncode == 0
    assert not victim.exists()


def test_datasets_are_added_unless_pruned(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    dshub("mirror", "m", "lab/mnist")
    first = files(tmp_path / "m")
    both = json.loads(dshub("mirror", "m", "lab/kmnist", "--json").stdout)
    assert both["listed"] == ["lab/kmnist@1.0.0", "lab/mnist@1.0.0"]
    dshub("mirror", "only", "lab/kmnist")
    pruned = json.loads(dshub("mirror", "m", "lab/kmnist", "--prune", "--json").stdout)
    assert pruned["listed"] == ["lab/kmnist@1.0.0"]
    gone = {name for name in first if name not in files(tmp_path / "only")}
    assert set(pruned["removed"]) == {name for name in gone if not name.startswith("site/")}
    assert files(tmp_path / "m") == files(tmp_path / "only")


def test_cache_is_not_pruned_as_a_mirror(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    dshub("fetch", "lab/mnist", "lab/kmnist")
    before = files(tmp_path / "cache")
    done = dshub("mirror", str(tmp_path / "cache"), "lab/mnist", "--prune")
    assert done.returncode == 1
    assert "dshub cache prune" in done.stderr
    assert files(tmp_path / "cache") == before
    assert dshub("mirror", str(tmp_path / "cache"), "lab/mnist").returncode == 0


@pytest.mark.parametrize(
    ("terms", "options", "reason"),
    [
        ('spdx = "CC-BY-NC-SA-4.0"', ["--deny-license", "nc"], "CC-BY-NC-SA-4.0, and nc"),
        ('spdx = "CC-BY-ND-4.0"', ["--deny-license", "nc", "--deny-license", "nd"], "nd is denied"),
        ('spdx = "MIT"', ["--deny-license", "mit"], "MIT"),
        ('redistribution = "unknown"', ["--deny-license", "unknown"], "no source states"),
        ('spdx = "MIT"\nredistribution = "no"', [], "--restricted"),
    ],
)
def test_denied_licenses_are_left_out_with_the_reason(
    dshub: Run, lab: "Lab", terms: str, options: list[str], reason: str
) -> None:
    path = lab.registry / "lab" / "mnist" / "1.0.0.toml"
    text = re.sub(r"(?s)\[license\].*?(?=\n\[)", f"[license]\n{terms}\n", path.read_text())
    path.write_text(text)
    other = lab.registry / "lab" / "kmnist" / "1.0.0.toml"
    other.write_text(
        re.sub(r"(?s)\[license\].*?(?=\n\[)", '[license]\nspdx = "0BSD"\n', other.read_text())
    )
    done = dshub("mirror", "m", "lab/mnist", "lab/kmnist", "--json", *options)
    answer = json.loads(done.stdout)
    assert answer["listed"] == ["lab/kmnist@1.0.0"]
    [left] = answer["left_out"]
    assert left["name"] == "lab/mnist@1.0.0"
    assert reason in left["reason"]
    errors = dshub("mirror", "m", "lab/mnist", "lab/kmnist", *options).stderr
    assert "left out: lab/mnist@1.0.0" in errors
    if not options:
        taken = dshub("mirror", "m", "lab/mnist", "--restricted", "--json")
        assert "lab/mnist@1.0.0" in json.loads(taken.stdout)["listed"]


def test_failed_dataset_does_not_affect_other_datasets(
    dshub: Run, lab: "Lab", tmp_path: Path
) -> None:
    lost = next(path for path in lab.upstream.rglob("*.gz") if "kmnist" in str(path))
    content = lost.read_bytes()
    lost.unlink()
    done = dshub("mirror", "m", "lab", "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout)["listed"] == ["lab/letters@1.0.0", "lab/mnist@1.0.0"]
    assert "404" in done.stderr
    lost.write_bytes(content)
    again = json.loads(dshub("mirror", "m", "lab", "--json").stdout)
    assert (again["listed"], again["fetched"]) == (MEMBERS, 1)


def test_manual_files_must_be_imported_first(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    path = lab.registry / "lab" / "mnist" / "1.0.0.toml"
    document = tomlkit.parse(path.read_text())
    for resource in document["resources"].values():
        resource["filename"] = resource.pop("urls")[0].rpartition("/")[2]
        resource.update({"access": "manual", "instructions": "Sign the form."})
    path.write_text(tomlkit.dumps(document))
    done = dshub("mirror", "m", "lab", "--json")
    assert done.returncode == 7
    assert "Sign the form." in done.stderr
    assert json.loads(done.stdout)["listed"] == ["lab/kmnist@1.0.0", "lab/letters@1.0.0"]
    dshub("import", "lab/mnist", str(lab.upstream / "lab" / "mnist"))
    assert json.loads(dshub("mirror", "m", "lab", "--json").stdout)["listed"] == MEMBERS


def test_limited_rate_gives_the_same_files(dshub: Run, lab: "Lab") -> None:
    assert dshub("mirror", "m", "lab", "--limit-rate", "200kB/s").returncode == 0
    assert dshub("mirror", "m", "--verify").returncode == 0


def test_missing_space_is_an_error_before_the_download(
    lab: "Lab", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dshub.cache.store import Store
    from dshub.errors import DiskFullError
    from dshub.mirrors.destinations import open_destination
    from dshub.mirrors.writing import Mirroring, choose

    hub_ = Hub(progress=Silent())
    chosen, _ = choose(hub_.resolve("lab", as_published=True).named, hub_.registry)
    monkeypatch.setattr(Store, "free", lambda _: 1000)
    with faulty_server(lab.upstream) as server:
        update = Mirroring(open_destination(str(tmp_path / "m")), hub_)
        with pytest.raises(DiskFullError, match=r"but only 1\.0 kB is free"):
            update.run(update.plan(chosen))
        assert server.requests == []
    assert not (tmp_path / "m").exists()


def test_changed_manifest_replaces_the_old_one(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    """The old manifest remains until pruned, for readers of the old index."""
    dshub("mirror", "m", "lab/mnist")
    before = files(tmp_path / "m")
    path = lab.registry / "lab" / "mnist" / "1.0.0.toml"
    path.write_text(path.read_text().replace("handwritten", "hand-written"))
    dshub("mirror", "m", "lab/mnist")
    after = files(tmp_path / "m")
    assert set(before) <= set(after)
    assert "hand-written" in hub(tmp_path / "c", str(tmp_path / "m")).info("lab/mnist").summary
    dshub("mirror", "m", "lab/mnist", "--prune")
    assert len(files(tmp_path / "m")) == len(before)


def test_other_rows_under_a_published_version_are_refused(
    dshub: Run, lab: "Lab", tmp_path: Path
) -> None:
    dshub("mirror", "m", "lab/mnist")
    before = files(tmp_path / "m")
    path = lab.registry / "lab" / "mnist" / "1.0.0.toml"
    path.write_text(path.read_text().replace("rows = 40", "rows = 39"))
    done = dshub("mirror", "m", "lab")
    assert done.returncode == 1
    assert "has lab/mnist@1.0.0 with other rows\nhint: raise `version`" in done.stderr
    assert files(tmp_path / "m") == before
    newer = path.with_name("2.0.0.toml")
    newer.write_text(path.read_text().replace('version = "1.0.0"', 'version = "2.0.0"'))
    assert "other rows" not in dshub("mirror", "m", str(newer)).stderr


def test_unpublished_manifests_are_not_pruned(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    draft = tmp_path / "m" / "registry" / "penguins" / "1.0.0.toml"
    draft.parent.mkdir(parents=True)
    draft.write_text("schema = 1  # to be written\n", encoding="utf-8")
    assert dshub("mirror", "m", "lab", "--no-pages").returncode == 0
    done = dshub("mirror", "m", "lab/mnist", "--no-pages", "--prune")
    assert done.returncode == 0, done.stderr
    manifests = (tmp_path / "m" / "registry").rglob("*.toml")
    mirror_files = {path.relative_to(tmp_path / "m" / "registry").as_posix() for path in manifests}
    assert mirror_files == {"penguins/1.0.0.toml", "lab/mnist/1.0.0.toml"}


def test_web_server_as_a_destination_is_an_error(dshub: Run, lab: "Lab") -> None:
    done = dshub("mirror", "http://127.0.0.1:9/m", "lab")
    assert done.returncode == 8
    assert "folder that the web server serves" in done.stderr


def test_mirror_of_a_mirror_has_the_same_files(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    dshub("mirror", "m", "lab")
    mirror = {"DSHUB_REGISTRY": "", "DSHUB_MIRROR": str(tmp_path / "m")}
    assert dshub("mirror", "second", "lab", DSHUB_CACHE="c2", **mirror).returncode == 0
    assert files(tmp_path / "second") == files(tmp_path / "m")


class PrunedDuringUpdate(FolderDestination):
    """A mirror that another update prunes just before this update changes the index."""

    def __init__(self, root: Path, prune: Callable[[], object]) -> None:
        super().__init__(root)
        self._prune = prune

    def locked(self) -> AbstractContextManager[object]:
        self._prune()
        return super().locked()


def test_file_pruned_by_another_update_is_not_listed(
    dshub: Run, lab: "Lab", tmp_path: Path
) -> None:
    assert dshub("mirror", "m", "lab/mnist", "--no-pages").returncode == 0
    place = PrunedDuringUpdate(
        tmp_path / "m", lambda: dshub("mirror", "m", "lab/mnist", "--prune", "--no-pages")
    )
    settings = Settings.read(environment={"DSHUB_REGISTRY": str(lab.registry)})
    hub_ = Hub(settings=settings, progress=Silent())
    mirroring = Mirroring(place, hub_)
    with pytest.raises(StoreError, match=r"lab/kmnist@1\.0\.0.*another process removed") as caught:
        request = hub_.resolve("lab/kmnist", as_published=True)
        mirroring.run(mirroring.plan(choose(request.named, hub_.registry)[0]))
    assert "run this again" in caught.value.hint
    assert dshub("mirror", "m", "--verify").returncode == 0
    assert dshub("mirror", "m", "lab/kmnist", "--no-pages").returncode == 0
    assert dshub("mirror", "m", "--verify").returncode == 0
