import subprocess
import sys
from pathlib import Path

from dshub.catalog.sources import built_in_root

NAME = "fashion-mnist"


def test_fetch_opens_each_manifest_once_and_plans_once(tmp_path: Path) -> None:
    script = """
import sys
from collections import Counter
opened, planned = Counter(), Counter()
sys.addaudithook(lambda event, args: event == "open" and opened.update([str(args[0])]))
from dshub.hub import plan
make_plan = plan.make_plan
plan.make_plan = lambda *args, **options: planned.update(["plan"]) or make_plan(*args, **options)
sys.argv = ["dshub", "fetch", *sys.argv[1:]]
from dshub.cli import main
try:
    main()
finally:
    files = {name: count for name, count in opened.items() if "registry/" in name}
    manifests = {name: count for name, count in files.items() if name.endswith(".toml")}
    print(max(manifests.values()), len(manifests), planned["plan"], file=sys.stderr)
"""
    environment = {"DSHUB_CACHE": str(tmp_path), "DSHUB_SYNTHETIC": "20", "DSHUB_LOCK": "off"}
    done = subprocess.run(
        [sys.executable, "-c", script, NAME, "emnist/letters"],
        env={**environment, "PYTHONPATH": str(built_in_root().parent), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "1 2 1"


def test_ready_split_loads_without_downloader_archives_or_formats(tmp_path: Path) -> None:
    script = """
import sys
from dshub import load
assert load("fashion-mnist", "train").numpy()["image"].shape[0] == 20
heavy = ("download", "archives", "formats", "importing.files", "tables.building", "tables.steps")
print([name for name in sys.modules if name.startswith(tuple(f"dshub.{one}" for one in heavy))])
"""
    environment = {"DSHUB_CACHE": str(tmp_path), "DSHUB_SYNTHETIC": "20", "DSHUB_LOCK": "off"}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**environment, "PYTHONPATH": str(built_in_root().parent), "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    assert outputs[1] == "[]\n"
