"""Resolve dataset names to files and tables, and manage the cache."""
