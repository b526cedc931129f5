"""Measure building and opening the pages of a catalog: `python benchmarks/catalog.py [--small]`.

The registry has 200 datasets (40 with --small), copied from five built-in ones. None is prepared,
so each page shows synthetic data. The pages are built twice. Chromium then opens the front page
from a local web server, each time with an empty cache, and types into the search field.

    first       first build, which generates the synthetic data
    again       second build without changes, which reads and compares everything
    page        size of index.html
    loaded      bytes loaded before scrolling
    usable      from the start of navigation until the search field works
    answer      from a key press in the search field until the filtered list is painted
"""

import argparse
import functools
import http.server
import platform
import shutil
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from dshub.cache.store import Store
from dshub.catalog.registry import Registry
from dshub.progress import size
from dshub.publishing.site.build import build

KINDS = ("mnist", "cifar-10", "glue/sst2", "imagenette/160px", "iris")
ANSWER = """() => new Promise((done) => {
    const field = document.getElementById("q"), began = performance.now();
    field.value = "no. 3";
    field.dispatchEvent(new Event("input", { bubbles: true }));
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
})"""
USABLE = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
LOADED = """performance.getEntriesByType("resource")
    .concat(performance.getEntriesByType("navigation"))
    .reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """A file server that logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Ignore the message."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="build 40 datasets instead of 200")
    count = 40 if parser.parse_args().small else 200
    registry = Registry()
    kinds = [registry.manifest(KINDS[number % len(KINDS)]) for number in range(count)]
    manifests = [
        msgspec.structs.replace(item, name=f"many/{number:03}", title=f"{item.title}, no. {number}")
        for number, item in enumerate(kinds)
    ]
    print(f"{platform.platform()}, Python {platform.python_version()}; {count} datasets\n")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "pages"
        for title in ("first", "again"):
            began = time.perf_counter()
            build(
                Registry(manifests=manifests, built_in=False), Store(Path(folder) / "cache"), target
            )
            print(f"{title:10}{time.perf_counter() - began:10.2f} s")
        print(f"{'page':10}{size((target / 'index.html').stat().st_size):>12}")
        browse(target)


def browse(target: Path) -> None:
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        print("Chromium or Playwright is not installed, so nothing is measured in a browser")
        return
    handler = functools.partial(QuietHandler, directory=str(target))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        with sync_playwright() as started:
            browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            url = f"http://127.0.0.1:{server.server_address[1]}/index.html"
            runs = [visit(browser, url) for _ in range(7)]
            browser.close()
        server.shutdown()
    loaded, usable, answer = (median(column) for column in zip(*runs, strict=True))
    print(f"{'loaded':10}{size(round(loaded)):>12}")
    print(f"{'usable':10}{usable:10.0f} ms\n{'answer':10}{answer:10.0f} ms")


def visit(browser: Any, url: str) -> tuple[float, float, float]:
    """Return the bytes loaded, and milliseconds until the page is usable and until it answers."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url, wait_until="networkidle")
    figures = page.evaluate(LOADED), page.evaluate(USABLE), page.evaluate(ANSWER)
    context.close()
    return figures


if __name__ == "__main__":
    main()
