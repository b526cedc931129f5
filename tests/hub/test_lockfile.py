from pathlib import Path

import pytest

from dshub.errors import StoreError
from dshub.hub.lockfile import Locked, LockedFile, LockedSplit, Lockfile, names_in, read

ENTRY = Locked(
    name="tiny/one",
    version="1.0.0",
    digest="0" * 64,
    files={
        "images": LockedFile(name='b "c" \x7f é.idx', digest=f"md5:{'1' * 32}"),
        "labels": LockedFile(name="l.idx", digest=f"sha256:{'2' * 64}", size=28),
    },
    splits={"train": LockedSplit(rows=3, fingerprint="3" * 64)},
)
LOCK = Lockfile(dataset=(ENTRY,))
ENTRIES = LOCK.text()[LOCK.text().index("[[dataset]]") :]


def test_lock_survives_a_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "dshub.lock"
    own = Locked(name="mine", version="1.0.0", digest="4" * 64, path="data/1.0.0.toml")
    lock = LOCK.with_entries([own])
    lock.write(path)
    assert read(path) == lock
    assert names_in(lock, path) == [str(tmp_path / "data" / "1.0.0.toml"), "tiny/one"]
    assert [item.name for item in tmp_path.iterdir()] == ["dshub.lock"]


def test_missing_lock_pins_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert read(tmp_path / "dshub.lock") == read(tmp_path / "file" / "dshub.lock") == Lockfile()


def test_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "dshub.lock"
    path.write_text(f"\ufeff{LOCK.text()}", encoding="utf-8")
    assert read(path) == LOCK


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (f"<<<<<<< HEAD\n{ENTRIES}=======\n", "line 1 is a merge conflict marker", "one side"),
        (f"{ENTRIES}\n{ENTRIES}", "tiny/one has 2 entries", "one side"),
        ("schema = 2\n", "it has schema 2", "upgrade dshub"),
        ("[[dataset]\n", "line 1", "restore"),
        ('[[dataset]]\nname = "tiny/one"\n', "version", "restore"),
        ("\udcff", "is not valid UTF-8", "restore"),
    ],
    ids=["merge", "twice", "schema", "syntax", "field", "bytes"],
)
def test_unusable_lock_is_rejected(tmp_path: Path, text: str, message: str, hint: str) -> None:
    path = tmp_path / "dshub.lock"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(StoreError, match=message) as caught:
        read(path)
    assert hint in caught.value.hint
    assert "DSHUB_LOCK=off" in caught.value.hint
