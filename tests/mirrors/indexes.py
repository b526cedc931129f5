"""Create and sign an index of three built-in datasets."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dshub import Registry
from dshub.mirrors.index import Entry, Index, entry_of
from dshub.mirrors.signing import Signer

NAMES = ["mnist", "kmnist", "emnist/letters"]


def entries() -> list[Entry]:
    registry = Registry()
    return [entry_of(registry.manifest(name), registry.text(name), {}) for name in NAMES]


INDEX = Index.of(entries())


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def sign_days_ago(index: Index, key: Path, days: int) -> Index:
    """Sign an index with a date `days` before today."""
    with clock_at(datetime.now(UTC) - timedelta(days=days)):
        return Signer(key).sign(index)


@contextmanager
def clock_at(moment: datetime) -> Iterator[None]:
    """Freeze the clock of `dshub.mirrors.signing` at `moment`."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            del tz
            return cls.fromtimestamp(moment.timestamp(), UTC)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dshub.mirrors.signing.datetime", Clock)
        yield
