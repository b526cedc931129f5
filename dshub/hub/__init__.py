"""The session that everything hangs from, and the functions of the package."""

from dshub.hub.functions import fetch, info, load, load_data, names
from dshub.hub.hub import Hub

__all__ = ["Hub", "fetch", "info", "load", "load_data", "names"]
