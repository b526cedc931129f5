"""Prepared tables on disk: building, finding and reading them."""
