"""Croissant: manifests as the JSON-LD that search engines and other libraries read."""
