"""Measure the size and the startup time of the catalog: `python benchmarks/catalog.py [--small]`.

A registry of 200 datasets (`--small`: 40) is made of five built-in ones, none of them prepared, so
that every page draws synthetic data. Its pages are written twice. Then Chromium opens the first
page from a local web server, each time with an empty cache, and types into the search field.

    first       nothing in the cache yet: synthetic data is made
    again       nothing has changed: everything is read and compared
    page        bytes of index.html
    loaded      bytes of all that the browser asks for before anybody scrolls
    usable      until the search field answers, from the beginning of the navigation
    answer      from a letter in the search field to the list that fits, painted
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


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A folder, without a log."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true")
    count = 40 if parser.parse_args().small else 200
    known = Registry()
    kinds = [known.manifest(KINDS[number % len(KINDS)]) for number in range(count)]
    made = [
        msgspec.structs.replace(item, name=f"many/{number:03}", title=f"{item.title}, no. {number}")
        for number, item in enumerate(kinds)
    ]
    print(f"{platform.platform()}, Python {platform.python_version()}; {count} datasets\n")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "pages"
        for title in ("first", "again"):
            began = time.perf_counter()
            build(Registry(manifests=made, built_in=False), Store(Path(folder) / "cache"), target)
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
        print("Chromium and playwright are not installed: nothing is measured in a browser")
        return
    handler = functools.partial(Quiet, directory=str(target))
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
    """Bytes, and milliseconds until it is usable and until it answers."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url, wait_until="networkidle")
    found = page.evaluate(LOADED), page.evaluate(USABLE), page.evaluate(ANSWER)
    context.close()
    return found


if __name__ == "__main__":
    main()
