"""Making a table in one call, for tests that are about what is in it."""

from pathlib import Path

from dshub.catalog.manifest import Manifest
from dshub.download.fetcher import Fetcher
from dshub.hub.plan import make_plan
from dshub.hub.request import Request
from dshub.hub.run import run_plan


def prepare(manifest: Manifest, split: str, fetcher: Fetcher) -> Path:
    """The folder of a split's table, made now if it is not there."""
    return prepare_splits(manifest, [split], fetcher)[0]


def prepare_splits(manifest: Manifest, splits: list[str], fetcher: Fetcher) -> list[Path]:
    """The folder of each split's table."""
    plan = make_plan(Request.of(manifest, splits), fetcher, files=False)
    return list(run_plan(plan, fetcher).tables.values())
