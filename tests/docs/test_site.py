"""Build the documentation site and check its links and accessibility."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("furo")

ROOT = Path(__file__).parents[2]
PAGES = [
    "index",
    "tutorial",
    "howto/own-data",
    "api",
    "datasets/mnist",
    "datasets/index",
    "commands",
    "settings",
]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the whole site and fail on any Sphinx warning."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


class Links(HTMLParser):
    """Collect anchors, links and URLs of loaded files."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.anchors.update(values[key] for key in ("id", "name") if key in values)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and values.get("rel") in {"stylesheet", "icon", "preload"}:
            self.loaded.append(values["href"])
        elif tag in {"script", "img", "iframe", "source"} and "src" in values:
            self.loaded.append(values["src"])


def test_links_work_and_all_files_are_local(site: Path) -> None:
    """Links within the site lead to an existing page and anchor."""
    pages = {path.resolve(): Links(path.read_text("utf-8")) for path in site.rglob("*.html")}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[target].anchors if target in pages else None
            wrong_anchor = anchors is not None and parts.fragment and parts.fragment not in anchors
            if not target.exists() or wrong_anchor:
                broken.append(f"{path.relative_to(site.resolve())}: {link}")
    assert broken == []
    loaded = {address for page in pages.values() for address in page.loaded}
    assert [address for address in loaded if urlsplit(address).netloc] == []
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\(\s*[\"']?https?:", styles) == []


def test_site_has_an_index_for_language_models(site: Path) -> None:
    text = (site / "llms.txt").read_text("utf-8")
    assert all(page in text for page in ("tutorial", "howto/offline", "settings"))


def test_commands_page_shows_names_usage_and_examples(site: Path) -> None:
    text = re.sub("<[^>]+>", "", (site / "commands.html").read_text("utf-8"))
    assert "dshub fetch [OPTIONS] [NAMES]..." in text
    assert "dshub cache du [OPTIONS]" in text
    assert "dshub fetch mnist --from https://mirror.example\n" in text
    assert "dshub command" not in text


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start Chromium without a window."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_are_accessible_and_fit(site: Path, browser: Any, width: int, scheme: str) -> None:
    """Axe reports no violations, and no page is wider than the window."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    violations = []
    for name in PAGES:
        page.goto((site / f"{name}.html").as_uri())
        too_wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        result = axe.run(page).response["violations"]
        violations += [f"{name}: {item['id']} {item['nodes'][0]['html'][:150]}" for item in result]
        violations += [f"{name}: wider than the window"] * too_wide
    context.close()
    assert violations == []
