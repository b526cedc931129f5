"""Inspect the cache and remove things from it."""
