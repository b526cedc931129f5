"""Sphinx configuration. Build the site with `sphinx-build -W docs build/site`.

The pages are the Markdown files of this folder, as any forge shows them, plus one page per dataset
(`catalog_pages.py`), the API from docstrings, and the command line from click.
"""

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parents[1]))

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
exclude_patterns = ["_build"]
suppress_warnings = ["myst.xref_missing"]  # links out of this folder, checked in `_outside`

myst_enable_extensions = ["colon_fence", "fieldlist"]
myst_heading_anchors = 3

autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_numpy_docstring = False

copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

llms_txt_title = "dshub"
llms_txt_summary = "Download, verify and load machine-learning datasets."

html_theme = "furo"
html_title = "dshub"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b5fad", "color-brand-content": "#0b5fad"},
    "dark_css_variables": {"color-brand-primary": "#7db8f0", "color-brand-content": "#7db8f0"},
    "footer_icons": [],
}
pygments_style = "xcode"
pygments_dark_style = "github-dark"


def _tidy(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Turn Markdown's `code` in docstrings into reStructuredText's ``code``."""
    del app, what, name, obj, options
    lines[:] = [re.sub(r"(?<![`:])`([^`]+)`(?!`)", r"``\1``", line) for line in lines]


def setup(app: Sphinx) -> None:
    """Write the pages of datasets before Sphinx reads the folder."""
    catalog_pages.write(Path(__file__).parent / "datasets")
    app.connect("autodoc-process-docstring", _tidy)
