"""What every test stands on: a clean environment, a cache of its own, and no network."""

import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from dshub import Hub, Settings
from dshub.progress import Silent

# no test depends on how fast the machine is; `pytest --hypothesis-profile=ci` looks further
for profile, examples in {"dev": 20, "ci": 300}.items():
    settings.register_profile(
        profile,
        deadline=None,
        max_examples=examples,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile("dev")

# a shell lets what it begins in the background ignore Ctrl-C, and every process that this begins
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the person who runs the tests reaches them, and none of their files."""
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
    """A connection beyond this machine fails the test."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and str(address[0]) not in {"127.0.0.1", "::1", "localhost"}:
            pytest.fail(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The folder that `DSHUB_CACHE` names in this test."""
    return tmp_path / "cache"


@pytest.fixture
def enterable(tmp_path: Path) -> Path:
    """The folder of the test, into which other users may look: pytest makes its own private."""
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    return tmp_path


@pytest.fixture
def hub(cache: Path) -> Hub:
    """A hub over the built-in registry and an empty cache, which says nothing."""
    return Hub(settings=Settings.read(cache=cache), progress=Silent())


@pytest.fixture(scope="session")
def real_fashion_mnist() -> Path:
    """The folder of the real Fashion-MNIST files; see CONTRIBUTING.md."""
    folder = os.environ.get("DSHUB_TEST_FASHION_MNIST")
    if not folder:
        pytest.skip("DSHUB_TEST_FASHION_MNIST does not name the real files")
    return Path(folder)


@pytest.hookimpl(trylast=True)  # once hypothesis has marked its tests
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests that passed before, if DSHUB_TEST_PASSED names a list of them.

    Property tests run again: another profile looks further.
    """
    record = Path(os.environ.get("DSHUB_TEST_PASSED") or os.devnull)
    passed = set(record.read_text("utf-8").splitlines()) if record.is_file() else set()
    done = [i for i in items if i.nodeid in passed and not i.get_closest_marker("hypothesis")]
    if done:
        config.hook.pytest_deselected(items=done)
        items[:] = [item for item in items if item not in set(done)]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the list that DSHUB_TEST_PASSED names, if it is not there yet.

    With DSHUB_TEST_EVERYTHING=1, a test that was skipped counts as failed, but for those with
    torchvision, of which there is none that imports beside every torch.
    """
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    stats = reporter.stats if reporter else {}
    record = os.environ.get("DSHUB_TEST_PASSED")
    if reporter and record and not Path(record).exists():
        passed = [f"{report.nodeid}\n" for report in stats.get("passed", [])]
        Path(record).write_text("".join(passed), encoding="utf-8")
    missed = [one for one in stats.get("skipped", []) if "torchvision" not in str(one.longrepr)]
    if os.environ.get("DSHUB_TEST_EVERYTHING") and missed:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
