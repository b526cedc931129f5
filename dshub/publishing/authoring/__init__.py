"""Draft manifests for a user's own files."""
