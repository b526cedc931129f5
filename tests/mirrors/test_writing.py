"""Writing a mirror, as the command does it, and what lies there afterwards."""

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
from dshub.mirrors.folder import FolderDestination
from dshub.mirrors.writing import Mirroring, Options, choose
from dshub.progress import Silent
from dshub.testing.server import faulty_server

if TYPE_CHECKING:
    from tests.mirrors.conftest import Lab

Run = Callable[..., subprocess.CompletedProcess[str]]

MEMBERS = ["lab/kmnist@1.0.0", "lab/letters@1.0.0", "lab/mnist@1.0.0"]


def files(folder: Path) -> dict[str, bytes]:
    """What lies in a mirror, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.relative_to(folder).parts[0].startswith("partial")
    }


def hub(cache: Path, mirror: str, **settings: Any) -> Hub:
    """A user who has nothing but a mirror."""
    chosen = Settings.read(environment={}, cache=cache, mirrors=[mirror], **settings)
    return Hub(settings=chosen, progress=Silent())


def test_it_holds_upstreams_files_by_checksum_and_says_so(
    dshub: Run, lab: "Lab", tmp_path: Path
) -> None:
    """Every blob hashes to its name, every upstream file is there, and the index lists them."""
    done = dshub("mirror", "m", "lab", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["listed"] == MEMBERS
    there = files(tmp_path / "m")
    blobs = {name: data for name, data in there.items() if name.startswith("blobs-v1/")}
    for name, data in blobs.items():
        digest = hashlib.sha256(data).hexdigest()
        assert name == f"blobs-v1/{digest[:2]}/{digest}"
    published = {path.read_bytes() for path in lab.upstream.rglob("*") if path.is_file()}
    assert published <= set(blobs.values())
    index = json.loads(there["index.json"])
    assert index["schema"] == 1
    assert [entry["name"] for entry in index["datasets"]] == [
        "lab/kmnist",
        "lab/letters",
        "lab/mnist",
    ]
    for entry in index["datasets"]:
        manifest = (lab.registry / entry["name"] / "1.0.0.toml").read_bytes()
        assert there[f"registry/{entry['name']}/1.0.0.toml"] == manifest
        for facts in [entry["manifest"], *entry["files"]]:
            digits = facts["digest"].removeprefix("sha256:")
            assert len(there[f"blobs-v1/{digits[:2]}/{digits}"]) == facts["size"]


def test_a_second_run_writes_nothing(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    """Not a byte, and not a time of change; upstream is not asked."""
    dshub("mirror", "m", "lab")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "m").rglob("*.toml")}
    index = (tmp_path / "m" / "index.json").stat().st_mtime_ns
    for path in lab.upstream.rglob("*.gz"):
        path.unlink()
    answer = json.loads(dshub("mirror", "m", "lab", "--json").stdout)
    assert (answer["fetched"], answer["taken"], answer["changed"]) == (0, {}, False)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (tmp_path / "m" / "index.json").stat().st_mtime_ns == index


def test_a_dry_run_says_what_would_be_done(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    """Its files and sizes are those that are then fetched, and it makes no folder."""
    planned = json.loads(dshub("mirror", "m", "lab", "--dry-run", "--json").stdout)
    assert not (tmp_path / "m").exists()
    published = {path.read_bytes() for path in lab.upstream.rglob("*") if path.is_file()}
    sizes = [len(data) for data in published]
    assert planned["size"] == planned["writes"] == sum(sizes)
    done = json.loads(dshub("mirror", "m", "lab", "--json").stdout)
    assert done["fetched"] == len(planned["missing"]) == len(sizes)
    again = json.loads(dshub("mirror", "m", "lab", "--dry-run", "--json").stdout)
    assert (again["size"], len(again["there"])) == (0, len(sizes))


def test_what_the_cache_has_is_not_fetched(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    """It is linked where that works, and copied where it does not; which is told."""
    dshub("fetch", "lab/mnist", "--no-prepare")
    answer = json.loads(dshub("mirror", "m", "lab/mnist", "--json").stdout)
    assert answer["fetched"] == 0
    assert sum(answer["taken"].values()) == 4
    assert set(answer["taken"]) <= {"reflink", "hard link", "copy"}
    if answer["taken"] == {"hard link": 4}:
        assert answer["writes"] == 0
        [name] = {piece["path"] for piece in answer["cached"] if piece["name"] == "train-images"}
        assert (tmp_path / "m" / name).samefile(tmp_path / "cache" / name)


def test_damage_in_the_cache_does_not_spread(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    """A file whose bytes have changed there is put aside, and fetched for the mirror."""
    dshub("fetch", "lab/mnist", "--no-prepare")
    victim = max((tmp_path / "cache" / "blobs-v1").glob("*/*"), key=lambda p: p.stat().st_size)
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    answer = json.loads(dshub("mirror", "m", "lab/mnist", "--json").stdout)
    assert answer["fetched"] == 1
    assert dshub("mirror", "m", "--verify").returncode == 0
    assert not victim.exists()


def test_datasets_are_added_and_nothing_goes_unasked(
    dshub: Run, lab: "Lab", tmp_path: Path
) -> None:
    """A second selection joins the first; with --prune it replaces it, files and all."""
    dshub("mirror", "m", "lab/mnist")
    first = files(tmp_path / "m")
    both = json.loads(dshub("mirror", "m", "lab/kmnist", "--json").stdout)
    assert both["listed"] == ["lab/kmnist@1.0.0", "lab/mnist@1.0.0"]
    dshub("mirror", "only", "lab/kmnist")
    pruned = json.loads(dshub("mirror", "m", "lab/kmnist", "--prune", "--json").stdout)
    assert pruned["listed"] == ["lab/kmnist@1.0.0"]
    gone = {name for name in first if name not in files(tmp_path / "only")}
    assert set(pruned["removed"]) == {name for name in gone if not name.startswith("catalogue/")}
    assert files(tmp_path / "m") == files(tmp_path / "only")


def test_a_cache_is_not_pruned(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    """A cache can be a mirror, but what else is in it is for another command to remove."""
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
def test_licences_that_are_denied_stay_out(
    dshub: Run, lab: "Lab", terms: str, options: list[str], reason: str
) -> None:
    """The dataset is named with the reason, and the others are there."""
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
    told = dshub("mirror", "m", "lab/mnist", "lab/kmnist", *options).stderr
    assert "left out: lab/mnist@1.0.0" in told
    if not options:
        taken = dshub("mirror", "m", "lab/mnist", "--restricted", "--json")
        assert "lab/mnist@1.0.0" in json.loads(taken.stdout)["listed"]


def test_what_is_whole_is_listed_although_another_failed(
    dshub: Run, lab: "Lab", tmp_path: Path
) -> None:
    """One dataset has no working source: the others are published, and the next run mends it."""
    lost = next(path for path in lab.upstream.rglob("*.gz") if "kmnist" in str(path))
    kept = lost.read_bytes()
    lost.unlink()
    done = dshub("mirror", "m", "lab", "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout)["listed"] == ["lab/letters@1.0.0", "lab/mnist@1.0.0"]
    assert "404" in done.stderr
    lost.write_bytes(kept)
    again = json.loads(dshub("mirror", "m", "lab", "--json").stdout)
    assert (again["listed"], again["fetched"]) == (MEMBERS, 1)


def test_files_that_a_person_must_obtain(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    """Named, such a dataset is an error with its instructions; once imported it is mirrored."""
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


def test_a_limited_rate_brings_the_same_files(dshub: Run, lab: "Lab") -> None:
    """A rate is written as people write it, and what arrives is whole."""
    assert dshub("mirror", "m", "lab", "--limit-rate", "200kB/s").returncode == 0
    assert dshub("mirror", "m", "--verify").returncode == 0


def test_no_space_is_noticed_before_the_first_byte(
    lab: "Lab", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sizes are told, and nothing was asked of upstream."""
    from dshub.cache.store import Store
    from dshub.errors import DiskFullError
    from dshub.mirrors.folder import open_destination
    from dshub.mirrors.writing import Mirroring, Options, choose

    mine = Hub(progress=Silent())
    chosen, _ = choose(mine.resolve("lab", as_published=True).named, mine.registry)
    monkeypatch.setattr(Store, "free", lambda _: 1000)
    with faulty_server(lab.upstream) as server:
        update = Mirroring(open_destination(str(tmp_path / "m")), mine, Options())
        with pytest.raises(DiskFullError, match=r"are to be written and 1\.0 kB are free"):
            update.run(update.plan(chosen))
        assert server.requests == []
    assert not (tmp_path / "m").exists()


def test_a_manifest_that_was_mended_replaces_the_old_one(
    dshub: Run, lab: "Lab", tmp_path: Path
) -> None:
    """Same version, other words: the old bytes stay for who reads the old index, until pruned."""
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


def test_pruning_leaves_manifests_that_were_never_published(
    dshub: Run, lab: "Lab", tmp_path: Path
) -> None:
    """A mirror in a project's folder: what somebody wrote below `registry/` is not the mirror's."""
    draft = tmp_path / "m" / "registry" / "penguins" / "1.0.0.toml"
    draft.parent.mkdir(parents=True)
    draft.write_text("schema = 1  # to be written\n", encoding="utf-8")
    assert dshub("mirror", "m", "lab", "--no-pages").returncode == 0
    done = dshub("mirror", "m", "lab/mnist", "--no-pages", "--prune")
    assert done.returncode == 0, done.stderr
    manifests = (tmp_path / "m" / "registry").rglob("*.toml")
    there = {path.relative_to(tmp_path / "m" / "registry").as_posix() for path in manifests}
    assert there == {"penguins/1.0.0.toml", "lab/mnist/1.0.0.toml"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["", "lab"],
        ["m"],
        ["m", "lab", "--all"],
        ["m", "lab", "--verify"],
        ["m", "--all", "--limit-rate", "no"],
        ["m", "--all", "--limit-rate", "0"],
    ],
)
def test_a_wrong_call_is_explained(dshub: Run, arguments: list[str]) -> None:
    """Exit code 2, and nothing happens."""
    assert dshub("mirror", *arguments).returncode == 2


def test_a_web_server_is_no_place_to_write_to(dshub: Run, lab: "Lab") -> None:
    """It is said what to name instead."""
    done = dshub("mirror", "http://127.0.0.1:9/m", "lab")
    assert done.returncode == 8
    assert "folder that it serves" in done.stderr


def test_a_mirror_can_be_made_from_a_mirror(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    """Manifests too come from there, byte for byte."""
    dshub("mirror", "m", "lab")
    mirror = {"DSHUB_REGISTRY": "", "DSHUB_MIRROR": str(tmp_path / "m")}
    assert dshub("mirror", "second", "lab", DSHUB_CACHE="c2", **mirror).returncode == 0
    assert files(tmp_path / "second") == files(tmp_path / "m")


class Late(FolderDestination):
    """A mirror that somebody else prunes just before this update may change its index."""

    def __init__(self, root: Path, prune: Callable[[], object]) -> None:
        super().__init__(root)
        self._prune = prune

    def locked(self) -> AbstractContextManager[object]:
        self._prune()
        return super().locked()


def test_what_another_update_pruned_is_not_listed(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    """The index never lists a file that is gone, however two updates come in each other's way."""
    assert dshub("mirror", "m", "lab/mnist", "--no-pages").returncode == 0
    place = Late(tmp_path / "m", lambda: dshub("mirror", "m", "lab/mnist", "--prune", "--no-pages"))
    settings = Settings.read(environment={"DSHUB_REGISTRY": str(lab.registry)})
    mine = Hub(settings=settings, progress=Silent())
    mirroring = Mirroring(place, mine, Options())
    with pytest.raises(StoreError, match=r"lab/kmnist@1\.0\.0.*removed meanwhile") as caught:
        request = mine.resolve("lab/kmnist", as_published=True)
        mirroring.run(mirroring.plan(choose(request.named, mine.registry)[0]))
    assert "run this again" in caught.value.hint
    assert dshub("mirror", "m", "--verify").returncode == 0
    assert dshub("mirror", "m", "lab/kmnist", "--no-pages").returncode == 0
    assert dshub("mirror", "m", "--verify").returncode == 0
