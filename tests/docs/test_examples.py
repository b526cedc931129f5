"""Check that docs/examples.py runs examples and keeps the page."""

import subprocess
import sys
from pathlib import Path

import pytest

from docs import examples

ROOT = Path(__file__).parents[2]
HEAD = "# Examples\n\nText of the page.\n\n"
PROGRAM = '''"""Count the rows.

    python examples/count.py
    UNIT=images python examples/count.py --twice

More words.
"""

import os
import sys
from pathlib import Path

from PIL import Image

print("<Dataset mnist@1.0.0+synthetic.20, synthetic: 20 rows of image, label>")
Image.new("L", (8, 8)).save(Path(os.environ.get("DSHUB_EXAMPLES_OUTPUT", "."), "count.png"))
print("result:", 40 if "--twice" in sys.argv else 20, os.environ.get("UNIT", "rows"))
'''


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """Write an example and a page without results."""
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "count.py").write_text(PROGRAM, "utf-8")
    page = tmp_path / "docs" / "examples.md"
    page.parent.mkdir()
    page.write_text(HEAD + examples.MARK, "utf-8")
    return page


def run(page: Path, *arguments: str) -> int:
    folder = page.parent.parent / "examples"
    return examples.main([*arguments, "--folder", str(folder), "--page", str(page)])


def add(page: Path, name: str, code: str) -> None:
    text = f'"""Fail.\n\n    python examples/{name}.py\n"""\n\n{code}\n'
    (page.parent.parent / "examples" / f"{name}.py").write_text(text, "utf-8")


def test_each_command_of_an_example_becomes_a_row(page: Path) -> None:
    assert run(page) == 0
    text = page.read_text("utf-8")
    assert text.startswith(HEAD)
    rows = [line.split("|")[1:6] for line in text.splitlines() if line.startswith("| [")]
    assert [[cell.strip() for cell in row[:4]] for row in rows] == [
        [
            "[`count.py`](../examples/count.py)",
            "Count the rows",
            "mnist, 20 synthetic rows",
            "20 rows",
        ],
        [
            "[`UNIT=images count.py --twice`](../examples/count.py)",
            "Count the rows",
            "mnist, 20 synthetic rows",
            "40 images",
        ],
    ]


def test_images_are_copied_beside_the_page_and_shown(page: Path) -> None:
    assert run(page) == 0
    assert (page.parent / "_static" / "examples" / "count.png").exists()
    assert "](_static/examples/count.png)" in page.read_text("utf-8")


def test_check_writes_nothing(page: Path) -> None:
    assert run(page, "--check") == 0
    assert page.read_text("utf-8") == HEAD + examples.MARK
    assert [path.name for path in page.parent.iterdir()] == ["examples.md"]


def test_running_one_example_keeps_the_results_of_the_others(page: Path) -> None:
    assert run(page) == 0
    before = page.read_text("utf-8")
    add(page, "zeros", 'print("<Dataset a/b@2.0.0: 1,234 rows of x>")\nprint("result: zeros 0")')
    assert run(page, "zeros") == 0
    after = page.read_text("utf-8")
    new = [line for line in after.splitlines() if line not in before.splitlines()]
    assert len(new) == 1
    assert "a/b, 1,234 real rows | zeros 0" in new[0]
    assert set(before.splitlines()) < set(after.splitlines())


def test_one_command_of_an_example_can_run(page: Path) -> None:
    assert run(page, "UNIT=images count.py --twice") == 0
    text = page.read_text("utf-8")
    assert "40 images" in text
    assert "20 rows |" not in text


def test_results_of_a_removed_example_leave_the_page(page: Path) -> None:
    assert run(page) == 0
    add(page, "zeros", 'print("<Dataset a/b@2.0.0: 1,234 rows of x>")\nprint("result: zeros 0")')
    (page.parent.parent / "examples" / "count.py").unlink()
    assert run(page) == 0
    assert "count.py`" not in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ('raise SystemExit("no luck")', "no luck"),
        ('print("<Dataset a@1: 1 rows of x>")\nprint("result: 1")\nprint("bye")', "last line"),
        ('print("result: accuracy 1")', "does not print its training dataset"),
        ("import time\ntime.sleep(60)", "more than 1 s"),
    ],
    ids=["exit-code", "no-result", "no-dataset", "timeout"],
)
def test_failing_example_fails_the_run_and_keeps_the_page(
    page: Path, capsys: pytest.CaptureFixture[str], code: str, reason: str
) -> None:
    add(page, "fails", code)
    assert run(page, "fails", "--timeout", "1") == 1
    assert reason in capsys.readouterr().out
    assert page.read_text("utf-8") == HEAD + examples.MARK


def test_example_without_a_command_is_refused(page: Path) -> None:
    path = page.parent.parent / "examples" / "silent.py"
    path.write_text('"""Show nothing."""\n', "utf-8")
    with pytest.raises(ValueError, match=r"silent\.py: no line"):
        run(page)


def test_unknown_example_is_refused(page: Path) -> None:
    with pytest.raises(ValueError, match="no such example: cuont"):
        run(page, "cuont")


def test_page_has_a_result_of_every_command() -> None:
    text = (ROOT / "docs" / "examples.md").read_text("utf-8")
    keys = [f"[`{command.key}`]" for command in examples.commands(ROOT / "examples")]
    assert keys
    assert [key for key in keys if key not in text] == []


def test_example_runs_on_synthetic_data_without_a_framework(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSHUB_SYNTHETIC", "200")
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "numpy_backprop.py")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert examples.Outcome(done.stdout, 1).result.startswith("test accuracy ")
