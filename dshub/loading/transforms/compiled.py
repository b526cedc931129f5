"""Find the kernels that numba compiles, if it is installed."""

from functools import cache
from types import ModuleType


@cache
def kernels() -> ModuleType | None:
    """Return the module of compiled kernels, or None if numba is not installed."""
    try:
        from dshub.loading.transforms import kernels as module
    except ImportError:
        return None
    return module
