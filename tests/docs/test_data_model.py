import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "data_model.py"


@pytest.mark.slow
def test_tables_of_the_data_model_match_the_frameworks() -> None:
    """The tables say what each framework gets and what each source gives."""
    for name in ("torch", "tensorflow", "jax", "pandas", "polars", "datasets"):
        pytest.importorskip(name)
    command = [sys.executable, str(SCRIPT), "--check"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
