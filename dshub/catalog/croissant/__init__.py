"""Manifests to and from Croissant, the JSON-LD that search engines and other libraries read."""
