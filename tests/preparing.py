"""Prepare tables in one call."""

from pathlib import Path

from dshub.catalog.manifest import Manifest
from dshub.download.fetcher import Fetcher
from dshub.hub.plan import make_plan
from dshub.hub.request import Request
from dshub.hub.run import run_plan


def prepare(manifest: Manifest, split: str, fetcher: Fetcher) -> Path:
    """Prepare one split if necessary, and return the folder of its table."""
    return prepare_splits(manifest, [split], fetcher)[0]


def prepare_splits(manifest: Manifest, splits: list[str], fetcher: Fetcher) -> list[Path]:
    """Prepare splits if necessary, and return the folders of their tables."""
    plan = make_plan(Request.of(manifest, splits), fetcher, files=False)
    return list(run_plan(plan, fetcher).tables.values())
