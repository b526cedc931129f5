"""The catalogue: static pages that show what a registry holds, for people.

`build` writes them into a folder, beside a mirror or alone: a first page to search and filter,
and a page for each dataset with rows, classes, columns, files, licence, citation, and the lines of
code that load it. They work from a web server and from a folder, and ask for nothing elsewhere.

`sample` finds rows to look at: a dataset's own where they are prepared, else a stand-in's.
"""

from typing import TYPE_CHECKING, Any

from dshub.web.samples import Sample, sample

if TYPE_CHECKING:
    from dshub.web.site import Built, build, page_of

__all__ = ["Built", "Sample", "build", "page_of", "sample"]


def __getattr__(name: str) -> Any:
    """`build`, when it is asked for: it needs Jinja2, and rows in a terminal do not."""
    if name not in __all__:
        raise AttributeError(name)
    from dshub.web import site

    return getattr(site, name)
