"""Configure Sphinx. Build the site with `nox -s docs` or `sphinx-build -W docs build/site`.

The pages are the Markdown files of this folder, a page per dataset (`catalog_pages.py`), the API
from docstrings, and the command line from click.
"""

import os
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))

import dshub
from docs import catalog_pages

project = "dshub"
author = "the dshub authors"
copyright = author  # noqa: A001  # Sphinx reads this name
release = version = dshub.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_llms_txt",
]
myst_heading_anchors = 3

autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False

copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

llms_txt_title = "dshub"
llms_txt_summary = "Download, verify and load machine-learning datasets."

smartquotes = False  # `--json` and quotation marks in commands stay as they are typed

html_theme = "furo"
html_title = "dshub"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b5fad", "color-brand-content": "#0b5fad"},
    "dark_css_variables": {"color-brand-primary": "#7db8f0", "color-brand-content": "#7db8f0"},
    "footer_icons": [],
    "top_of_page_buttons": [],
}
pygments_style = "xcode"
pygments_dark_style = "github-dark"

# pages and the files outside of docs/ that contain their text
ELSEWHERE = {
    "benchmarks": "benchmarks/README.md",
    "changelog": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
    "manifests": "registry/README.md",
    "security": "SECURITY.md",
}
SOURCE = "https://github.com/dshub/dshub/blob/main"
LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)([^)\s#]+)(#[^)\s]*)?(?=\))")


def _read(app: Sphinx, docname: str, source: list[str]) -> None:
    """Load the text of a page and rewrite its links for the site."""
    del app
    path = ROOT / ELSEWHERE.get(docname, f"docs/{docname}.md")
    text = path.read_text("utf-8") if docname in ELSEWHERE else source[0]
    source[0] = LINK.sub(lambda match: _site_link(match, path, docname), text)


def _site_link(match: re.Match[str], page: Path, docname: str) -> str:
    target = (page.parent / match[1]).resolve()
    homes = {ROOT / file: DOCS / f"{name}.md" for name, file in ELSEWHERE.items()}
    target = homes.get(target, target)
    if not target.is_relative_to(DOCS):
        return f"{SOURCE}/{target.relative_to(ROOT)}"
    here = (DOCS / docname).parent
    return f"{Path(os.path.relpath(target, here)).as_posix()}{match[2] or ''}"


def _tidy(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Convert Markdown `code` in docstrings to reStructuredText ``code``."""
    del app, what, name, obj, options
    lines[:] = [re.sub(r"(?<![`:])`([^`]+)`(?!`)", r"``\1``", line) for line in lines]


def _hide_private_signature(*event: Any) -> tuple[str, str] | None:
    """Leave out the parameters of classes that only dshub creates."""
    _, what, _, _, _, signature, _ = event
    return ("", "") if what == "class" and (signature or "").startswith("(_") else None


def _hide_private_fields(app: Sphinx, domain: str, objtype: str, content: nodes.Element) -> None:
    """Leave out the types of private parameters."""
    del app, domain, objtype
    for field in list(content.findall(nodes.field)):
        if re.match(r"(param|type) _", field[0].astext()):
            field.parent.remove(field)


def _hide_nameless(app: Sphinx, ctx: object, lines: list[str]) -> None:
    """Drop nameless arguments, which only exist to explain wrong calls."""
    del app, ctx
    if ".. option:: " in lines:
        lines.clear()


def _show_examples_as_code(app: Sphinx, ctx: object, lines: list[str]) -> None:
    """Turn the examples of a command's help into a block of code."""
    del app, ctx
    shown: list[str] = []
    for line in lines:
        is_example = line.startswith("| ")
        if is_example and not (shown and shown[-1].startswith("    ")):
            shown += [".. code-block:: text", ""]
        shown.append(f"    {line.removeprefix('| ').strip()}" if is_example else line)
    lines[:] = shown


# attributes for screen readers and keyboards that the theme lacks
REPAIRS = {
    '<p class="caption" role="heading">': '<p class="caption" role="heading" aria-level="2">',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="Pages">',
    '<aside class="toc-drawer': '<aside aria-label="On this page" class="toc-drawer',
    "<pre>": '<pre tabindex="0">',
    '<table class="docutils': '<table tabindex="0" class="docutils',
}


def _repair(app: Sphinx, error: Exception | None) -> None:
    """Add missing accessibility attributes to the built pages."""
    for path in [] if error else Path(app.outdir).rglob("*.html"):
        text = path.read_text("utf-8")
        for old, new in REPAIRS.items():
            text = text.replace(old, new)
        path.write_text(text, "utf-8")


def setup(app: Sphinx) -> None:
    """Write the dataset pages and connect the Sphinx event handlers."""
    catalog_pages.write(DOCS / "datasets")
    app.connect("source-read", _read)
    app.connect("autodoc-process-docstring", _tidy)
    app.connect("autodoc-process-signature", _hide_private_signature)
    app.connect("object-description-transform", _hide_private_fields, priority=600)
    app.connect("build-finished", _repair)
    app.connect("sphinx-click-process-arguments", _hide_nameless)
    app.connect("sphinx-click-process-description", _show_examples_as_code)
