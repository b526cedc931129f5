"""Fixtures that give every test a clean environment, its own cache and no network."""

import io
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from dshub import Dataset, Hub, Settings
from dshub.progress import Silent

# Tests must not depend on speed, so there is no deadline. The `ci` profile tries more examples.
for profile, examples in {"dev": 20, "ci": 300}.items():
    settings.register_profile(
        profile,
        deadline=None,
        max_examples=examples,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile("dev")

# A shell makes background jobs ignore SIGINT, which child processes would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the settings and files of the user who runs the tests."""
    for name in list(os.environ):
        if name.startswith("DSHUB_") and not name.startswith("DSHUB_TEST_"):
            monkeypatch.delenv(name)
        if name.lower() in {"http_proxy", "https_proxy", "all_proxy", "no_color"}:
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("DSHUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test on a connection to another machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and str(address[0]) not in {"127.0.0.1", "::1", "localhost"}:
            pytest.fail(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Return the folder that `DSHUB_CACHE` names."""
    return tmp_path / "cache"


@pytest.fixture
def enterable(tmp_path: Path) -> Path:
    """Return the test's folder after letting other users enter; pytest makes it private."""
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    return tmp_path


@pytest.fixture
def hub(cache: Path) -> Hub:
    """Return a silent hub with the built-in registry and an empty cache."""
    return Hub(settings=Settings.read(cache=cache), progress=Silent())


@pytest.fixture(scope="session")
def real_fashion_mnist() -> Path:
    """Return the folder of the published Fashion-MNIST files; see CONTRIBUTING.md."""
    folder = os.environ.get("DSHUB_TEST_FASHION_MNIST")
    if not folder:
        pytest.skip("DSHUB_TEST_FASHION_MNIST does not name the real files")
    return Path(folder)


@pytest.hookimpl(trylast=True)  # after hypothesis has marked its tests
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests listed in the file that DSHUB_TEST_PASSED names.

    Property tests are not deselected, because another profile tries more examples.
    """
    record = Path(os.environ.get("DSHUB_TEST_PASSED") or os.devnull)
    passed = set(record.read_text("utf-8").splitlines()) if record.is_file() else set()
    passed_items = [
        i for i in items if i.nodeid in passed and not i.get_closest_marker("hypothesis")
    ]
    if passed_items:
        config.hook.pytest_deselected(items=passed_items)
        items[:] = [item for item in items if item not in set(passed_items)]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the names of passed tests to DSHUB_TEST_PASSED if that file does not exist.

    With DSHUB_TEST_EVERYTHING=1, skipped tests fail the session. Skips because of torchvision are
    exempt, because no torchvision wheel works with every torch.
    """
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    stats = reporter.stats if reporter else {}
    record = os.environ.get("DSHUB_TEST_PASSED")
    if reporter and record and not Path(record).exists():
        passed = [f"{report.nodeid}\n" for report in stats.get("passed", [])]
        Path(record).write_text("".join(passed), encoding="utf-8")
    skipped = [
        report for report in stats.get("skipped", []) if "torchvision" not in str(report.longrepr)
    ]
    if os.environ.get("DSHUB_TEST_EVERYTHING") and skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def photos() -> Dataset:
    """Return four encoded images of several sizes, each with a class."""
    import numpy as np
    from PIL import Image

    from dshub.catalog.features import Feature, ImageFeature, LabelFeature

    files = []
    for number in range(4):
        pixels = np.full((9 + number, 8, 3), 40 * number, np.uint8)
        with io.BytesIO() as file:
            Image.fromarray(pixels).save(file, "PNG")
            files.append(file.getvalue())
    features: dict[str, Feature] = {
        "image": ImageFeature(encoding="png"),
        "label": LabelFeature(names=("cat", "dog")),
    }
    return Dataset.from_arrays({"image": files, "label": np.arange(4) % 2}, features=features)
