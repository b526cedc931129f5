"""All targets by name."""

from . import annotations, archives, documents, formats, media, notes, web

FAMILIES = (annotations, archives, formats, documents, notes, media, web)
TARGETS = {target.name: target for family in FAMILIES for target in family.TARGETS}
MODULES = {target.name: family.__name__ for family in FAMILIES for target in family.TARGETS}
"""Module of each target, so that a process can import that module alone."""
