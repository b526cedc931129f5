"""Mirrors: the index of one, its signature, and its datasets."""
