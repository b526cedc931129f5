"""Use the site in Chromium, from a web server and from local files."""

import functools
import http.server
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest

from dshub.cache.paths import blob_path
from dshub.cache.store import Store
from dshub.catalog.manifest import Manifest
from dshub.catalog.registry import Registry
from dshub.publishing.site.build import build
from dshub.publishing.site.snippets import snippets

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")

PAGES = ["index.html", "site/fashion-mnist/index.html", "site/glue/sst2/index.html"]
PAGES += [f"site/{name}/index.html" for name in ("conll2003", "iris", "imagenet-1k")]
PAGES += ["site/speech-commands/v0.02/index.html"]
DURATION = """new Promise((done) => {
    const player = document.querySelector("audio");
    if (player.readyState) done(player.duration);
    player.addEventListener("loadedmetadata", () => done(player.duration));
})"""
LARGEST = 300_000  # maximum bytes of the first load of a front page with 200 datasets


class CountingHandler(http.server.SimpleHTTPRequestHandler):
    """A file server that logs nothing and counts the bytes it sends."""

    sent = 0

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def copyfile(self, source: Any, outputfile: Any) -> None:
        CountingHandler.sent += os.fstat(source.fileno()).st_size
        super().copyfile(source, outputfile)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start a headless Chromium."""
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def serving(folder: Path) -> Any:
    """Serve a folder over HTTP."""
    handler = functools.partial(CountingHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


@pytest.fixture(scope="module", params=["http", "file"])
def address(request: pytest.FixtureRequest, site: Path) -> Iterator[str]:
    """Yield the URL of the site on a web server and as local files."""
    if request.param == "file":
        yield site.as_uri()
        return
    server = serving(site)
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class Visit:
    """A browser page that fails the test on errors and on external requests."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.address = address
        self.page.on("console", lambda message: self.problems.append(message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", self._check_request)
        self.page.on("requestfailed", lambda request: self.problems.append(request.url))

    def _check_request(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:")):
            self.problems.append(f"external request to {request.url}")

    def go(self, name: str) -> Any:
        """Open a page of the site."""
        self.page.goto(f"{self.address}/{name}")
        return self.page

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()
        assert not self.problems


def visible_names(page: Any) -> list[str]:
    """Return the names of visible datasets."""
    names = page.locator("#cards > li:visible .name").all_text_contents()
    return [name.split()[0] for name in names]


def test_search_accepts_every_spelling_and_shows_the_best_match_first(
    browser: Any, address: str
) -> None:
    """The page and `dshub search` find the same datasets in the same order."""
    with Visit(browser, address) as visit:
        page = visit.go("index.html")
        registry, shown = Registry(), visible_names(page)
        queries = ("MNIST", "fashion_mnist", "ylecun/mnist", "SST-2", "T-Shirt", "Sentiment")
        for query in queries:
            page.get_by_role("searchbox").fill(query)
            expected = [line.name for line in registry.listing([query]) if line.name in shown]
            assert visible_names(page) == expected, query


def test_search_without_match_suggests_a_word(browser: Any, address: str) -> None:
    with Visit(browser, address) as visit:
        page = visit.go("index.html")
        page.get_by_role("searchbox").fill("trousr")
        page.get_by_role("button", name="trouser").click()
        assert visible_names(page) == ["fashion-mnist"]


def test_search_and_filters_select_datasets(browser: Any, address: str) -> None:
    with Visit(browser, address) as visit:
        page = visit.go("index.html")
        all_names = visible_names(page)
        page.get_by_role("searchbox", name="Search").fill("handwritten digits")
        assert visible_names(page) == ["mnist"]
        assert page.get_by_role("status").first.inner_text() == f"1 of {len(all_names)} datasets"
        page.get_by_role("searchbox").fill("trouser")
        playwright.expect(page.locator("#cards > li:not([hidden])")).to_have_count(1)
        assert visible_names(page) == ["fashion-mnist"]
        page.get_by_role("button", name="Clear").click()
        assert visible_names(page) == all_names
        page.get_by_text("Audio", exact=True).click()
        assert visible_names(page) == ["speech-commands/v0.02"]
        page.get_by_role("button", name="Clear").click()
        page.get_by_label("Task").select_option("text-regression")
        assert visible_names(page) == ["glue/stsb"]
        page.get_by_label("Task").select_option("")
        page.get_by_label("License").select_option("MIT")
        assert visible_names(page) == ["fashion-mnist"]
        page.get_by_label("License").select_option("")
        page.get_by_label("Download").select_option("10000000")
        small = [n for n in all_names if (Registry().manifest(n).size or 10**12) <= 10_000_000]
        assert visible_names(page) == small
        page.get_by_role("searchbox").fill("no such thing")
        assert visible_names(page) == []
        page.get_by_role("button", name="Show all datasets").click()
        assert visible_names(page) == all_names


def test_search_is_kept_in_the_url(browser: Any, address: str) -> None:
    with Visit(browser, address) as visit:
        page = visit.go("index.html#q=digits&task=image-classification")
        assert page.get_by_role("searchbox").input_value() == "digits"
        assert visible_names(page) == ["mnist"]
        page.get_by_label("Order").select_option("rows")
        page.get_by_role("searchbox").fill("mnist")
        page.get_by_role("link", name="Fashion-MNIST").click()
        page.wait_for_url("**/fashion-mnist/index.html")
        page.go_back()
        playwright.expect(page.locator("#cards > li:not([hidden])")).to_have_count(2)
        assert page.get_by_role("searchbox").input_value() == "mnist"


def test_code_can_be_copied(browser: Any, address: str) -> None:
    with Visit(browser, address) as visit:
        visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = visit.go("index.html")
        page.get_by_role("link", name="Fashion-MNIST").click()
        page.wait_for_load_state()
        page.get_by_role("tab", name="PyTorch").click()
        page.get_by_role("button", name="Copy the code for PyTorch").click()
        playwright.expect(page.locator("#copied")).to_have_text("Copied")
        expected = next(
            s.code for s in snippets(Registry().manifest("fashion-mnist")) if s.key == "torch"
        )
        assert page.evaluate("navigator.clipboard.readText()") == expected
        page.reload()
        assert page.get_by_role("tab", name="PyTorch").get_attribute("aria-selected") == "true"


def test_code_can_be_copied_without_the_clipboard_api(browser: Any, site: Path) -> None:
    server = serving(site)
    try:
        name = f"http://hub.test:{server.server_address[1]}"
        args = ["--no-sandbox", "--host-resolver-rules=MAP hub.test 127.0.0.1"]
        chromium = browser.browser_type.launch(executable_path=CHROMIUM, args=args)
        with Visit(chromium, name) as visit:
            page = visit.go("site/mnist/index.html")
            assert page.evaluate("navigator.clipboard === undefined")
            page.get_by_role("button", name="Copy the name").click()
            playwright.expect(page.locator("#copied")).to_have_text("Copied")
            page.evaluate("document.body.append(document.createElement('textarea'))")
            page.locator("textarea").focus()
            page.keyboard.press("ControlOrMeta+V")
            assert page.locator("textarea").input_value() == "mnist"
        chromium.close()
    finally:
        server.shutdown()
        server.server_close()


def test_mirror_setting_is_quoted_for_the_shell(
    browser: Any, tiny: Manifest, upstream: Path, store: Store, tmp_path: Path
) -> None:
    """The folder can contain any characters."""
    for name in ("My Stick", "100% #1?", "$HOME `id` \\ o'brien", "two %41"):
        folder = tmp_path / name
        blob = folder / blob_path(tiny.resources["images"].digest)
        blob.parent.mkdir(parents=True)
        shutil.copyfile(upstream / "images.idx", blob)
        build(Registry(manifests=[tiny], built_in=False), store, folder)
        with Visit(browser, folder.as_uri()) as visit:
            page = visit.go("index.html")
            line = page.locator("#mirror-line").inner_text()
            page.get_by_role("searchbox").fill("nothing has this")
            assert visible_names(page) == []
        done = subprocess.run(
            ["sh", "-c", f'{line}; printf "%s" "$DSHUB_MIRROR"'],
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        assert Path(done.stdout) == folder


def test_site_works_with_the_keyboard(browser: Any, address: str) -> None:
    with Visit(browser, address) as visit:
        page = visit.go("index.html")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "q"
        page.keyboard.type("fashion")
        while not page.evaluate("document.activeElement.matches('#cards a')"):
            page.keyboard.press("Tab")
        outline = "getComputedStyle(document.activeElement, '::after').outlineStyle"
        assert page.evaluate(outline) == "solid"
        page.keyboard.press("Enter")
        page.wait_for_url("**/fashion-mnist/index.html")
        page.get_by_role("tab", name="NumPy").focus()
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.textContent") == "PyTorch"
        assert page.get_by_role("tabpanel").get_attribute("id") == "code-torch"
        page.keyboard.press("End")
        assert page.evaluate("document.activeElement.textContent") == "Command line"


def test_dark_mode_follows_the_system_until_changed(browser: Any, address: str) -> None:
    """The user's choice is remembered on other pages."""
    background = "getComputedStyle(document.body).backgroundColor"
    with Visit(browser, address, color_scheme="dark") as visit:
        page = visit.go("index.html")
        dark = page.evaluate(background)
        button = page.get_by_role("button", name="Dark mode")
        assert button.get_attribute("aria-pressed") == "true"
        button.click()
        light = page.evaluate(background)
        assert light != dark
        page = visit.go("site/mnist/index.html")
        assert page.evaluate(background) == light
        assert page.get_by_role("button", name="Dark mode").get_attribute("aria-pressed") == "false"
    with Visit(browser, address, color_scheme="light") as visit:
        assert visit.go("index.html").evaluate(background) == light


@pytest.mark.parametrize("name", PAGES)
def test_pages_fit_a_phone(browser: Any, address: str, name: str) -> None:
    with Visit(browser, address, viewport={"width": 360, "height": 740}) as visit:
        page = visit.go(name)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        for button in page.locator("button:visible").all():
            box = button.bounding_box()
            assert min(box["width"], box["height"]) >= 24  # WCAG 2.2, criterion 2.5.8


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_reports_no_violations(browser: Any, site: Path, name: str, scheme: str) -> None:
    with Visit(browser, site.as_uri(), color_scheme=scheme, bypass_csp=True) as visit:
        page = visit.go(name)
        page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
        results = axe.Axe().run(page)
        assert not results.violations_count, results.generate_report()


def test_images_and_audio_are_decoded(browser: Any, address: str) -> None:
    """The content security policy allows embedded media."""
    with Visit(browser, address) as visit:
        page = visit.go("index.html")
        widths = (
            "[...document.images].filter((i) => i.loading != 'lazy').map((i) => i.naturalWidth)"
        )
        assert all(page.evaluate(widths))
        page = visit.go("site/speech-commands/v0.02/index.html")
        assert page.evaluate(DURATION) > 0


def test_pages_work_without_scripts(browser: Any, address: str) -> None:
    with Visit(browser, address, java_script_enabled=False) as visit:
        page = visit.go("index.html")
        assert page.locator("#cards > li:visible").count() > 10
        assert page.locator("#filters:visible").count() == 0
        page = visit.go("site/mnist/index.html")
        assert page.locator(".load .code:visible").count() == 5
        assert page.locator("button.copy:visible").count() == 0


def test_reduced_motion_disables_transitions(browser: Any, site: Path) -> None:
    with Visit(browser, site.as_uri(), reduced_motion="reduce") as visit:
        page = visit.go("index.html")
        seconds = "getComputedStyle(document.querySelector('#cards > li')).transitionDuration"
        assert page.evaluate(seconds) == "0s"


def test_printed_page_has_all_code_and_no_buttons(browser: Any, site: Path) -> None:
    with Visit(browser, site.as_uri()) as visit:
        page = visit.go("site/mnist/index.html")
        page.emulate_media(media="print")
        assert page.locator(".load .code:visible").count() == 5
        assert page.locator("button:visible").count() == 0


def test_front_page_of_two_hundred_datasets_is_small_and_searchable(
    browser: Any, shared_store: Store, tmp_path: Path
) -> None:
    kinds = ["mnist", "cifar-10", "glue/sst2", "imagenette/160px", "iris"]
    originals = [Registry().manifest(kinds[number % len(kinds)]) for number in range(200)]
    manifests = [
        msgspec.structs.replace(item, name=f"many/{number:03}", title=f"{item.title}, no. {number}")
        for number, item in enumerate(originals)
    ]
    build(Registry(manifests=manifests, built_in=False), shared_store, tmp_path)
    server = serving(tmp_path)
    try:
        with Visit(browser, f"http://127.0.0.1:{server.server_address[1]}") as visit:
            CountingHandler.sent = 0
            page = visit.go("index.html")
            page.wait_for_load_state("networkidle")
            assert CountingHandler.sent < LARGEST
            assert page.locator("#cards > li").count() == 200
            page.get_by_role("searchbox").fill("no. 142")
            assert visible_names(page) == ["many/142"]
            assert re.search(r"^1 of 200", page.locator("#count").inner_text())
    finally:
        server.shutdown()
        server.server_close()
