from pathlib import Path

import pytest

from dshub.tables.table import Table
from tests.tables.example import write
from tests.tables.upstream import Upstream


@pytest.fixture(scope="module", params=[1, 700, 1 << 30], ids=["tiny", "small", "one"])
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Table:
    """Write a table of 53 rows with several shard sizes."""
    folder = tmp_path_factory.mktemp("tables") / "table"
    write(folder, 53, batch=10, shard_bytes=request.param)
    return Table(folder)


@pytest.fixture
def upstream(tmp_path: Path, cache: Path) -> Upstream:
    """Return an upstream server without files and an empty cache."""
    return Upstream(tmp_path / "mirror", cache)
