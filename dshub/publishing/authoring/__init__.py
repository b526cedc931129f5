"""Draft manifests for files."""
